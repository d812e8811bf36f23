import Glibc
import StateStore
public import StreamCore
public import Topology

/// Runs a topology in the calling thread, on a log in memory and state in a temporary directory:
/// the same tasks, commits and outbox as in production, without a broker, threads or time.
///
///     let driver = try TopologyTestDriver(orderProjections())
///     try driver.send("{\"orderId\":\"o-1\", …}", key: "o-1", headers: ["eventType": "ORDER_CREATED"],
///       to: "order-events")
///     #expect(try driver.row("orders", key: "o-1") == "{\"orderId\":\"o-1\", …}")
public final class TopologyTestDriver {
  public let topology: Topology
  public let log: SimulatedLog
  public let clock: VirtualClock
  /// What the engine told its operator, oldest first.
  public var messages: [String] { notes.all }

  /// Of the state.
  package let directory: String
  private let partitions: Int
  private let commitEvery: Int
  private var running: ManualEngine?
  private let notes = Notes()
  private let options: RunOptions

  /// - Parameters:
  ///   - partitions: of each source topic that `log` does not have yet.
  ///   - commitEvery: commits after so many records, and always once the input runs dry.
  public init(
    _ topology: Topology, partitions: Int = 1, commitEvery: Int = .max,
    log: SimulatedLog? = nil
  ) throws {
    self.topology = topology
    self.partitions = partitions
    self.commitEvery = commitEvery
    self.log = log ?? SimulatedLog()
    clock = VirtualClock()
    directory = try Self.makeTemporaryDirectory()
    for topic in topology.sources.map(\.topic) where try self.log.topic(topic) == nil {
      try self.log.administration?.createTopic(
        topic, partitions: partitions, retention: TopicRetention())
    }
    options = RunOptions()
    running = try Self.start(topology, self.log, directory, options, clock, notes)
  }

  deinit {
    running?.close()
    running = nil
    // Nothing is left to tell a failure to; a directory in /tmp is all that would remain.
    do { try StateDirectory.removeTree(directory) } catch { return }
  }

  // MARK: Given and when

