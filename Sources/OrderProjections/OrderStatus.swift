/// How far an order is.
public enum OrderStatus: String, Hashable, Sendable, CaseIterable {
  case created = "CREATED"
  case confirmed = "CONFIRMED"
  case paid = "PAID"
  case shipped = "SHIPPED"
  case delivered = "DELIVERED"
  case cancelled = "CANCELLED"
}
