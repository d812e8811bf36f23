import StateStore
import StreamCore

/// What an operator may know of the record being processed, beside its key and value.
///
/// One object a task, reused for each record: read it inside the call it was given to, never keep
/// it. Text is decoded only when asked for.
public final class RecordContext {
  /// What changes with each record.
  struct Fields {
    var timestamp = Timestamp.epoch
    var hasTime = false
    var streamTime: Timestamp?
    var schemaVersion = 1
    var sequenceNumber: Int64?
    var index = 0
    var entry = RecordBatch.Entry.none
    /// The envelope's time, once it was asked for.
    var occurredAt: Instant?
    var envelope = ResolvedEnvelope()
    var idHash = Hash128.zero
    var hasDurableID = false
    var isIdentified = false
    var valueHash: UInt64 = 0
    var outcome = UnitOutcome()
    var emitted = 0
    var orderTime: Timestamp?
    var hasComposedID = false
    var typeOfTombstone = false
    var isAhead = false
  }
  // Behind a pointer, because each access to a variable of a class is checked at run time, and
  // there are dozens a record. Invariant: one value of plain fields, made in `init` and freed in
  // `deinit`; the context belongs to its task's thread.
  private let fields: UnsafeMutablePointer<Fields>

  /// ``timestamp``; `nil` of a record that has none.
  var knownTime: Timestamp? {
    unsafe fields.pointee.hasTime ? fields.pointee.timestamp : nil
  }

  /// Event time: the envelope's where the source declares it, else the record's timestamp.
  public package(set) var timestamp: Timestamp {
    get { unsafe fields.pointee.timestamp }
    set {
      unsafe fields.pointee.timestamp = newValue
      unsafe fields.pointee.hasTime = true
    }
  }
  /// The task's stream time: the highest time that any of its records was ordered by; `nil` before
  /// the first.
  public package(set) var streamTime: Timestamp? {
    get { unsafe fields.pointee.streamTime }
    set { unsafe fields.pointee.streamTime = newValue }
  }
  /// The schema version the record arrived in, before upcasting.
  public internal(set) var schemaVersion: Int {
    get { unsafe fields.pointee.schemaVersion }
    set { unsafe fields.pointee.schemaVersion = newValue }
  }
  public internal(set) var sequenceNumber: Int64? {
    get { unsafe fields.pointee.sequenceNumber }
    set { unsafe fields.pointee.sequenceNumber = newValue }
  }
  private(set) var index: Int {
    get { unsafe fields.pointee.index }
    set { unsafe fields.pointee.index = newValue }
  }
  /// Where the record's parts lie in the batch.
  var entry: RecordBatch.Entry { unsafe fields.pointee.entry }
  var envelope: ResolvedEnvelope {
    _read { yield unsafe fields.pointee.envelope }
    _modify { yield unsafe &fields.pointee.envelope }
  }
  /// The same id as in the seen ids: 128 bits of the id's text, scoped.
  var idHash: Hash128 {
    get { unsafe fields.pointee.idHash }
    set { unsafe fields.pointee.idHash = newValue }
  }
  /// The id's hash is found; the task will look it up a little later.
  func identify(as hash: Hash128) {
    unsafe fields.pointee.idHash = hash
    ids?.expect(hash)
  }
  var hasDurableID: Bool {
    get { unsafe fields.pointee.hasDurableID }
    set { unsafe fields.pointee.hasDurableID = newValue }
  }
  /// Whether the record's id was looked for; until then ``idHash`` says nothing.
  var isIdentified: Bool {
    get { unsafe fields.pointee.isIdentified }
    set { unsafe fields.pointee.isIdentified = newValue }
  }
  /// 64 bits of the hash of the value's bytes; 0 for a tombstone.
  private(set) var valueHash: UInt64 {
    get { unsafe fields.pointee.valueHash }
    set { unsafe fields.pointee.valueHash = newValue }
  }
  /// What the unit has done so far.
  var outcome: UnitOutcome {
    get { unsafe fields.pointee.outcome }
    set { unsafe fields.pointee.outcome = newValue }
  }
  /// Some store, sink or outbox takes the record.
  @usableFromInline
  func markApplied() { unsafe fields.pointee.outcome.applied = true }
  /// The time by which the record was taken, which moves the task's clock; `nil` for one without.
  var orderTime: Timestamp? {
    get { unsafe fields.pointee.orderTime }
    set { unsafe fields.pointee.orderTime = newValue }
  }
  /// Whether the id was put together from aggregate and sequence number: a guess.
  var hasComposedID: Bool {
    get { unsafe fields.pointee.hasComposedID }
    set { unsafe fields.pointee.hasComposedID = newValue }
  }
  /// Whether the event is a tombstone, whose type its source declares.
  var typeOfTombstone: Bool {
    get { unsafe fields.pointee.typeOfTombstone }
    set { unsafe fields.pointee.typeOfTombstone = newValue }
  }
  /// Whether its event time lies too far after the log's, and the stream's takes its place.
  var isAhead: Bool {
    get { unsafe fields.pointee.isAhead }
    set { unsafe fields.pointee.isAhead = newValue }
  }
  /// Records that operators emitted in this unit, for their deterministic ids.
  var emitted: Int {
    get { unsafe fields.pointee.emitted }
    set { unsafe fields.pointee.emitted = newValue }
  }