  /// Appends a record and processes all there is.
  @discardableResult
  public func send(
    _ value: String?, key: String?, headers: KeyValuePairs<String, String> = [:],
    at time: Timestamp? = nil, to topic: String, partition: Int? = nil
  ) throws -> AppendResult {
    let result = try append(
      [
        ProducerRecord(
          key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) },
          headers: headers.map { Header($0.key, $0.value) }, timestamp: time ?? clock.now(),
          partition: partition)
      ], to: topic)
    try run()
    return result[0]
  }

  /// Appends records without processing them yet.
  @discardableResult
  public func append(_ records: [ProducerRecord], to topic: String) throws -> [AppendResult] {
    try log.makeAppender().append(records, to: topic)
  }

  /// Processes and commits all there is, and sends what the outboxes hold.
  public func run() throws { try engine.run(commitEvery: commitEvery) }

  /// Processes all there is and ends time: windows close, timers fire, what comes later is late.
  public func endTime() throws {
    engine.endTime()
    try run()
  }

  /// As ``endTime()`` with only so many units of it, all committed: what a stop in the middle leaves.
  package func endTime(units: Int) throws {
    engine.endTime()
    try engine.process(units)
    try engine.commit()
  }

  /// Processes up to `records` records and commits nothing of them.
  public func process(_ records: Int) throws { try engine.process(records) }

  /// Drops everything since the last commit, as a crash does, and starts again from disk.
  public func crash() throws {
    running?.close()
    // The state is closed with the last reference to its task.
    running = nil
    running = try Self.start(topology, log, directory, options, clock, notes)
  }

  // MARK: Then

  /// Records sent to a topic, in order of partition and offset.
  public func output(_ topic: String) throws -> [ConsumerRecord] {
    guard let description = try log.topic(topic) else { return [] }
    return try (0..<description.partitions).flatMap { partition in
      try read(TopicPartition(topic, partition))
    }
  }

  /// The row of a key as JSON text; `nil` where there is none.
  public func row(_ view: String, key: String) throws -> String? {
    try rows(view)[key]
  }

  /// All rows of a view or store as text by the text of their keys.
  public func rows(_ view: String) throws -> [String: String] {
    try engine.rows(view)
  }

  /// Keys of the rows with these values in an index, in the index's order within a partition.
  public func keys(_ view: String, index: String, _ values: String...) throws -> [String] {
    try engine.keys(view, index: index, values: values)
  }

  /// How often each fate and label was counted, over all tasks; zeros are left out.
  public var counters: [String: Int64] { engine.counters }

  /// Kept dead letters, in order of task and number.
  public func deadLetters() throws -> [DeadLetterSummary] {
    try engine.deadLetters().map(DeadLetterSummary.init)
  }

  /// Records that wait, for their row or behind a dead letter of their key.
  public func heldRecords() throws -> [DeadLetterSummary] {
    try engine.heldRecords().map(DeadLetterSummary.init)
  }

  /// Processes all dead letters again, but for those of another content under a known id, and all
  /// that follows from it.
  public func retryDeadLetters() throws {
    try engine.retryDeadLetters()
    try run()
  }

  /// As ``retryDeadLetters()`` with only so many units of what follows, all committed: what a stop in
  /// the middle leaves.
  package func retryDeadLetters(units: Int) throws {
    try engine.retryDeadLetters(following: units - 1)
  }

  /// Decides one entry of the first task by its number, and runs all that follows from it.
  ///
  /// - Returns: what became of it; `nil` where there is none.
  @discardableResult
  package func decide(_ kind: KeptDecision, _ number: Int64) throws -> Counter? {
    let fate = try engine.decide(kind, number)
    try run()
    return fate
  }

  /// Units run since the state was begun.
  package var units: Int64 { engine.units }

  /// Numbers of the kept dead letters.
  package func deadLetterNumbers() throws -> [Int64] { try engine.deadLetterNumbers() }

  /// Resolves all dead letters without processing them.
  public func skipDeadLetters() throws {
    try engine.skipDeadLetters()
    try run()
  }

  private var engine: ManualEngine {
    guard let running else { preconditionFailure("the last restart of the driver failed") }
    return running
  }

  private func read(_ partition: TopicPartition) throws -> [ConsumerRecord] {
    let offsets = try log.offsets(of: partition)
    let reader = try log.makeReader(ReaderOptions())
    defer { reader.close() }
    try reader.assign([partition: offsets.lowerBound])
    var records: [ConsumerRecord] = []
    var position = offsets.lowerBound
    while position < offsets.upperBound {
      for batch in try reader.poll(timeout: .zero) {
        records += (0..<batch.count).map(batch.record)
        position = batch.nextOffset
      }
    }
    return records
  }

  private static func start(
    _ topology: Topology, _ log: SimulatedLog, _ directory: String, _ options: RunOptions,
    _ clock: VirtualClock, _ notes: Notes
  ) throws -> ManualEngine {
    try ManualEngine(
      topology, log: log, directory: StateDirectory(root: directory, topology: topology.name),
      options: options, clock: clock, report: { notes.add($0) })
  }

  private static func makeTemporaryDirectory() throws -> String {
    var template = Array("/tmp/projector-test-XXXXXX".utf8CString)
    let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let path = buffer.baseAddress else { return false }
      return unsafe mkdtemp(path) != nil
    }
    guard made else { throw LogError(.failed, "cannot create a directory in /tmp") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// What a test may say of a dead letter or of a record that waits.
public struct DeadLetterSummary: Hashable, Sendable {
  /// The label under which it is counted, as `decode`; `missingRow` or `parked` of one that waits.
  public let reason: String
  public let message: String
  public let operatorName: String
  public let record: ConsumerRecord
  public let attempts: Int
  /// Whether later records of its key wait behind it.
  public let parks: Bool
  /// Whether it waits and is no dead letter.
  public let isHeld: Bool

  package init(_ kept: KeptRecord) {
    switch kept.why {
    case .failed(let reason, let message, let parks):
      (self.reason, self.message, self.parks, isHeld) = (reason, message, parks, false)
    case .missingRow: (reason, message, parks, isHeld) = ("missingRow", "", false, true)
    case .missingNumber:
      (reason, message, parks, isHeld) = ("missingNumber", "", false, true)
    case .parked: (reason, message, parks, isHeld) = ("parked", "", false, true)
    }
    operatorName = kept.operatorName
    record = kept.record
    attempts = kept.attempts
  }
}
