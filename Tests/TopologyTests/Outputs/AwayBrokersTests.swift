import Foundation
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// A broker that is away keeps a call for as long as it likes: none of a task's loop.
@Suite("Brokers that are away")
struct AwayBrokersTests {
  @Test("neither an append nor a commit of the group that does not return holds a loop up")
  func hanging() throws {
    let site = try OutputSite()
    try site.log.administration?.createTopic("out", partitions: 1, retention: TopicRetention())
    let log = HangingLog(site.log)
    let owner = try TopologyOwner(
      try OutputSite.topology(), stateRoot: "\(site.root)/s", log: log, options: RunOptions(),
      clock: VirtualClock(), report: { _ in })
    try site.send(0..<1)
    let running = Background { try owner.run(untilEnd: false) }
    // Both are under way, and one of each at a time.
    while log.waiting != [.append, .commit], !running.hasEnded {}
    for last in [200, 500] {
      try site.send(last - 199..<last)
      let end = try site.log.offsets(of: TopicPartition("in", 0)).upperBound
      let path = "\(site.root)/s/copies/000001/in-0"
      while try StateReader.open(path).read({ try $0.positions()["in-0"]?.position }) != end,
        !running.hasEnded
      {}
    }
    #expect(log.waiting == [.append, .commit])
    #expect(try site.values().isEmpty)
    log.comeBack()
    while try site.values().count < 399, !running.hasEnded {}
    owner.stop()
    try running.join()
    #expect(log.committed == 399)
  }
}

/// A simulated log without transactions, as Kafka is: what is appended and what a group is told
/// waits until it comes back.
private final class HangingLog: RecordLog, GroupOffsets, RecordAppender, @unchecked Sendable {
  enum Call { case append, commit }

  private let log: SimulatedLog
  // `isAway`, `calls` and `told` are guarded by `condition`.
  private let condition = NSCondition()
  private var isAway = true
  private var calls: Set<Call> = []
  private var told: Offset?

  init(_ log: SimulatedLog) { self.log = log }

  /// What does not return.
  var waiting: Set<Call> { condition.withLock { calls } }
  /// What the group was told last.
  var committed: Offset? { condition.withLock { told } }

  func comeBack() {
    condition.withLock {
      isAway = false
      condition.broadcast()
    }
  }

  private func hang(in call: Call) {
    condition.withLock {
      calls.insert(call)
      while isAway { condition.wait() }
      calls.remove(call)
    }
  }

  func append(_ records: [ProducerRecord], to topic: String) throws(LogError) -> [AppendResult] {
    hang(in: .append)
    return try log.makeAppender().append(records, to: topic)
  }

  func commit(group: String, _ positions: [TopicPartition: Offset]) throws(LogError) {
    hang(in: .commit)
    condition.withLock { told = positions[TopicPartition("in", 0)] }
  }
  func committed(group: String, _ partitions: [TopicPartition]) -> [TopicPartition: Offset] { [:] }
  func delete(group: String, _ partitions: [TopicPartition]) {}

  var url: String { log.url }
  var recordBytesMax: Int { log.recordBytesMax }
  var appendBytesMax: Int { log.appendBytesMax }
  func topics() throws(LogError) -> [TopicDescription] { try log.topics() }
  func topic(_ name: String) throws(LogError) -> TopicDescription? { try log.topic(name) }
  func offsets(of place: TopicPartition) throws(LogError) -> Range<Offset> {
    try log.offsets(of: place)
  }
  func offset(of place: TopicPartition, at time: Timestamp) throws(LogError) -> Offset? {
    try log.offset(of: place, at: time)
  }
  func makeReader(_ options: ReaderOptions) throws(LogError) -> any RecordReader {
    try log.makeReader(options)
  }
  func makeAppender() throws(LogError) -> any RecordAppender { self }
  var administration: (any TopicAdministration)? { log.administration }
  var groupOffsets: (any GroupOffsets)? { self }
  var idempotentAppends: (any IdempotentAppends)? { nil }
  var expectedSequenceAppends: (any ExpectedSequenceAppends)? { nil }
  var transactions: (any TransactionalAppends)? { nil }
  func close() {}
}
