public import JSONSerdes
public import StreamCore

/// A row of view `orders`.
///
/// Under the policy `upsert` a row may begin with an update: customer, items, amount and currency
/// are then empty until its creation arrives.
public struct OrderReadModel: Hashable, Sendable {
  public var orderID: String
  public var customerID: String
  public var items: [OrderLineItem]
  public var totalAmount: Decimal
  public var currency: String
  public var status: OrderStatus
  /// When the order was created, by its event; never the time of processing.
  public var createdAt: Instant
  /// When its last event occurred.
  public var updatedAt: Instant
  /// Of its last event; `nil` where events have none.
  public var sequenceNumber: Int64?

  public init(
    orderID: String, customerID: String, items: [OrderLineItem], totalAmount: Decimal,
    currency: String, status: OrderStatus, createdAt: Instant, updatedAt: Instant,
    sequenceNumber: Int64?
  ) {
    self.orderID = orderID
    self.customerID = customerID
    self.items = items
    self.totalAmount = totalAmount
    self.currency = currency
    self.status = status
    self.createdAt = createdAt
    self.updatedAt = updatedAt
    self.sequenceNumber = sequenceNumber
  }

  init(_ order: OrderCreated, sequenceNumber: Int64?) {
    self.init(
      orderID: order.orderID, customerID: order.customerID, items: order.items,
      totalAmount: order.totalAmount, currency: order.currency, status: .created,
      createdAt: order.occurredAt, updatedAt: order.occurredAt, sequenceNumber: sequenceNumber)
  }

  /// A row whose creation has not arrived.
  init(partial orderID: String, status: OrderStatus, at time: Instant, sequenceNumber: Int64?) {
    self.init(
      orderID: orderID, customerID: "", items: [], totalAmount: .zero, currency: "",
      status: status, createdAt: time, updatedAt: time, sequenceNumber: sequenceNumber)
  }

  /// A creation behind its updates: fills in what they did not know, and leaves the status.
  mutating func complete(_ order: OrderCreated) {
    customerID = order.customerID
    items = order.items
    totalAmount = order.totalAmount
    currency = order.currency
    createdAt = order.occurredAt
    updatedAt = max(updatedAt, order.occurredAt)
  }

  mutating func advance(to status: OrderStatus, at time: Instant, sequenceNumber number: Int64?) {
    self.status = status
    updatedAt = time
    // A regression does not turn back what the next event is compared with.
    if let number { sequenceNumber = max(sequenceNumber ?? number, number) }
  }
}

extension OrderReadModel: JSONDecodable {
  public init(json: JSONView) throws {
    var (order, customer, currency): (String?, String?, String?)
    var (items, total, status): ([OrderLineItem]?, Decimal?, OrderStatus?)
    var (created, updated, sequence): (Instant?, Instant?, Int64?)
    for member in try json.members() {
      let value = member.value
      switch member.name {
      case "orderId": order = try value.string()
      case "customerId": customer = try value.string()
      case "items": items = try value.array()
      case "totalAmount": total = try value.decimal()
      case "currency": currency = try value.string()
      case "status":
        status = OrderStatus(rawValue: try value.string())
        if status == nil { throw value.error("is no order status") }
      case "createdAt": created = try value.instant()
      case "updatedAt": updated = try value.instant()
      case "sequenceNumber": sequence = try value.nonNull?.int64()
      default: break
      }
    }
    self.init(
      orderID: try json.required(order, "orderId"),
      customerID: try json.required(customer, "customerId"),
      items: try json.required(items, "items"),
      totalAmount: try json.required(total, "totalAmount"),
      currency: try json.required(currency, "currency"),
      status: try json.required(status, "status"),
      createdAt: try json.required(created, "createdAt"),
      updatedAt: try json.required(updated, "updatedAt"), sequenceNumber: sequence)
  }
}

extension OrderReadModel: JSONEncodable {
  public static var everyValueHasJSON: Bool { true }

  public func encode(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("orderId", orderID)
    writer.field("customerId", customerID)
    writer.field("items", items)
    writer.field("totalAmount", totalAmount)
    writer.field("currency", currency)
    writer.field("status", status.rawValue)
    writer.field("createdAt", createdAt)
    writer.field("updatedAt", updatedAt)
    writer.field("sequenceNumber", sequenceNumber)
    writer.endObject()
  }
}
