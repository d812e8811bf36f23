import Foundation
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// The process around the tasks: threads, ownership, requests, rebuilds.
@Suite("Owner")
struct OwnerTests {
  /// A log of counts by key in 4 partitions, and a topology that counts them and copies them out.
  private final class Setting {
    let log = SimulatedLog()
    let root = NSTemporaryDirectory() + "projector-owner-" + UUID().uuidString
    let topology: Topology

    init(version: Int = 1) throws {
      topology = try Self.topology(version: version)
      try log.administration?.createTopic("in", partitions: 4, retention: TopicRetention())
    }

    static func topology(version: Int) throws -> Topology {
      let builder = StreamsBuilder("owned")
      let stream = builder.stream("in", key: StringSerde(), value: StringSerde())
      stream.filter(version: version) { $1 != "ignored" }
        .groupByKey().count(named: "counts").view()
      stream.to("out", key: StringSerde(), value: StringSerde())
      return try builder.build()
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    func send(_ count: Int, from first: Int = 0) throws {
      let records = (first..<first + count).map { number in
        ProducerRecord(
          key: Array("k\(number % 100)".utf8), value: Array("v\(number)".utf8),
          headers: [Header("eventId", "e\(number)")],
          timestamp: Timestamp(milliseconds: Int64(number)))
      }
      _ = try log.makeAppender().append(records, to: "in")
    }

    func owner(threads: Int = 2) throws -> TopologyOwner {
      var options = RunOptions()
      options.threads = threads
      options.budget.records = 300
      options.reader = ReaderOptions(batchRecordsMax: 37)
      return try TopologyOwner(
        topology, stateRoot: root, log: log, options: options, clock: SystemWallClock(),
        report: { _ in })
    }

    var directory: StateDirectory { StateDirectory(root: root, topology: "owned") }

    func askRewind() throws -> AskedRequest {
      try RequestQueue(directory).submit(
        Request(
          id: "r1", verb: "rewind",
          arguments: ["to": "earliest", "lineage": topology.fingerprint]))
    }

    /// Rows and counters as a driver on the same state sees them.
    func counts(_ changed: Topology? = nil) throws -> [String: String] {
      let engine = try ManualEngine(
        changed ?? topology, log: log, directory: directory, options: RunOptions(),
        clock: SystemWallClock(), report: { _ in })
      defer { engine.close() }
      return try engine.rows("counts")
    }

    func outputs() throws -> Int {
      // The run makes the topic.
      guard try log.topic("out") != nil else { return 0 }
      return try (0..<4).reduce(0) { try $0 + log.offsets(of: TopicPartition("out", $1)).count }
    }
  }

  @Test("a run until the end processes everything once, whatever the threads", arguments: 1...4)
  func untilEnd(threads: Int) throws {
    let setting = try Setting()
    try setting.send(5_000)
    try setting.owner(threads: threads).run(untilEnd: true)
    try setting.send(5_000, from: 2_500)
    try setting.owner(threads: threads).run(untilEnd: true)
    #expect(try setting.counts().values.allSatisfy { $0 == "75" })
    #expect(try setting.counts().count == 100)
    #expect(try setting.outputs() == 7_500)
  }

  @Test("a second process on the same state is refused")
  func locked() throws {
    let setting = try Setting()
    let first = try setting.owner()
    let error = #expect(throws: StoreError.self) { _ = try setting.owner() }
    #expect(error?.code == .locked)
    withExtendedLifetime(first) {}
  }

  @Test("a fresh state beside outputs of another is refused, and nothing is made for it")
  func refusedFresh() throws {
    let setting = try Setting()
    try setting.send(100)
    try setting.owner().run(untilEnd: true)
    try StateDirectory.removeTree(setting.directory.path)
    for _ in 0..<2 {
      let error = #expect(throws: StoreError.self) { try setting.owner().run(untilEnd: true) }
      #expect(error?.code == .foreign)
      #expect(try setting.directory.current() == nil)
      #expect(try setting.directory.generations().isEmpty)
    }
  }

