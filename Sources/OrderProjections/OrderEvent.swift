public import JSONSerdes
public import StreamCore

/// What happened to an order, in the latest schema version of each event.
public enum OrderEvent: Hashable, Sendable {
  case created(OrderCreated)
  case confirmed(at: Instant)
  case paid(at: Instant)
  case shipped(at: Instant)
  case delivered(at: Instant)
  case cancelled(at: Instant)
}

/// The payload of ORDER_CREATED, version 2.
public struct OrderCreated: Hashable, Sendable {
  public var orderID: String
  public var customerID: String
  /// Empty where the event names none.
  public var items: [OrderLineItem]
  public var totalAmount: Decimal
  public var currency: String
  public var occurredAt: Instant

  public init(
    orderID: String, customerID: String, items: [OrderLineItem], totalAmount: Decimal,
    currency: String, occurredAt: Instant
  ) {
    self.orderID = orderID
    self.customerID = customerID
    self.items = items
    self.totalAmount = totalAmount
    self.currency = currency
    self.occurredAt = occurredAt
  }

  /// Reads a payload. Fields that nobody asks for are ignored, whatever they hold.
  ///
  /// - Parameters:
  ///   - orderID: the aggregate's id, where the payload does not repeat it.
  ///   - occurredAt: the envelope's time.
  /// - Throws: ``StreamCore/SerdeError`` for a missing or wrong-typed field.
  public init(json: JSONView, orderID: @autoclosure () -> String?, occurredAt: Instant) throws {
    var (order, customer, currency): (String?, String?, String?)
    var items: [OrderLineItem] = []
    var total: Decimal?
    for member in try json.members() {
      switch member.name {
      case "orderId": order = try member.value.string()
      case "customerId": customer = try member.value.string()
      case "items": items = try member.value.nonNull?.array() ?? []
      case "totalAmount": total = try member.value.decimal()
      case "currency": currency = try member.value.string()
      default: break
      }
    }
    self.orderID = try json.required(order ?? orderID(), "orderId")
    customerID = try json.required(customer, "customerId")
    self.items = items
    totalAmount = try json.required(total, "totalAmount")
    self.currency = try json.required(currency, "currency")
    self.occurredAt = occurredAt
  }
}
