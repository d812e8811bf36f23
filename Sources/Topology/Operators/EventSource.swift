import StateStore
package import StreamCore

/// Reads events: finds the envelope, lets the event in or not, and says which handler decodes it.
///
/// It knows nothing of the types of document and event. What does is one closure that
/// ``StreamsBuilder`` makes where those types are known, so that it is compiled for them.
@usableFromInline
final class EventSource: SourceOperator {
  /// Parses a value, asks ``route(_:_:_:text:admit:)``, decodes the payload and passes it on.
  @usableFromInline
  typealias Run = (
    _ value: RawSpan, _ source: EventSource, _ context: RecordContext, _ admit: () throws -> Bool
  ) throws -> Void
  /// Finds the envelope of a value and nothing else.
  @usableFromInline
  typealias Probe = (_ value: RawSpan, _ source: EventSource, _ context: RecordContext) throws ->
    Void

  /// What becomes of an event that was let in.
  @usableFromInline
  struct Route {
    @usableFromInline let key: String
    /// Number of the handler; -1 for the one of all other types.
    @usableFromInline let handler: Int
    /// Slot of the payload's object; -1 where the value itself is the payload.
    @usableFromInline let payload: Int
    /// Schema version of the payload.
    @usableFromInline let version: Int
  }

  let topic: String
  let policies: SourcePolicies
  let seenIDs: SeenIDRetention
  private let eventTime: EventTime
  private let types: EventTypeTable
  private let resolver: EnvelopeResolver
  private let counters: TaskCounters
  private let log: @Sendable (String) -> Void
  private let run: Run
  private let canonical: (RawSpan) -> [UInt8]?
  private let probe: Probe
  /// Stands in for the task's context while a head is only looked at.
  private let probed = RecordContext(counters: TaskCounters())

  @usableFromInline
  init(
    _ declaration: EventSourceDeclaration, assembly: TaskAssembly, probe: @escaping Probe,
    run: @escaping Run, canonical: @escaping (RawSpan) -> [UInt8]?
  ) {
    topic = declaration.topic
    policies = declaration.policies
    seenIDs = declaration.seenIDs
    eventTime = declaration.eventTime
    types = declaration.types
    resolver = declaration.makeResolver()
    counters = assembly.counters
    log = assembly.log
    self.probe = probe
    self.run = run
    self.canonical = canonical
  }

  func eventTime(_ batch: RecordBatch, _ index: Int) -> Timestamp? {
    let entry = batch.entries[index]
    guard eventTime == .occurredAt, let value = entry.value else { return entry.timestamp }
    probed.load(batch)
    probed.select(index)
    let bytes = batch.bytes
    do {
      try probe(bytes.span.bytes.extracting(value), self, probed)
      return try probed.occurredAt().map { Timestamp($0) } ?? entry.timestamp
    } catch {
      // A head that cannot be decoded is ordered by its record's timestamp.
      return entry.timestamp
    }
  }

  func areEqual(_ value: RawSpan, _ other: [UInt8]) -> Bool {
    guard let left = canonical(value), let right = canonical(other.span.bytes) else { return false }
    return left == right
  }

  func process(_ context: RecordContext, admit: () throws -> Bool) throws {
    guard let value = context.batch.entries[context.index].value else {
      throw ProcessingFailure(.decode, .decode, "the value is null: an event has a value")
    }
    let bytes = context.batch.bytes
    do {
      try run(bytes.span.bytes.extracting(value), self, context, admit)
    } catch let error as SerdeError {
      throw ProcessingFailure(.decode, .decode, error.description)
    } catch  where !ProcessingFailure.isOurs(error) {
      // A decoder or upcaster may throw what it likes: it fails the record, not the task.
      throw ProcessingFailure(.decode, .decode, "\(error)")
    }
  }

  func identify(_ context: RecordContext) throws { try resolver.identify(context) }

  /// Finds the envelope.
  @usableFromInline
  func resolve(_ context: RecordContext, _ slots: [FieldSlot], text: (FieldSlot) -> String) throws {
    let value = context.batch.entries[context.index].value ?? 0..<0
    try resolver.resolve(context, slots: slots, valueStart: value.lowerBound, text: text)
  }

  /// Finds the envelope, lets the event in, and tells its handler.
  ///
  /// - Returns: `nil` where nothing more is to be done with it.
  @usableFromInline
  func route(
    _ context: RecordContext, _ slots: [FieldSlot], text: (FieldSlot) -> String,
    admit: () throws -> Bool
  ) throws -> Route? {
    try resolve(context, slots, text: text)
    if eventTime == .occurredAt, let instant = try context.occurredAt() {
      context.timestamp = Timestamp(instant)
    }
    guard try admit() else { return nil }
    let key = try checkedKey(context, context.batch.entries[context.index])
    guard let handler = try types.handler(of: context) else {
      try unknownType(context)
      return nil
    }
    return Route(
      key: key, handler: handler, payload: resolver.payloadSlot(slots) ?? -1,
      version: context.schemaVersion)
  }

  private func checkedKey(_ context: RecordContext, _ entry: RecordBatch.Entry) throws -> String {
    guard let range = entry.key else {
      guard policies.nullKey == .warn, let aggregate = context.aggregateID else {
        throw ProcessingFailure(
          .decode, .nullKey, "the key is null: events are keyed by aggregateId",
          action: policies.nullKey == .fail ? .fail : .deadLetter)
      }
      return aggregate
    }
    guard let key = String(validating: context.batch.bytes[range], as: UTF8.self) else {
      throw ProcessingFailure(.decode, .decode, "the key is no UTF-8 text")
    }
    guard !context.isAggregate(key, at: range) else { return key }
    counters.count(.keyMismatch)
    if policies.keyMismatch != .warn {
      throw ProcessingFailure(
        .decode, .keyMismatch, "the key is not the aggregateId",
        action: policies.keyMismatch == .fail ? .fail : .deadLetter)
    }
    return key
  }

  private func unknownType(_ context: RecordContext) throws {
    switch types.unknownType {
    case .ignore, .warn:
      context.outcome.ignored = true
      counters.count(.ignoredType)
      if types.unknownType == .warn {
        counters.count(.unknownType)
        log(
          "unknown event type '\(context.eventType)' at \(context.topicPartition)@"
            + "\(context.offset): ignored")
      }
    case .deadLetter, .fail:
      throw ProcessingFailure(
        .decode, .unknownType, "event type '\(context.eventType)' has no handler",
        action: types.unknownType == .fail ? .fail : .deadLetter)
    }
  }
}

extension RecordContext {
  /// Whether the event's type is this text.
  func isType(_ name: [UInt8]) -> Bool {
    if let range = envelope.eventType.range {
      let bytes = batch.bytes
      return bytes.span.bytes.holds(name, at: range)
    }
    return envelope.eventType.isComposed && eventType.utf8.elementsEqual(name)
  }

  /// Whether the aggregate's id is the key, or is not told.
  func isAggregate(_ key: String, at range: Range<Int>) -> Bool {
    if envelope.aggregateID.isComposed { return aggregateID == key }
    guard let found = envelope.aggregateID.range, found != range else { return true }
    let bytes = batch.bytes
    return bytes.span.bytes.equal(found, range)
  }
}