  @Test("a partition's fresh state beside outputs of another is refused, the others untouched")
  func refusedFreshPartition() throws {
    let setting = try Setting()
    try setting.send(100)
    try setting.owner().run(untilEnd: true)
    try StateDirectory.removeTree(setting.directory.path)
    var options = RunOptions()
    (options.partitions, options.outputs) = ([0], .continue)
    func owner() throws -> TopologyOwner {
      try TopologyOwner(
        setting.topology, stateRoot: setting.root, log: setting.log, options: options,
        clock: SystemWallClock(), report: { _ in })
    }
    try owner().run(untilEnd: true)
    let generation = setting.directory.directory(of: 1)
    let before = try GenerationMeta.read(generation)
    (options.partitions, options.outputs) = ([0, 1], nil)
    let error = #expect(throws: StoreError.self) { try owner().run(untilEnd: true) }
    #expect(error?.code == .foreign)
    #expect(try GenerationMeta.read(generation) == before)
    #expect(try setting.directory.tasks(of: 1).map(\.partition) == [0])
  }

  @Test("a rewind rebuilds the same rows in a new generation, and sends nothing again")
  func rewind() throws {
    let setting = try Setting()
    try setting.send(3_000)
    try setting.owner().run(untilEnd: true)
    let before = try setting.counts()
    let owner = try setting.owner()
    try owner.rewind(
      try RewindPlan.make(
        setting.topology, to: .earliest, options: RewindOptions(), log: setting.log,
        directory: setting.directory))
    #expect(try setting.directory.current() == 2)
    #expect(try setting.counts() == before)
    #expect(try setting.outputs() == 3_000)
  }

  @Test("a rewind goes on while the old generation serves, and later records follow")
  func onlineRewind() throws {
    let setting = try Setting()
    try setting.send(2_000)
    let owner = try setting.owner()
    let running = Background { try owner.run(untilEnd: false) }
    let asked = try setting.askRewind()
    var reply: Reply?
    while reply == nil, !running.hasEnded { reply = try asked.answer() }
    #expect(reply == Reply(succeeded: true, message: "generation 000002 serves"))
    try setting.send(1_000, from: 2_000)
    while try setting.outputs() < 3_000, !running.hasEnded {}
    owner.stop()
    try running.join()
    #expect(try setting.directory.current() == 2)
    #expect(try setting.counts().values.allSatisfy { $0 == "30" })
    #expect(try setting.outputs() == 3_000)
  }

  @Test("a request that was carried out before its answer was lost is not carried out again")
  func requestOnce() throws {
    let setting = try Setting()
    try setting.send(10)
    let owner = try setting.owner()
    let running = Background { try owner.run(untilEnd: false) }
    let queue = RequestQueue(setting.directory)
    func ask() throws -> Reply? {
      let asked = try queue.submit(Request(id: "same", verb: "retry", arguments: [:]))
      while !running.hasEnded {
        if let reply = try asked.answer() { return reply }
      }
      return nil
    }
    #expect(try ask()?.succeeded == true)
    #expect(try ask() == Reply(succeeded: true, message: "carried out before"))
    owner.stop()
    try running.join()
  }

  @Test("a rebuild that fails leaves the serving generation running")
  func failedRewind() throws {
    let setting = try Setting()
    try setting.send(1_000)
    let owner = try setting.owner()
    let running = Background { try owner.run(untilEnd: false) }
    while try setting.outputs() < 1_000, !running.hasEnded {}
    setting.log.fail(.assign, with: LogError(.failed, "the rebuild's reader fails"))
    let asked = try setting.askRewind()
    var reply: Reply?
    while reply == nil, !running.hasEnded { reply = try asked.answer() }
    #expect(reply == Reply(succeeded: false, message: "the rebuild's reader fails"))
    try setting.send(500, from: 1_000)
    while try setting.outputs() < 1_500, !running.hasEnded {}
    owner.stop()
    try running.join()
    #expect(try setting.directory.current() == 1)
    #expect(try setting.outputs() == 1_500)
  }

  @Test("a stop ends a rebuild that cannot finish, and the old generation stays")
  func stoppedRewind() throws {
    let setting = try Setting()
    try setting.send(1_000)
    let owner = try setting.owner()
    let running = Background { try owner.run(untilEnd: false) }
    while try setting.outputs() < 1_000, !running.hasEnded {}
    setting.log.hideEnd(of: TopicPartition("in", 0), true)
    setting.log.withhold(TopicPartition("in", 0), from: 0)
    let asked = try setting.askRewind()
    while try setting.directory.tasks(of: 2).count < 4, !running.hasEnded {}
    owner.stop()
    try running.join()
    #expect(try setting.directory.current() == 1)
    #expect(try asked.answer()?.succeeded == false)
  }

