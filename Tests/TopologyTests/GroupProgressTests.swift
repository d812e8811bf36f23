import Foundation
import StreamCore
import Synchronization
import Testing
import Topology
import TopologyTesting

/// How often, and of what, a consumer group hears.
@Suite("Group progress")
struct GroupProgressTests {
  /// A group's coordinator that may refuse.
  private final class Coordinator: GroupOffsets {
    private let state = Mutex<(commits: [[TopicPartition: Offset]], attempts: Int, refuses: Bool)>(
      ([], 0, false))
    var commits: [[TopicPartition: Offset]] { state.withLock { $0.commits } }
    var attempts: Int { state.withLock { $0.attempts } }

    func refuse(_ refuses: Bool) { state.withLock { $0.refuses = refuses } }

    func committed(group: String, _ partitions: [TopicPartition]) -> [TopicPartition: Offset] {
      [:]
    }
    func commit(group: String, _ positions: [TopicPartition: Offset]) throws(LogError) {
      let refuses = state.withLock { state in
        state.attempts += 1
        if !state.refuses { state.commits.append(positions) }
        return state.refuses
      }
      if refuses { throw LogError(.failed, "there are members") }
    }
    func delete(group: String, _ partitions: [TopicPartition]) {}
  }

  private let clock = VirtualClock()
  private let coordinator = Coordinator()
  private let reports = Reports()

  private final class Reports: Sendable {
    private let texts = Mutex<[String]>([])
    func add(_ text: String) { texts.withLock { $0.append(text) } }
    var all: [String] { texts.withLock { $0 } }
  }

  /// Runs tasks of two partitions with three and two records, and hands them over.
  private func withTasks(_ body: (GroupProgress, [StreamTask]) throws -> Void) throws {
    let log = SimulatedLog()
    try log.administration?.createTopic("in", partitions: 2, retention: TopicRetention())
    let records = (0..<5).map { ProducerRecord(key: [0x6b], value: [1], partition: $0 % 2) }
    _ = try log.makeAppender().append(records, to: "in")
    let builder = StreamsBuilder("progress")
    builder.stream("in", key: StringSerde(), value: BytesSerde()).groupByKey()
      .count(named: "counts").view()
    let root = NSTemporaryDirectory() + "projector-progress-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: root) }
    let engine = try ManualEngine(
      try builder.build(), log: log, directory: StateDirectory(root: root, topology: "progress"),
      options: RunOptions(), clock: clock, report: { _ in })
    defer { engine.close() }
    try engine.run(commitEvery: 10)
    let groups = GroupProgress(
      "group", log: coordinator, clock: clock, report: { [reports] in reports.add($0) })
    try body(groups, engine.tasks)
  }

  @Test("all tasks of a thread are told of at once, and once a second")
  func onceASecond() throws {
    try withTasks { groups, tasks in
      for task in tasks { groups.note(task) }
      try groups.tellWhereDue()
      #expect(coordinator.commits == [[TopicPartition("in", 0): 3, TopicPartition("in", 1): 2]])
      groups.note(tasks[1])
      clock.advance(by: .milliseconds(999))
      try groups.tellWhereDue()
      #expect(coordinator.commits.count == 1)
      clock.advance(by: .milliseconds(1))
      try groups.tellWhereDue()
      #expect(coordinator.commits.last == [TopicPartition("in", 1): 2])
      // Nothing new, nothing said; the end does not wait for a second to pass.
      clock.advance(by: .seconds(1))
      try groups.tellWhereDue()
      #expect(coordinator.attempts == 2)
      groups.note(tasks[0])
      try groups.tellAtEnd()
      #expect(coordinator.commits.last == [TopicPartition("in", 0): 3])
    }
  }

  @Test("a group that refuses is reported once and asked every 30 seconds")
  func refusal() throws {
    try withTasks { groups, tasks in
      coordinator.refuse(true)
      groups.note(tasks[0])
      try groups.tellWhereDue()
      clock.advance(by: .milliseconds(29_999))
      try groups.tellWhereDue()
      try groups.tellAtEnd()
      #expect(coordinator.attempts == 1)
      clock.advance(by: .milliseconds(1))
      try groups.tellWhereDue()
      #expect(coordinator.attempts == 2)
      #expect(
        reports.all == ["consumer group 'group' was not told the positions: there are members"])
      coordinator.refuse(false)
      clock.advance(by: .seconds(30))
      try groups.tellWhereDue()
      #expect(coordinator.commits == [[TopicPartition("in", 0): 3]])
      #expect(reports.all.last == "consumer group 'group' is told the positions again")
    }
  }
}
