import JSONSerdes
public import Topology

/// What may be chosen of topology `order-projections`; the defaults are what ships.
public struct OrderProjectionsOptions: Hashable, Sendable {
  /// What becomes of an update that arrives before its order's creation.
  public var missingRow = MissingRowPolicy.holdUntilCreated
  /// What becomes of an event type that is not an order's.
  public var unknownType = UnknownTypePolicy.ignore
  public var policies = SourcePolicies()
  public var seenIDs = SeenIDRetention.forever
  /// Whether ORDER_SHIPPED has a handler.
  public var handlesShipping = true
  /// Whether view `order-events-by-aggregate` is kept.
  public var keepsAudit = true
  /// Publishes dead letters there besides keeping them in the state.
  public var deadLetterTopic: String?

  public init() {}
}

/// The order read model and the audit trail of `order-events`.
///
///     order-events ─┬─ project ── orders (byCustomer, byStatus)
///                   └─ audit ──── order-events-by-aggregate
///
/// Index `byCustomer` is (customerId, createdAt descending): a customer's orders, newest first.
/// Index `byStatus` is (status, updatedAt): what has been in a status longest comes first, as a
/// work list wants it, and entries of a status are appended nearly in order of time.
///
/// - Throws: ``Topology/TopologyError``.
public func orderProjections(
  _ options: OrderProjectionsOptions = OrderProjectionsOptions()
) throws(TopologyError) -> Topology {
  let builder = StreamsBuilder(
    "order-projections", group: "order-projection", deadLetterTopic: options.deadLetterTopic)
  let events = builder.events(
    "order-events", format: JSONFormat(),
    types: OrderEvent.types(
      unknownType: options.unknownType, handlesShipping: options.handlesShipping),
    envelope: .either, eventTime: .occurredAt, policies: options.policies,
    seenIDs: options.seenIDs)

  events.project(
    named: "orders", as: JSONSerde<OrderReadModel>(), missing: options.missingRow,
    sequence: SequenceCheck { $0.sequenceNumber }
  ) { row, event, context in
    switch event {
    case .created(let order):
      guard var row else {
        return .put(OrderReadModel(order, sequenceNumber: context.sequenceNumber))
      }
      row.complete(order)
      return .put(row)
    case .confirmed(let time): return advance(row, to: .confirmed, at: time, context)
    case .paid(let time): return advance(row, to: .paid, at: time, context)
    case .shipped(let time): return advance(row, to: .shipped, at: time, context)
    case .delivered(let time): return advance(row, to: .delivered, at: time, context)
    case .cancelled(let time): return advance(row, to: .cancelled, at: time, context)
    }
  }
  .view(indexes: [
    Index(
      "byCustomer",
      [
        .ascending("customerId") { $0.customerID.isEmpty ? nil : $0.customerID },
        .descending("createdAt") { $0.createdAt },
      ]),
    Index(
      "byStatus",
      [.ascending("status") { $0.status.rawValue }, .ascending("updatedAt") { $0.updatedAt }]),
  ])

  if options.keepsAudit {
    events.audit(named: "order-events-by-aggregate", writeAuditRow)
  }
  return try builder.build()
}

private func advance(
  _ row: OrderReadModel?, to status: OrderStatus, at time: Instant, _ context: RecordContext
) -> ProjectionStep<OrderReadModel> {
  guard var row else {
    return .missing(
      partial: OrderReadModel(
        partial: context.aggregateID ?? "", status: status, at: time,
        sequenceNumber: context.sequenceNumber))
  }
  row.advance(to: status, at: time, sequenceNumber: context.sequenceNumber)
  return .put(row)
}

/// `{"sequenceNumber","eventId","eventType","schemaVersion","occurredAt","correlationId","payload"}`,
/// the payload as it arrived, before upcasting.
@Sendable
private func writeAuditRow(
  _ key: String, _ event: OrderEvent, _ context: RecordContext, _ bytes: inout [UInt8]
) throws {
  var writer = JSONWriter()
  writer.beginObject()
  writer.field("sequenceNumber", context.sequenceNumber)
  writer.name("eventId")
  write(.eventID, context, &writer)
  writer.name("eventType")
  write(.eventType, context, &writer)
  writer.field("schemaVersion", context.schemaVersion)
  writer.field("occurredAt", try context.occurredAt())
  writer.name("correlationId")
  write(.correlationID, context, &writer)
  writer.name("payload")
  context.withPayload { writer.value(jsonOnOneLine: $0) }
  writer.endObject()
  writer.finish(appendingTo: &bytes)
}

/// The text's bytes as they stand in the record: no string is made of them.
private func write(
  _ text: RecordContext.Text, _ context: RecordContext, _ writer: inout JSONWriter
) {
  if context.withText(text, { writer.value(utf8: $0) }) == nil { writer.null() }
}