  @Test("a changed topology is refused with what changed, its old state untouched")
  func changedLineage() throws {
    let setting = try Setting()
    try setting.send(100)
    try setting.owner().run(untilEnd: true)
    let changed = try TopologyOwner(
      try Setting.topology(version: 2), stateRoot: setting.root, log: setting.log,
      options: RunOptions(), clock: SystemWallClock(), report: { _ in })
    let error = #expect(throws: StoreError.self) { try changed.run(untilEnd: true) }
    #expect(error?.code == .lineageChanged)
    #expect(
      error?.message
        == "the topology is not the one that built this state: store 'counts': filter behind source "
        + "'in': version was 1, is 2; rebuild it with `projector rewind owned --to "
        + "earliest`, or run the topology that built it")
  }

  @Test("a rewind leads from a state of another lineage to this topology's, and sends all once")
  func rewindOfAnotherLineage() throws {
    let setting = try Setting()
    try setting.send(3_000)
    // Each of the four tasks takes two calls to start.
    setting.log.fail(.transaction, call: 10, with: LogError(.fenced, "another producer took over"))
    #expect(throws: (any Error).self) { try setting.owner().run(untilEnd: true) }
    let sent = try setting.outputs()
    #expect(sent < 3_000)
    let topology = try Setting.topology(version: 2)
    func owner() throws -> TopologyOwner {
      try TopologyOwner(
        topology, stateRoot: setting.root, log: setting.log, options: RunOptions(),
        clock: SystemWallClock(), report: { _ in })
    }
    try owner().rewind(
      try RewindPlan.make(
        topology, to: .earliest, options: RewindOptions(), log: setting.log,
        directory: setting.directory))
    #expect(try setting.directory.current() == 2)
    // What the old generation had decided and not sent.
    #expect(try setting.outputs() > sent)
    try owner().run(untilEnd: true)
    #expect(try setting.outputs() == 3_000)
    #expect(try setting.counts(topology).values.allSatisfy { $0 == "30" })
  }

  @Test("removed records stop a start that needs them, and a rewind behind them")
  func recordsGone() throws {
    let setting = try Setting()
    try setting.send(1_000)
    try setting.owner().run(untilEnd: true)
    try setting.send(1_000, from: 1_000)
    for partition in 0..<4 {
      let end = try setting.log.offsets(of: TopicPartition("in", partition)).upperBound
      setting.log.removeStart(of: TopicPartition("in", partition), before: end)
    }
    let start = #expect(throws: TaskError.self) { try setting.owner().run(untilEnd: true) }
    #expect(start?.code == .recordsGone)
    let rewind = #expect(throws: TaskError.self) {
      _ = try RewindPlan.make(
        setting.topology, to: .earliest, options: RewindOptions(), log: setting.log,
        directory: setting.directory)
    }
    #expect(rewind?.code == .recordsGone)
    #expect(rewind?.topicPartition == TopicPartition("in", 0))
  }

  @Test("a log that does not hold what the state was built from is refused")
  func diverged() throws {
    let setting = try Setting()
    try setting.send(1_000)
    try setting.owner().run(untilEnd: true)
    let partition = TopicPartition("in", 1)
    let end = try setting.log.offsets(of: partition).upperBound
    setting.log.diverge(partition, at: end - 1)
    try setting.send(400, from: 1_000)
    let error = #expect(throws: TaskError.self) { try setting.owner().run(untilEnd: true) }
    #expect(error?.code == .diverged)
  }
}

/// Runs something on a thread of its own and keeps what it threw.
final class Background: @unchecked Sendable {
  // `failure` and `isDone` are guarded by `condition`.
  private let condition = NSCondition()
  private var isDone = false
  private var failure: (any Error)?

  init(_ body: @escaping () throws -> Void) {
    // The closure is handed to that one thread.
    nonisolated(unsafe) let body = body
    Thread.detachNewThread {
      var failure: (any Error)?
      do { try body() } catch { failure = error }
      self.condition.withLock {
        self.isDone = true
        self.failure = failure
        self.condition.broadcast()
      }
    }
  }

  var hasEnded: Bool { condition.withLock { isDone } }

  func join() throws {
    condition.lock()
    while !isDone { condition.wait() }
    let failure = failure
    condition.unlock()
    if let failure { throw failure }
  }
}
