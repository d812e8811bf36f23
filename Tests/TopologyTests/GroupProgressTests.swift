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

  private let coordinator = Coordinator()
  private let reports = Reports()

  private final class Reports: Sendable {
    private let texts = Mutex<[String]>([])
    func add(_ text: String) { texts.withLock { $0.append(text) } }
    var all: [String] { texts.withLock { $0 } }
  }

  /// Runs tasks of two partitions with three and two records, and hands them over.
  private func withTasks(
    every: Duration = .zero, afterRefusal: Duration = .zero,
    _ body: (GroupProgress, [StreamTask]) throws -> Void
  ) throws {
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
      options: RunOptions(), clock: VirtualClock(), report: { _ in })
    defer { engine.close() }
    try engine.run(commitEvery: 10)
    let groups = GroupProgress(
      "group", log: coordinator, every: every, afterRefusal: afterRefusal,
      report: { [reports] in reports.add($0) })
    try body(groups, engine.tasks)
  }

  @Test("all tasks are told of at once, and the end does not wait for its turn")
  func together() throws {
    try withTasks(every: .seconds(3_600)) { groups, tasks in
      for task in tasks { groups.note(task.positions, of: task.state) }
      groups.start()
      while coordinator.commits.isEmpty {}
      #expect(coordinator.commits == [[TopicPartition("in", 0): 3, TopicPartition("in", 1): 2]])
      groups.note(tasks[1].positions, of: tasks[1].state)
      groups.end(atMost: .seconds(60))
      #expect(coordinator.commits.last == [TopicPartition("in", 1): 2])
      #expect(coordinator.attempts == 2)
    }
  }

  @Test("nothing new is nothing said")
  func nothing() throws {
    try withTasks { groups, _ in
      groups.start()
      groups.end(atMost: .seconds(60))
      #expect(coordinator.attempts == 0)
    }
  }

  @Test("a group that refuses is reported once, left alone, and not waited for at the end")
  func refusal() throws {
    try withTasks(afterRefusal: .seconds(3_600)) { groups, tasks in
      coordinator.refuse(true)
      groups.note(tasks[0].positions, of: tasks[0].state)
      groups.start()
      while coordinator.attempts == 0 {}
      groups.note(tasks[1].positions, of: tasks[1].state)
      groups.end(atMost: .seconds(60))
      #expect(coordinator.attempts == 1)
      #expect(
        reports.all == ["consumer group 'group' was not told the positions: there are members"])
    }
  }

  @Test("a group that listens again is told everything")
  func returns() throws {
    try withTasks { groups, tasks in
      coordinator.refuse(true)
      for task in tasks { groups.note(task.positions, of: task.state) }
      groups.start()
      while coordinator.attempts < 3 {}
      coordinator.refuse(false)
      while coordinator.commits.isEmpty {}
      groups.end(atMost: .seconds(60))
      #expect(
        coordinator.commits.first == [TopicPartition("in", 0): 3, TopicPartition("in", 1): 2])
      #expect(reports.all.count == 2)
      #expect(reports.all.last == "consumer group 'group' is told the positions again")
    }
  }
}
