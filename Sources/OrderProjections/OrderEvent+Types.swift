public import JSONSerdes
import StreamCore
import Topology

extension OrderEvent {
  /// The event types of `order-events`, with their versions.
  ///
  /// - Parameters:
  ///   - unknownType: what becomes of types that are not of this context.
  ///   - handlesShipping: leaves ORDER_SHIPPED without a handler where it is false.
  static func types(
    unknownType: UnknownTypePolicy, handlesShipping: Bool
  ) -> EventTypes<JSONView, OrderEvent> {
    var types = EventTypes<JSONView, OrderEvent>(unknownType: unknownType)
      .on("ORDER_CREATED", version: 2) { json, context in
        .created(
          try OrderCreated(
            json: json, orderID: context.aggregateID,
            occurredAt: try context.requiredOccurredAt()))
      }
      .upcast("ORDER_CREATED", from: 1, addCurrency)
      .on("ORDER_CONFIRMED") { _, context in .confirmed(at: try context.requiredOccurredAt()) }
      .on("ORDER_PAID") { _, context in .paid(at: try context.requiredOccurredAt()) }
      .on("ORDER_DELIVERED") { _, context in .delivered(at: try context.requiredOccurredAt()) }
      .on("ORDER_CANCELLED") { _, context in .cancelled(at: try context.requiredOccurredAt()) }
    if handlesShipping {
      types = types.on("ORDER_SHIPPED") { _, context in
        .shipped(at: try context.requiredOccurredAt())
      }
    }
    return types
  }

  /// Turns a payload of ORDER_CREATED version 1 into version 2: it knew no currency, all amounts
  /// were euros.
  @Sendable
  public static func addCurrency(to payload: JSONView, into next: inout [UInt8]) throws {
    try payload.copy(adding: ",\"currency\":\"EUR\"", to: &next)
  }
}

extension RecordContext {
  /// - Throws: ``StreamCore/SerdeError`` where the envelope has no time.
  fileprivate func requiredOccurredAt() throws -> Instant {
    guard let time = try occurredAt() else { throw SerdeError("is missing", path: "occurredAt") }
    return time
  }
}
