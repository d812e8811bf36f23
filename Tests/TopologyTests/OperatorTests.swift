import Foundation
import StateStore
import StreamCore
import Synchronization
import Testing
import Topology
import TopologyTesting

/// Stateless and stateful operators, one record at a time, through the test driver.
@Suite("Operators")
struct OperatorTests {
  /// Builds a topology from texts keyed by texts.
  private func topology(
    _ declare: (KStream<String, String>) -> Void
  ) throws -> Topology {
    let builder = StreamsBuilder("operators")
    declare(builder.stream("in", key: StringSerde(), value: StringSerde()))
    return try builder.build()
  }

  private func send(_ values: [(String, String)], to topology: Topology) throws
    -> TopologyTestDriver
  {
    let driver = try TopologyTestDriver(topology)
    for (key, value) in values { try driver.send(value, key: key, to: "in") }
    return driver
  }

  private func outputs(_ driver: TopologyTestDriver, _ topic: String = "out") throws -> [String] {
    try driver.output(topic).map { String(decoding: $0.value ?? [], as: UTF8.self) }
  }

  @Test("stateless operators pass on what they should, in order")
  func stateless() throws {
    let topology = try topology { stream in
      stream.filter { !$1.isEmpty }
        .filterNot { $1.hasPrefix("#") }
        .mapValues { $1.uppercased() }
        .flatMapValues { _, value in value.split(separator: " ").map(String.init) }
        .map { ($0 + "!", $1) }
        .flatMap { [($0, $1), ($0, $1 + "2")] }
        .peek { _, _, _ in }
        .to("out", key: StringSerde(), value: StringSerde())
    }
    let driver = try send([("a", "x y"), ("b", "# no"), ("c", ""), ("d", "z")], to: topology)
    #expect(try outputs(driver) == ["X", "X2", "Y", "Y2", "Z", "Z2"])
    #expect(
      try driver.output("out").map { String(decoding: $0.key ?? [], as: UTF8.self) } == [
        "a!", "a!", "a!", "a!", "d!", "d!",
      ])
    #expect(driver.counters == ["consumed": 4, "applied": 2, "filtered": 2])
  }

  @Test("a split sends a record to its first branch, merge takes it back")
  func splitAndMerge() throws {
    let topology = try topology { stream in
      let parts = stream.split(named: "by-size")
        .branch("long") { $1.count > 3 }
        .branch("also-long") { $1.count > 2 }
        .defaultBranch("short")
      parts["long"].mapValues { "long " + $1 }
        .merge(parts["short"].mapValues { "short " + $1 })
        .to("out", key: StringSerde(), value: StringSerde())
      parts["also-long"].to("rest", key: StringSerde(), value: StringSerde())
    }
    let driver = try send([("a", "abcd"), ("b", "abc"), ("c", "ab")], to: topology)
    #expect(try outputs(driver) == ["long abcd", "short ab"])
    #expect(try outputs(driver, "rest") == ["abc"])
  }

  @Test("count, reduce and aggregate keep a row a key")
  func aggregations() throws {
    let topology = try topology { stream in
      stream.groupByKey().count(named: "counts").view()
      stream.groupByKey().reduce(named: "last-two", as: StringSerde()) { $0.suffix(1) + $1 }.view()
      stream.groupByKey().aggregate(into: "", named: "all", as: StringSerde()) { $0 += $1 }.view()
    }
    let driver = try send([("a", "x"), ("b", "y"), ("a", "z"), ("a", "w")], to: topology)
    #expect(try driver.rows("counts") == ["a": "3", "b": "1"])
    #expect(try driver.rows("last-two") == ["a": "zw", "b": "y"])
    #expect(try driver.rows("all") == ["a": "xzw", "b": "y"])
  }

  @Test("a table keeps the latest value, deletes on a tombstone, and emits its changes")
  func tables() throws {
    let builder = StreamsBuilder("tables")
    builder.stream("in", key: StringSerde(), optional: StringSerde())
      .toTable(named: "latest", as: StringSerde()).view()
      .toStreamOnChange()
      .to("out", key: StringSerde(), value: StringSerde())
    let driver = try TopologyTestDriver(try builder.build())
    for (key, value) in [("a", "1"), ("a", "1"), ("b", "2"), ("a", nil), ("a", nil)] {
      try driver.send(value, key: key, to: "in")
    }
    #expect(try driver.rows("latest") == ["b": "2"])
    #expect(
      try driver.output("out").map { $0.value.map { String(decoding: $0, as: UTF8.self) } }
        == ["1", "2", nil])
  }

  @Test("emitted records have deterministic ids and survive a crash once")
  func sinkAfterCrash() throws {
    let topology = try topology { stream in
      stream.to("out", key: StringSerde(), value: StringSerde())
    }
    let driver = try send([("a", "x"), ("b", "y")], to: topology)
    let before = try driver.output("out")
    try driver.crash()
    try driver.send("z", key: "c", to: "in")
    let after = try driver.output("out")
    #expect(after.count == 3)
    #expect(Array(after.prefix(2)) == before)
    #expect(Set(after.map { $0.headers.first { $0.name == "eventId" } }).count == 3)
  }

  @Test("a processor keeps rows and timers, and both survive a crash")
  func processor() throws {
    let builder = StreamsBuilder("timers")
    let seen = builder.store(named: "seen", key: String.self, as: CountSerde())
    builder.stream("in", key: StringSerde(), value: StringSerde())
      .process(named: "remind", stores: ["seen"]) { context in
        let store = context.store(seen)
        return Processor(
          onTimer: { key, time in try context.forward(key, "timer \(time.milliseconds)") },
          process: { key, _ in
            try store.put(key, (try store.get(key) ?? 0) + 1)
            context.markApplied()
            try context.schedule(key, at: context.record.timestamp + .milliseconds(100))
          })
      }
      .to("out", key: StringSerde(), value: StringSerde())
    let driver = try TopologyTestDriver(try builder.build())
    func send(_ key: String, _ time: Int64) throws {
      try driver.send("x", key: key, at: Timestamp(milliseconds: time), to: "in")
    }
    try send("a", 10)
    try send("b", 20)
    try driver.crash()
    try send("a", 109)
    #expect(try outputs(driver) == [])
    try send("c", 110)
    #expect(try outputs(driver) == ["timer 110"])
    try send("c", 1_000)
    #expect(try outputs(driver) == ["timer 110", "timer 120", "timer 209", "timer 210"])
    #expect(try driver.rows("seen") == ["a": "2", "b": "1", "c": "2"])
    #expect(driver.counters["firings"] == 4)
  }

  @Test("timers of an operator that the topology lost are dropped, counted and told of once")
  func timersOfRemoved() throws {
    func topology(_ names: [String]) throws -> Topology {
      let builder = StreamsBuilder("timers")
      let source = builder.stream("in", key: StringSerde(), value: StringSerde())
      for name in names {
        source.process(named: name) { (context: ProcessorContext<String, String>) in
          Processor(
            onTimer: { key, _ in try context.forward(key, name) },
            process: { key, _ in
              try context.schedule(key, at: context.record.timestamp + .milliseconds(100))
            })
        }
        .to("out", key: StringSerde(), value: StringSerde())
      }
      return try builder.build()
    }
    let root = NSTemporaryDirectory() + "projector-timers-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: root) }
    let log = SimulatedLog()
    try log.administration?.createTopic("in", partitions: 1, retention: TopicRetention())
    try log.administration?.createTopic("out", partitions: 1, retention: TopicRetention())
    let notes = Mutex<[String]>([])
    func run(_ names: [String], _ times: [Int64]) throws -> [String: Int64] {
      _ = try log.makeAppender().append(
        times.map {
          ProducerRecord(
            key: Array("k\($0)".utf8), value: [], timestamp: Timestamp(milliseconds: $0))
        },
        to: "in")
      let engine = try ManualEngine(
        try topology(names), log: log,
        directory: StateDirectory(root: root, topology: "timers"), options: RunOptions(),
        clock: VirtualClock(), report: { note in notes.withLock { $0.append(note) } })
      defer { engine.close() }
      try engine.run(commitEvery: 100)
      return engine.counters
    }
    _ = try run(["gone", "kept"], [10, 20])
    let counters = try run(["kept"], [1_000])
    #expect(counters["firings"] == 2)
    #expect(counters["timersDropped"] == 2)
    #expect(notes.withLock { $0.filter { $0.contains("'gone'") }.count } == 1)
    let later = try run(["kept"], [2_000])
    #expect(later["timersDropped"] == 2)
  }
}
