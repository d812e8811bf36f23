import StateStore
import StreamCore

/// Reads events: envelope, upcasting, dispatch by type, decoding.
final class EventSource<Format: DocumentFormat, Event>: SourceOperator {
  let topic: String
  let policies: SourcePolicies
  let seenIDs: SeenIDRetention
  private let eventTime: EventTime
  private let types: EventTypes<Format.Reader.Document, Event>
  private let reader: Format.Reader
  /// Two more, taken in turns, for payloads that upcasters wrote.
  private let upcastReaders: [Format.Reader]
  private var upcastBytes: [[UInt8]] = [[], []]
  private var resolver: EnvelopeResolver
  private let next: Forward<String, Event>
  private let counters: TaskCounters
  private let log: @Sendable (String) -> Void

  init(
    topic: String, format: Format, types: EventTypes<Format.Reader.Document, Event>,
    resolver: EnvelopeResolver, eventTime: EventTime, policies: SourcePolicies,
    seenIDs: SeenIDRetention, counters: TaskCounters, log: @escaping @Sendable (String) -> Void,
    next: @escaping Forward<String, Event>
  ) {
    self.topic = topic
    self.policies = policies
    self.seenIDs = seenIDs
    self.eventTime = eventTime
    self.types = types
    self.resolver = resolver
    reader = format.makeReader(paths: resolver.paths)
    upcastReaders = [format.makeReader(paths: []), format.makeReader(paths: [])]
    self.counters = counters
    self.log = log
    self.next = next
  }

  func eventTime(_ batch: RecordBatch, _ index: Int) -> Timestamp? {
    let entry = batch.entries[index]
    guard eventTime == .occurredAt, let value = entry.value else { return entry.timestamp }
    let probe = RecordContext(counters: TaskCounters())
    probe.batch = batch
    probe.index = index
    // A head that cannot be decoded is ordered by its record's timestamp.
    let bytes = batch.bytes
    let occurredAt = try? reader.withDocument(bytes.span.bytes.extracting(value)) {
      _, slots in
      try resolver.resolve(probe, slots: slots, valueStart: value.lowerBound, text: reader.text)
      return try probe.occurredAt()
    }
    return (occurredAt ?? nil).map(Timestamp.init) ?? entry.timestamp
  }

  func process(_ context: RecordContext, admit: () throws -> Bool) throws {
    let entry = context.batch.entries[context.index]
    guard let value = entry.value else {
      throw ProcessingFailure(.decode, .decode, "the value is null: an event has a value")
    }
    let bytes = context.batch.bytes
    do {
      try reader.withDocument(bytes.span.bytes.extracting(value)) { root, slots in
        try resolver.resolve(context, slots: slots, valueStart: value.lowerBound, text: reader.text)
        if eventTime == .occurredAt, let instant = try context.occurredAt() {
          context.timestamp = Timestamp(instant)
        }
        guard try admit() else { return }
        let key = try checkedKey(context, entry)
        let nested = resolver.payloadIsNested(slots)
        let payload = nested.flatMap { reader.document(atPath: $0) } ?? root
        try dispatch(key, payload, context)
      }
    } catch let error as SerdeError {
      throw ProcessingFailure(.decode, .decode, error.description)
    }
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

  private func dispatch(_ key: String, _ payload: Format.Reader.Document, _ context: RecordContext)
    throws
  {
    let type = context.envelope.eventType
    guard type.range != nil || type.composed != nil else {
      throw ProcessingFailure(.decode, .decode, "eventType: is missing")
    }
    for handler in types.handlers {
      if context.isType(handler.nameBytes) { return try decode(key, payload, handler, context) }
    }
    if let any = types.anyHandler { return try next(key, try any(payload, context)) }
    try unknownType(context)
  }

  private func decode(
    _ key: String, _ payload: Format.Reader.Document,
    _ handler: EventTypes<Format.Reader.Document, Event>.Handler, _ context: RecordContext
  ) throws {
    if context.schemaVersion == handler.version {
      return try next(key, try handler.decode(payload, context))
    }
    guard context.schemaVersion < handler.version,
      handler.upcasters[context.schemaVersion] != nil
    else {
      throw ProcessingFailure(
        .decode, .unknownVersion,
        "\(handler.name) has schema version \(context.schemaVersion); versions up to "
          + "\(handler.version) are known",
        action: types.unknownVersion == .fail ? .fail : .deadLetter)
    }
    try upcast(key, payload, from: context.schemaVersion, handler, context)
  }

  /// Passes the payload through one upcaster and reads what it wrote, until it is the latest.
  private func upcast(
    _ key: String, _ payload: Format.Reader.Document, from version: Int,
    _ handler: EventTypes<Format.Reader.Document, Event>.Handler, _ context: RecordContext
  ) throws {
    guard version < handler.version else {
      return try next(key, try handler.decode(payload, context))
    }
    guard let upcaster = handler.upcasters[version] else {
      throw ProcessingFailure(
        .decode, .unknownVersion,
        "\(handler.name) has no upcaster from version \(version) to \(version + 1)",
        action: types.unknownVersion == .fail ? .fail : .deadLetter)
    }
    let turn = version % 2
    upcastBytes[turn].removeAll(keepingCapacity: true)
    try upcaster(payload, &upcastBytes[turn])
    let bytes = upcastBytes[turn]
    try upcastReaders[turn].withDocument(bytes.span.bytes) { root, _ in
      try upcast(key, root, from: version + 1, handler, context)
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
  func isType(_ name: [UInt8]) -> Bool {
    if let range = envelope.eventType.range {
      let bytes = batch.bytes
      return bytes.span.bytes.holds(name, at: range)
    }
    return envelope.eventType.composed.map { name.elementsEqual($0.utf8) } ?? false
  }

  /// Whether the aggregate's id is the key, or is not told.
  func isAggregate(_ key: String, at range: Range<Int>) -> Bool {
    if let composed = envelope.aggregateID.composed { return composed == key }
    guard let found = envelope.aggregateID.range, found != range else { return true }
    let bytes = batch.bytes
    return bytes.span.bytes.equal(found, range)
  }
}

extension RawSpan {
  /// Whether the same bytes stand at both ranges.
  func equal(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
    guard left.count == right.count else { return false }
    for index in 0..<left.count
    where unsafe unsafeLoad(fromByteOffset: left.lowerBound + index, as: UInt8.self)
      != unsafeLoad(fromByteOffset: right.lowerBound + index, as: UInt8.self)
    { return false }
    return true
  }
}
