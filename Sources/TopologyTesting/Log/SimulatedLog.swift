public import StreamCore
import Synchronization

/// A log in memory that does exactly what a test tells it to, with every capability.
///
/// Whatever is not told otherwise is deterministic: records without a key go round the partitions,
/// records without a time get a clock that counts calls. A record is taken at its own timestamp,
/// and one that had none at no known time, until ``setTime(_:)``. Beside the contract it has controls for
/// what real logs do at bad times: see ``withhold(_:from:)``, ``insertHidden(_:count:)``,
/// ``removeStart(of:before:)``, ``diverge(_:at:)``, ``hideEnd(of:_:)``, ``fail(_:call:with:)``.
public final class SimulatedLog: RecordLog {
  /// What a call may be made to fail at.
  public enum Operation: Hashable, Sendable, CaseIterable {
    case topics, offsets, assign, poll, append, transaction, groupOffsets
  }

  public enum Capability: Hashable, Sendable, CaseIterable {
    case administration, groupOffsets, idempotentAppends, expectedSequenceAppends, transactions
  }

  struct Topic {
    var retention: TopicRetention
    var partitions: [SimulatedPartition]
  }

  struct State {
    var topics: [String: Topic] = [:]
    var groups: [String: [TopicPartition: Offset]] = [:]
    var sequences: [String: [[UInt8]: Int64]] = [:]
    var producers: [String: (sequence: Int64, results: [AppendResult])] = [:]
    var epochs: [String: Int] = [:]
    var calls: [Operation: Int] = [:]
    var failures: [Operation: [Int: LogError]] = [:]
    var clock: Int64 = 0
    /// The log's time as a test set it.
    var now: Timestamp?
    var recordBytesMax = 64 << 20
    var appendBytesMax = 256 << 20
    var nextKeyless = 0
    var random: SplitMix64?
  }

  public let url: String
  private let capabilities: Set<Capability>
  private let state = Mutex(State())
  let changes = ChangeSignal()

  /// - Parameters:
  ///   - capabilities: which capabilities it has.
  ///   - seed: with a seed readers get batches of odd sizes, from none to all there is.
  public init(
    url: String = "simulated:", capabilities: Set<Capability> = Set(Capability.allCases),
    seed: UInt64? = nil
  ) {
    self.url = url
    self.capabilities = capabilities
    state.withLock { $0.random = seed.map { SplitMix64(seed: $0) } }
  }

  /// Runs `body` as one call of `operation`, which may have been told to fail.
  func call<Result: Sendable>(
    _ operation: Operation, _ body: (inout State) throws(LogError) -> sending Result
  ) throws(LogError) -> Result {
    try state.withLock { state throws(LogError) in
      let number = state.calls[operation, default: 0] + 1
      state.calls[operation] = number
      if let failure = state.failures[operation]?.removeValue(forKey: number) { throw failure }
      return try body(&state)
    }
  }

  /// Changes a partition for a test and wakes readers.
  private func change(
    _ topicPartition: TopicPartition, _ body: (inout SimulatedPartition) -> Void
  ) {
    state.withLock { state in
      guard var topic = state.topics[topicPartition.topic],
        topic.partitions.indices.contains(topicPartition.partition)
      else { preconditionFailure("there is no \(topicPartition)") }
      body(&topic.partitions[topicPartition.partition])
      state.topics[topicPartition.topic] = topic
    }
    changes.signal()
  }

  // MARK: Controls

  /// What is appended from now on is taken by the log at this time, whatever time a record bears,
  /// and ages are counted to it; `nil` takes each record at its own timestamp again, and then
  /// nothing has an age.
  public func setTime(_ now: Timestamp?) {
    state.withLock { $0.now = now }
  }

  /// What the log takes at most, as ``StreamCore/ProducerRecord/byteCount`` counts it.
  public func limit(recordBytes: Int, appendBytes: Int) {
    precondition(recordBytes <= appendBytes, "an append takes the largest record")
    state.withLock {
      $0.recordBytesMax = recordBytes
      $0.appendBytesMax = appendBytes
    }
  }

