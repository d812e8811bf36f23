import StateStore
package import StreamCore

/// Reads events: finds the envelope, lets the event in or not, and says which handler decodes it.
///
/// It knows nothing of the types of document and event. What does is one closure that
/// ``StreamsBuilder`` makes where those types are known, so that it is compiled for them.
@usableFromInline
final class EventSource: SourceOperator {
  /// Parses a value, asks ``route(_:_:_:admit:)``, decodes the payload and passes it on.
  @usableFromInline
  typealias Run = (
    _ batch: RawSpan, _ value: Range<Int>, _ source: EventSource, _ context: RecordContext,
    _ admit: () throws -> Bool
  ) throws -> Void
  /// Finds the envelope of a value and nothing else.
  @usableFromInline
  typealias Probe = (
    _ batch: RawSpan, _ value: Range<Int>, _ source: EventSource, _ context: RecordContext
  ) throws -> Void
  /// A string field's text with its escapes resolved.
  @usableFromInline
  typealias Text = (FieldSlot) -> String

  /// What becomes of an event that was let in.
  @usableFromInline
  struct Route {
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
  let idScope: String
  private let eventTime: EventTime
  private let types: EventTypeTable
  private let resolver: EnvelopeResolver
  private let counters: TaskCounters
  private let log: @Sendable (String) -> Void
  private let run: Run
  private let probe: Probe
  private let text: Text
  private let emptyDocument: [UInt8]
  /// Stands in for the task's context while a head is only looked at.
  private let probed = RecordContext(counters: TaskCounters())

  @usableFromInline
  init(
    _ declaration: EventSourceDeclaration, assembly: TaskAssembly, probe: @escaping Probe,
    run: @escaping Run, text: @escaping Text, emptyDocument: [UInt8]
  ) {
    topic = declaration.topic
    policies = declaration.policies
    seenIDs = declaration.seenIDs
    idScope = declaration.idScope
    eventTime = declaration.eventTime
    types = declaration.types
    resolver = declaration.makeResolver()
    counters = assembly.counters
    log = assembly.log
    self.probe = probe
    self.run = run
    self.text = text
    self.emptyDocument = emptyDocument
  }

  var readsEnvelopeForTime: Bool { eventTime == .occurredAt }

  func eventTime(_ batch: RecordBatch, _ index: Int) -> Timestamp? {
    let entry = batch.entries[index]
    guard eventTime == .occurredAt else { return entry.timestamp }
    guard let value = entry.value else {
      // One that is an event, or ignored, is of the time of its record.
      switch policies.tombstone {
      case .deadLetter, .fail: return nil
      case .ignore, .event: return entry.timestamp
      }
    }
    probed.load(batch)
    probed.select(index)
    let bytes = batch.bytes
    do {
      try probe(bytes.span.bytes, value, self, probed)
      return try probed.occurredAt().map { Timestamp($0) } ?? entry.timestamp
    } catch {
      // A head that cannot be decoded has no time: it is the next, and moves no clock.
      return nil
    }
  }

  func process(_ context: RecordContext, admit: () throws -> Bool) throws {
    guard let value = context.entry.value else { return try processTombstone(context, admit) }
    let bytes = context.batch.bytes
    try run(bytes, value, context, admit)
  }

  private func run(
    _ bytes: [UInt8], _ value: Range<Int>, _ context: RecordContext, _ admit: () throws -> Bool
  ) throws {
    do {
      try run(bytes.span.bytes, value, self, context, admit)
    } catch let error as SerdeError {
      throw ProcessingFailure(.decode, .decode, error.description)
    } catch  where !ProcessingFailure.isOurs(error) {
      // A decoder or upcaster may throw what it likes: it fails the record, not the task.
      throw ProcessingFailure(.decode, .decode, "\(error)")
    }
  }

