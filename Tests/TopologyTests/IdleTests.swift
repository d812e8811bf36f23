import Foundation
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// How long a task waits for a topic at whose end it is.
@Suite("Idle times")
struct IdleTests {
  /// Two topics whose values are put together in the order in which they went.
  private static func topology(left: Duration, right: Duration) throws -> Topology {
    let builder = StreamsBuilder("idle")
    let streams = [("left", left), ("right", right)].map { topic, idle in
      builder.stream(topic, key: StringSerde(), value: StringSerde(), idle: idle)
    }
    streams[0].merge(streams[1], named: "both").groupByKey()
      .aggregate(into: "", named: "order", as: StringSerde()) { $0 += $1 }.view()
    return try builder.build()
  }

  private static func driver(left: Duration = .zero, right: Duration) throws -> TopologyTestDriver {
    try TopologyTestDriver(try topology(left: left, right: right))
  }

  private func send(
    _ value: String, at time: Int64, to topic: String, _ driver: TopologyTestDriver
  ) throws {
    try driver.send(value, key: "k", at: Timestamp(milliseconds: time), to: topic)
  }

  /// Kafka Streams' PartitionGroup waits while `now < seen empty + max.task.idle.ms`.
  @Test(
    "a record waits for an idle topic until its time is over", arguments: [(99, ""), (100, "a")])
  func deadline(passed: Int, order: String) throws {
    let driver = try Self.driver(right: .milliseconds(100))
    try send("a", at: 10, to: "left", driver)
    #expect(try driver.row("order", key: "k") == nil)
    driver.clock.advance(by: .milliseconds(passed))
    try driver.run()
    #expect(try driver.row("order", key: "k") ?? "" == order)
  }

  @Test("a record that comes in time goes first, if its event time is lower")
  func inTime() throws {
    let driver = try Self.driver(right: .milliseconds(100))
    try send("a", at: 10, to: "left", driver)
    driver.clock.advance(by: .milliseconds(99))
    try send("b", at: 5, to: "right", driver)
    // It is at its end again, and its time begins anew.
    #expect(try driver.row("order", key: "k") == "b")
    driver.clock.advance(by: .milliseconds(99))
    try driver.run()
    #expect(try driver.row("order", key: "k") == "b")
    driver.clock.advance(by: .milliseconds(1))
    try driver.run()
    #expect(try driver.row("order", key: "k") == "ba")
  }

  @Test("a topic that has been idle for long keeps nothing waiting")
  func longIdle() throws {
    let driver = try Self.driver(right: .milliseconds(100))
    try driver.run()
    driver.clock.advance(by: .milliseconds(100))
    for (time, value) in [(10, "a"), (20, "b")] as [(Int64, String)] {
      try send(value, at: time, to: "left", driver)
    }
    #expect(try driver.row("order", key: "k") == "ab")
    // Without an idle time of its own the left topic is not waited for.
    try send("c", at: 30, to: "right", driver)
    #expect(try driver.row("order", key: "k") == "abc")
  }

  @Test("another process waits anew")
  func restart() throws {
    let driver = try Self.driver(right: .milliseconds(100))
    try send("a", at: 10, to: "left", driver)
    driver.clock.advance(by: .milliseconds(99))
    try driver.crash()
    try driver.run()
    driver.clock.advance(by: .milliseconds(99))
    try driver.run()
    #expect(try driver.row("order", key: "k") == nil)
    driver.clock.advance(by: .milliseconds(1))
    try driver.run()
    #expect(try driver.row("order", key: "k") == "a")
  }

  @Test("all topics that are waited for must be idle for their times")
  func both() throws {
    let builder = StreamsBuilder("idle")
    let streams = [("a", 0), ("b", 50), ("c", 80)].map { topic, idle in
      builder.stream(
        topic, key: StringSerde(), value: StringSerde(), idle: .milliseconds(idle))
    }
    streams[0].merge(streams[1]).merge(streams[2]).groupByKey().count(named: "order").view()
    let driver = try TopologyTestDriver(try builder.build())
    try send("a", at: 10, to: "a", driver)
    for (passed, rows) in [(50, 0), (29, 0), (1, 1)] {
      driver.clock.advance(by: .milliseconds(passed))
      try driver.run()
      #expect(try driver.rows("order").count == rows)
    }
  }