  /// Removes now what is beyond each topic's retention, instead of with the next append.
  public func applyRetention() {
    state.withLock { state in
      for (name, topic) in state.topics {
        for partition in topic.partitions.indices {
          state.topics[name]?.partitions[partition].retain(topic.retention, now: state.now)
        }
      }
    }
    changes.signal()
  }

  /// Readers get nothing at or beyond `offset`, though the end says that there is more, as when a
  /// fetch is slow; `nil` delivers again.
  public func withhold(_ topicPartition: TopicPartition, from offset: Offset?) {
    change(topicPartition) { $0.withheldFrom = offset }
  }

  /// Puts offsets that no reader sees behind the last record: control records, or the records of
  /// an aborted transaction.
  public func insertHidden(_ topicPartition: TopicPartition, count: Int = 1) {
    change(topicPartition) { $0.appendHidden(count) }
  }

  /// Removes all records before `offset`, as retention does.
  public func removeStart(of topicPartition: TopicPartition, before offset: Offset) {
    change(topicPartition) { $0.removeAll(before: offset) }
  }

  /// Removes all records from `offset` on, as an unclean leader election does: what is appended
  /// then takes their offsets, and a reader beyond finds the log diverged.
  public func diverge(_ topicPartition: TopicPartition, at offset: Offset) {
    change(topicPartition) { $0.removeAll(from: offset) }
  }

  /// Whether batches leave out where the end is, as before a first answer of a broker.
  public func hideEnd(of topicPartition: TopicPartition, _ hidden: Bool) {
    change(topicPartition) { $0.endIsKnown = !hidden }
  }

  /// The `call`th call of an operation from now on fails, once; the first is 1.
  public func fail(_ operation: Operation, call: Int = 1, with error: LogError) {
    precondition(call > 0, "calls are counted from 1")
    state.withLock { state in
      let number = state.calls[operation, default: 0] + call
      state.failures[operation, default: [:]][number] = error
    }
  }

  // MARK: RecordLog

  public var recordBytesMax: Int { state.withLock { $0.recordBytesMax } }
  public var appendBytesMax: Int { state.withLock { $0.appendBytesMax } }

  public func topics() throws(LogError) -> [TopicDescription] {
    try call(.topics) { state throws(LogError) in
      state.topics.keys.sorted().compactMap { state.describe($0) }
    }
  }

  public func topic(_ name: String) throws(LogError) -> TopicDescription? {
    try call(.topics) { state throws(LogError) in state.describe(name) }
  }

  public func offsets(of topicPartition: TopicPartition) throws(LogError) -> Range<Offset> {
    try call(.offsets) { state throws(LogError) in
      let partition = try state.partition(topicPartition)
      return partition.start..<partition.end
    }
  }

  /// One call, as of one.
  public func offsets(
    of topicPartitions: [TopicPartition]
  ) throws(LogError) -> [TopicPartition: Range<Offset>] {
    try call(.offsets) { state throws(LogError) in
      var offsets: [TopicPartition: Range<Offset>] = [:]
      for place in topicPartitions {
        let partition = try state.partition(place)
        offsets[place] = partition.start..<partition.end
      }
      return offsets
    }
  }

  public func topics(
    named names: some Collection<String>
  ) throws(LogError) -> [String: TopicDescription] {
    let names = Array(names)
    return try call(.topics) { state throws(LogError) in
      var found: [String: TopicDescription] = [:]
      for name in names { found[name] = state.describe(name) }
      return found
    }
  }

  public func offset(
    of topicPartition: TopicPartition, at time: Timestamp
  ) throws(LogError) -> Offset? {
    try call(.offsets) { state throws(LogError) in
      try state.partition(topicPartition).offset(at: time)
    }
  }