  // Not checked at run time either: nothing here calls back while one of them is changed.
  @exclusivity(unchecked) private(set) var batch: RecordBatch
  @exclusivity(unchecked) private var composed: [EnvelopeField: String] = [:]
  /// Whether the task holds records at all, and operators that created a row in this unit: their
  /// held records of the key are released after it.
  @exclusivity(unchecked) var hasHeldRecords = false
  @exclusivity(unchecked) var createdRows: [String] = []
  let counters: TaskCounters
  /// Those of the running record's source; `nil` where records are only looked at.
  @exclusivity(unchecked) var ids: SeenIDs?
  private let log: @Sendable (String) -> Void

  init(
    counters: TaskCounters, log: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.counters = counters
    self.log = log
    batch = RecordBatch(TopicPartition("", 0), nextOffset: 0)
    unsafe fields = .allocate(capacity: 1)
    unsafe fields.initialize(to: Fields())
  }

  deinit { unsafe fields.deallocate() }

  /// Tells the operator of the process; the record goes on.
  func warn(_ message: String) { log(message) }

  /// Points at a batch; the records of it are then selected one after another.
  func load(_ batch: RecordBatch) { self.batch = batch }

  /// Points at a record of the loaded batch.
  func select(_ index: Int) {
    let entry = batch.entries[index]
    unsafe fields.pointee.index = index
    unsafe fields.pointee.entry = entry
    if let value = entry.value {
      let bytes = batch.bytes
      valueHash = hash64(bytes.span.bytes.extracting(value))
    } else {
      valueHash = 0
    }
    restart()
  }

  /// Forgets what a first try of the same record did.
  func restart() {
    var fresh = Fields()
    fresh.entry = entry
    fresh.timestamp = fresh.entry.timestamp ?? Timestamp(milliseconds: .min)
    fresh.hasTime = fresh.entry.timestamp != nil
    fresh.streamTime = streamTime
    fresh.index = index
    fresh.valueHash = valueHash
    unsafe fields.pointee = fresh
    if !composed.isEmpty { composed = [:] }
    if !createdRows.isEmpty { createdRows.removeAll(keepingCapacity: true) }
  }

  public var topicPartition: TopicPartition { batch.topicPartition }
  public var offset: Offset { entry.offset }

  /// The event's id by the source's rules; `topic:partition:offset` where no other yields one.
  public var eventID: String {
    text(envelope.eventID, .eventID)
      ?? "\(batch.topicPartition.topic):\(batch.topicPartition.partition):\(offset)"
  }
  /// Empty for sources that do not dispatch on types.
  public var eventType: String { text(envelope.eventType, .eventType) ?? "" }
  public var aggregateID: String? { text(envelope.aggregateID, .aggregateID) }
  public var aggregateType: String? { text(envelope.aggregateType, .aggregateType) }
  public var correlationID: String? { text(envelope.correlationID, .correlationID) }

  /// The envelope's time.
  ///
  /// - Throws: ``StreamCore/SerdeError`` for text that is no time.
  public func occurredAt() throws -> Instant? {
    if let known = unsafe fields.pointee.occurredAt { return known }
    let time = try parsedOccurredAt()
    unsafe fields.pointee.occurredAt = time
    return time
  }

  private func parsedOccurredAt() throws -> Instant? {
    do {
      if envelope.occurredAt.isComposed, let text = composed[.occurredAt] {
        return try Instant(parsing: text)
      }
      guard let range = envelope.occurredAt.range else { return nil }
      let bytes = batch.bytes
      return try Instant(parsing: bytes.span.bytes, in: range)
    } catch {
      throw SerdeError(error.description, path: "occurredAt")
    }
  }

  /// The record's headers in order.
  public var headers: [Header] {
    EncodedHeaders.decode(batch.bytes[entry.headers])
  }

  /// Lends the bytes of the event's payload as they arrived, before upcasting.
  public func withPayload<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
    let bytes = batch.bytes
    return try body(bytes.span.bytes.extracting(envelope.payload.range ?? 0..<0))
  }

  /// The record as a value of its own.
  public var record: ConsumerRecord { batch.record(at: index) }

  /// Takes the record's place as its id, for one whose own id is another's.
  func identifyByPosition() {
    let place = "\(batch.topicPartition.topic):\(batch.topicPartition.partition):\(offset)"
    idHash = Hash128(Array(place.utf8).span.bytes, scope: idHash.high)
    hasDurableID = false
  }

  /// Those of the source whose record this is.
  @exclusivity(unchecked) var policies = SourcePolicies()
  /// Whether an aggregate's id takes the place of a missing key.
  @exclusivity(unchecked) var keysByAggregate = false
  /// The key under which the record waits or holds others up.
  var waitingKey: ArraySlice<UInt8>? {
    if let range = entry.key { return batch.bytes[range] }
    guard keysByAggregate, let aggregate = aggregateID else { return nil }
    return Array(aggregate.utf8)[...]
  }

  /// Whose order the record belongs to.
  var order: KeptKey { KeptKey(topic: topicPartition.topic, key: Array(waitingKey ?? [])) }
  /// Whether it was kept before, and not for its number: that has come.
  @exclusivity(unchecked) var isReleased = false

  /// Keeps text of a field that does not stand in the record as it is.
  func compose(_ field: EnvelopeField, _ text: String) { composed[field] = text }

  private func text(_ range: FieldRange, _ field: EnvelopeField) -> String? {
    if range.isComposed { return composed[field] }
    guard let range = range.range else { return nil }
    return String(decoding: batch.bytes[range], as: UTF8.self)
  }
}

/// What one unit did, by which its record's fate is told.
struct UnitOutcome {
  /// Some store, sink or outbox took it.
  var applied = false
  /// Some operator found it late.
  var late = false
  /// No handler takes events of its type, or there was no row to update.
  var ignored = false
}