  @Test("a clock that is put back makes nobody wait longer than the idle time")
  func clockPutBack() throws {
    let driver = try Self.driver(right: .milliseconds(100))
    driver.clock.advance(by: .seconds(1_000))
    try send("a", at: 10, to: "left", driver)
    driver.clock.advance(by: .seconds(-900))
    try driver.run()
    driver.clock.advance(by: .milliseconds(100))
    try driver.run()
    #expect(try driver.row("order", key: "k") == "a")
  }

  @Test("a run to the end of the log waits for nothing: no more is to come")
  func untilEnd() throws {
    let site = try SnapshotSite(idle: .days(1))
    try site.rounds(6)
    #expect(try site.outputs() > 0)
    #expect(try site.isVerified())
  }

  @Test("what idle times decide is followed by replays", arguments: UInt64(0)..<4)
  func replay(seed: UInt64) throws {
    let site = try SnapshotSite(seed: seed, idle: .milliseconds(50))
    // The state is there before it is looked at.
    try site.owner().run(untilEnd: true)
    var sent: Int64 = 0
    func consumed() throws -> Int64 {
      try (0..<2).reduce(0) { total, partition in
        let path = site.directory.task(
          1, TaskName(subTopology: SnapshotSite.first, partition: partition))
        return try total
          + (StateReader.open(path).read { try $0.words()["count/consumed"] } ?? 0)
      }
    }
    try site.running { running in
      for round in 0..<12 {
        for topic in round % 3 == 0 ? ["left", "right"] : [round % 2 == 0 ? "left" : "right"] {
          try site.send(topic, 7)
          sent += 7
        }
        // Now and then everything is waited for, now and then more comes meanwhile.
        site.clock.advance(by: .milliseconds(20))
        while round % 4 == 3, try consumed() < sent, !running.hasEnded {
          site.clock.advance(by: .milliseconds(10))
        }
      }
    }
    #expect(try consumed() == sent)
    let expected = try site.result()
    #expect(try site.isVerified())
    try site.rewind(.earliest)
    #expect(try site.result() == expected)
  }

  @Test("what was processed before a wait is committed at once")
  func committedBeforeWait() throws {
    let driver = try Self.driver(right: .milliseconds(100))
    let log = driver.log
    for (topic, times) in [("left", [10, 20, 30]), ("right", [15])] {
      try driver.append(
        times.map { time in
          ProducerRecord(
            key: Array("k".utf8), value: Array("\(time) ".utf8),
            timestamp: Timestamp(milliseconds: Int64(time)))
        }, to: topic)
    }
    let directory = NSTemporaryDirectory() + "projector-idle-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let engine = try ManualEngine(
      driver.topology, log: log, directory: StateDirectory(root: directory, topology: "idle"),
      options: RunOptions(), clock: driver.clock, report: { _ in })
    defer { engine.close() }
    let buffers = FetchBuffers(bytesMax: .max)
    let reader = try log.makeReader(ReaderOptions())
    defer { reader.close() }
    let inputs = ["left", "right"].map { TopicPartition($0, 0) }
    try reader.assign(Dictionary(uniqueKeysWithValues: inputs.map { ($0, 0) }))
    var commits: [[Offset?]] = []
    let loop = TaskLoop(
      engine.tasks.map { ($0, nil) }, buffers: buffers,
      fetch: FetchLoop(reader: reader, buffers: buffers), budget: IntervalBudget(),
      clock: driver.clock
    ) { task in commits.append(inputs.map { task.positions[$0] }) }
    for batch in try reader.poll(timeout: .zero) { _ = buffers.push(batch) }
    while try loop.turn() {}
    #expect(commits == [[1, 1]])
    driver.clock.advance(by: .milliseconds(100))
    while try loop.turn() {}
    #expect(commits == [[1, 1], [3, 1]])
  }

  @Test("describe names an idle time; one below zero is refused")
  func declared() throws {
    let text = try Self.topology(left: .zero, right: .seconds(5)).describe()
    #expect(text.split(separator: "\n").filter { $0.hasPrefix("      idle") } == ["      idle: 5s"])
    let error = #expect(throws: TopologyError.self) {
      try Self.topology(left: .seconds(-1), right: .zero)
    }
    #expect(
      error?.problems.map(\.message) == [
        "source 'left' is idle after less than no time; correct it"
      ])
  }
}