  public func makeReader(_ options: ReaderOptions) throws(LogError) -> any RecordReader {
    SimulatedReader(self, options)
  }

  public func makeAppender() throws(LogError) -> any RecordAppender { SimulatedAppender(self) }

  public var administration: (any TopicAdministration)? {
    capabilities.contains(.administration) ? SimulatedAppender(self) : nil
  }
  public var groupOffsets: (any GroupOffsets)? {
    capabilities.contains(.groupOffsets) ? SimulatedAppender(self) : nil
  }
  public var idempotentAppends: (any IdempotentAppends)? {
    capabilities.contains(.idempotentAppends) ? SimulatedAppender(self) : nil
  }
  public var expectedSequenceAppends: (any ExpectedSequenceAppends)? {
    capabilities.contains(.expectedSequenceAppends) ? SimulatedAppender(self) : nil
  }
  public var transactions: (any TransactionalAppends)? {
    capabilities.contains(.transactions) ? SimulatedAppender(self) : nil
  }

  public func close() {}
}

extension SimulatedLog.State {
  func describe(_ name: String) -> TopicDescription? {
    topics[name].map {
      TopicDescription(name: name, partitions: $0.partitions.count, retention: $0.retention)
    }
  }

  func partition(_ place: TopicPartition) throws(LogError) -> SimulatedPartition {
    guard let topic = topics[place.topic] else {
      throw LogError(.topicMissing, "there is no topic '\(place.topic)'; create it first")
    }
    guard topic.partitions.indices.contains(place.partition) else {
      throw LogError(
        .partitionMissing,
        "the topic '\(place.topic)' has \(topic.partitions.count) partitions, no \(place.partition)"
      )
    }
    return topic.partitions[place.partition]
  }

  /// Where each record goes; nothing is appended yet.
  mutating func places(
    _ records: [(topic: String, record: ProducerRecord)]
  ) throws(LogError) -> [TopicPartition] {
    var places: [TopicPartition] = []
    for (name, record) in records {
      guard let count = topics[name]?.partitions.count else {
        throw LogError(.topicMissing, "there is no topic '\(name)'; create it first")
      }
      let number: Int
      if let wanted = record.partition {
        number = wanted
      } else if let key = record.key {
        number = StreamCore.partition(forKey: key, count: count)
      } else {
        number = nextKeyless % count
        nextKeyless += 1
      }
      let place = TopicPartition(name, number)
      _ = try partition(place)
      places.append(place)
    }
    return places
  }

  mutating func append(
    _ records: [(topic: String, record: ProducerRecord)]
  ) throws(LogError) -> [AppendResult] {
    let places = try places(records)
    try checkSizes(records)
    clock += 1
    var results: [AppendResult] = []
    for (place, (_, record)) in zip(places, records) {
      let stored = ConsumerRecord(
        topicPartition: place, offset: 0,
        timestamp: record.timestamp ?? Timestamp(milliseconds: clock), key: record.key,
        value: record.value, headers: record.headers)
      let offset = topics[place.topic]?.partitions[place.partition].append(
        stored, taken: now ?? record.timestamp)
      results.append(AppendResult(topicPartition: place, offset: offset ?? 0))
    }
    for place in Set(places) {
      guard let retention = topics[place.topic]?.retention else { continue }
      topics[place.topic]?.partitions[place.partition].retain(retention, now: now)
    }
    return results
  }

  private func checkSizes(
    _ records: [(topic: String, record: ProducerRecord)]
  ) throws(LogError) {
    var sum = 0
    for (topic, record) in records {
      let size = record.byteCount
      sum += size
      guard size <= recordBytesMax, sum <= appendBytesMax else {
        throw LogError(
          .recordRejected,
          "a record of \(size) bytes for '\(topic)', with those before it \(sum), is beyond "
            + "\(recordBytesMax) a record or \(appendBytesMax) an append")
      }
    }
  }
}