  private func processTombstone(_ context: RecordContext, _ admit: () throws -> Bool) throws {
    let action: ErrorPolicy.Action
    switch policies.tombstone {
    case .deadLetter: action = .deadLetter
    case .fail: action = .fail
    case .ignore:
      try resolver.identify(context)
      guard try admit() else { return }
      context.outcome.ignored = true
      return counters.count(.ignoredTombstone)
    case .event(let type):
      context.compose(.eventType, type)
      context.typeOfTombstone = true
      let bytes = context.batch.bytes + emptyDocument
      return try run(bytes, bytes.count - emptyDocument.count..<bytes.count, context, admit)
    }
    throw ProcessingFailure(
      .decode, .tombstone, "the value is null: an event has a value", action: action)
  }

  func identify(_ context: RecordContext) throws { try resolver.identify(context) }

  /// Finds the envelope.
  @usableFromInline
  func resolve(_ context: RecordContext, _ batch: RawSpan, _ slots: [FieldSlot]) throws {
    try resolver.resolve(context, batch, slots: slots, text: text)
  }

  /// Finds the envelope, lets the event in, and tells its handler.
  ///
  /// - Returns: `nil` where nothing more is to be done with it.
  @usableFromInline
  func route(
    _ context: RecordContext, _ batch: RawSpan, _ slots: [FieldSlot], admit: () throws -> Bool
  ) throws -> Route? {
    try resolve(context, batch, slots)
    if context.typeOfTombstone { context.envelope.eventType = .composed }
    if eventTime == .occurredAt, let instant = try context.occurredAt() {
      context.timestamp = Timestamp(instant)
    }
    guard try admit() else { return nil }
    try checkKey(context, batch)
    guard let handler = try types.handler(of: context, batch) else {
      try unknownType(context)
      return nil
    }
    return Route(
      handler: handler, payload: resolver.payloadSlot(slots) ?? -1, version: context.schemaVersion)
  }

  /// The key of an event that has a route: the record's own, or the aggregate's id in its place.
  @usableFromInline
  func key(of context: RecordContext, _ batch: RawSpan) -> String {
    guard let range = context.entry.key else { return context.aggregateID ?? "" }
    return batch.extracting(range).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }

  private func checkKey(_ context: RecordContext, _ batch: RawSpan) throws {
    guard let range = context.entry.key else {
      guard policies.nullKey == .warn, !context.envelope.aggregateID.isAbsent else {
        throw ProcessingFailure(
          .decode, .nullKey, "the key is null: events are keyed by aggregateId",
          action: policies.nullKey == .fail ? .fail : .deadLetter)
      }
      return
    }
    // Text of the value is known to be UTF-8, and so is a key that equals it.
    if context.isAggregateOfValue(at: range, batch) { return }
    guard String(validating: context.batch.bytes[range], as: UTF8.self) != nil else {
      throw ProcessingFailure(.decode, .decode, "the key is no UTF-8 text")
    }
    guard !context.isAggregate(at: range, batch) else { return }
    counters.count(.keyMismatch)
    if policies.keyMismatch != .warn {
      throw ProcessingFailure(
        .decode, .keyMismatch, "the key is not the aggregateId",
        action: policies.keyMismatch == .fail ? .fail : .deadLetter)
    }
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
  func isType(_ name: [UInt8], _ batch: RawSpan) -> Bool {
    if let range = envelope.eventType.range { return batch.holds(name, at: range) }
    return envelope.eventType.isComposed && eventType.utf8.elementsEqual(name)
  }

  /// Whether the aggregate's id stands in the value, and is the key.
  func isAggregateOfValue(at range: Range<Int>, _ batch: RawSpan) -> Bool {
    guard let found = envelope.aggregateID.range, let value = entry.value,
      found.lowerBound >= value.lowerBound, found.upperBound <= value.upperBound
    else { return false }
    return batch.equal(found, range)
  }

  /// Whether the aggregate's id is the key, or is not told.
  func isAggregate(at range: Range<Int>, _ batch: RawSpan) -> Bool {
    if envelope.aggregateID.isComposed {
      return aggregateID == String(decoding: self.batch.bytes[range], as: UTF8.self)
    }
    guard let found = envelope.aggregateID.range, found != range else { return true }
    return batch.equal(found, range)
  }
}
