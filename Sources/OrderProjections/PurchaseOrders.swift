import JSONSerdes
public import Topology

/// The items of purchase orders, from the events of `purchase-order-events`.
///
///     purchase-order-events ── project ── (purchase-order-progress) ── purchase-order-items
///
/// View `purchase-order-items` has a row an item: how many events, the activity with the highest
/// sequence number, the earliest and the latest time. That sequence number is kept in a store of
/// its own, because it is no part of the row.
///
/// An event that is broken but bears the id of a good one is dead-lettered, not taken for its
/// repetition.
///
/// - Throws: ``Topology/TopologyError``.
public func purchaseOrders() throws(TopologyError) -> Topology {
  let builder = StreamsBuilder("purchase-orders")
  let types = EventTypes<JSONView, PurchaseOrderEvent>(unknownType: .deadLetter)
    .onAny { json, context in
      guard let time = try context.occurredAt() else { throw json.missing("occurredAt") }
      guard let sequence = context.sequenceNumber else { throw json.missing("sequenceNumber") }
      return PurchaseOrderEvent(
        activity: try json.field("activity").string(), occurredAt: time, sequence: sequence)
    }
  builder.events(
    "purchase-order-events", format: JSONFormat(), types: types, envelope: .nested,
    eventTime: .occurredAt, policies: SourcePolicies(conflict: .deadLetter)
  )
  .project(
    named: "purchase-order-progress", as: JSONSerde<PurchaseOrderProgress>(), missing: .upsert
  ) { row, event, context in
    guard var row else {
      return .put(PurchaseOrderProgress(context.aggregateID ?? "", first: event))
    }
    row.add(event)
    return .put(row)
  }
  .toStream()
  .mapValues(named: "without-sequence") { _, row in row?.item }
  .toTable(named: "purchase-order-items", as: JSONSerde<PurchaseOrderItem>())
  .view()
  return try builder.build()
}
