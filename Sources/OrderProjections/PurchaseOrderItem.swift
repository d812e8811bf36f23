public import JSONSerdes
public import StreamCore

/// Something done with an item of a purchase order.
struct PurchaseOrderEvent: Hashable, Sendable {
  let activity: String
  let occurredAt: Instant
  let sequence: Int64
}

/// A row of view `purchase-order-items`.
public struct PurchaseOrderItem: Hashable, Sendable {
  public var aggregateID: String
  public var events: Int64
  /// The activity with the highest sequence number.
  public var lastActivity: String
  public var firstAt: Instant
  public var lastAt: Instant
}

/// An item with what decides which activity is its last.
struct PurchaseOrderProgress: Hashable, Sendable {
  var item: PurchaseOrderItem
  var lastSequence: Int64

  init(item: PurchaseOrderItem, lastSequence: Int64) {
    self.item = item
    self.lastSequence = lastSequence
  }

  init(_ aggregateID: String, first event: PurchaseOrderEvent) {
    item = PurchaseOrderItem(
      aggregateID: aggregateID, events: 1, lastActivity: event.activity,
      firstAt: event.occurredAt, lastAt: event.occurredAt)
    lastSequence = event.sequence
  }

  mutating func add(_ event: PurchaseOrderEvent) {
    item.events += 1
    if event.sequence > lastSequence {
      item.lastActivity = event.activity
      lastSequence = event.sequence
    }
    item.firstAt = min(item.firstAt, event.occurredAt)
    item.lastAt = max(item.lastAt, event.occurredAt)
  }
}

extension PurchaseOrderItem: JSONDecodable, JSONEncodable {
  public static var everyValueHasJSON: Bool { true }

  public init(json: JSONView) throws {
    aggregateID = try json.field("aggregateId").string()
    events = try json.field("events").int64()
    lastActivity = try json.field("lastActivity").string()
    firstAt = try json.field("firstAt").instant()
    lastAt = try json.field("lastAt").instant()
  }

  public func encode(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("aggregateId", aggregateID)
    writer.field("events", events)
    writer.field("lastActivity", lastActivity)
    writer.field("firstAt", firstAt)
    writer.field("lastAt", lastAt)
    writer.endObject()
  }
}

extension PurchaseOrderProgress: JSONDecodable, JSONEncodable {
  static var everyValueHasJSON: Bool { true }

  init(json: JSONView) throws {
    item = try json.field("item").decode()
    lastSequence = try json.field("lastSequence").int64()
  }

  func encode(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("item", item)
    writer.field("lastSequence", lastSequence)
    writer.endObject()
  }
}
