import Foundation
import StateStore
import StreamCore
import Testing
import TopologyTesting

@testable import Topology

/// DESIGN, "Lineage": a store that the state lacks is never filled from the middle; what was there
/// goes on, the new store and what hangs on it wait for a rebuild.
@Suite("Added stores")
struct AddedStoreTests {
  /// What a topology has beyond a view of counts and a copy of its source.
  private struct Parts: OptionSet {
    let rawValue: Int
    static let view = Parts(rawValue: 1)
    static let sink = Parts(rawValue: 2)
    /// A sink of a source that nothing read before, in a sub-topology of its own.
    static let otherSink = Parts(rawValue: 4)
    /// The same source merged with the old one, declared behind or before it.
    static let merged = Parts(rawValue: 8)
    static let mergedFirst = Parts(rawValue: 16)
  }

  private final class Site {
    let log = SimulatedLog()
    let root = NSTemporaryDirectory() + "projector-added-" + UUID().uuidString
    let reports = Collected<String>()
    var sent = 0

    init() throws {
      for topic in ["in", "other"] {
        try log.administration?.createTopic(topic, partitions: 2, retention: TopicRetention())
      }
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    func topology(_ parts: Parts) throws -> Topology {
      let builder = StreamsBuilder("grows")
      func source(_ topic: String) -> KStream<String, String> {
        builder.stream(topic, key: StringSerde(), value: StringSerde())
      }
      func send(_ stream: KStream<String, String>, _ topic: String) {
        stream.to(topic, key: StringSerde(), value: StringSerde())
      }
      let first = parts.contains(.mergedFirst) ? source("other") : nil
      let stream = source("in")
      if parts.contains(.sink) { send(stream.filter { _, _ in true }, "late") }
      if parts.contains(.view) {
        let lengths = stream.mapValues { _, value in Int64(value.utf8.count) }
          .groupByKey().reduce(named: "lengths", as: CountSerde()) { $0 + $1 }.view()
        lengths.toStream().to("lengths-out", key: StringSerde(), value: CountSerde())
        lengths.toStream().groupByKey().count(named: "changes")
      }
      if parts.contains(.otherSink) { send(source("other"), "other-out") }
      if parts.contains(.merged) { send(stream.merge(source("other")), "merged-out") }
      if let first { send(stream.merge(first), "merged-out") }
      stream.groupByKey().count(named: "counts").view()
      send(stream, "out")
      return try builder.build()
    }

    var directory: StateDirectory { StateDirectory(root: root, topology: "grows") }

    func send(_ count: Int, to topic: String = "in") throws {
      let records = (0..<count).map { _ in
        sent += 1
        return ProducerRecord(
          key: Array("k\(sent % 10)".utf8), value: Array("v".utf8),
          headers: [Header("eventId", "e\(sent)")],
          timestamp: Timestamp(milliseconds: Int64(sent)))
      }
      _ = try log.makeAppender().append(records, to: topic)
    }

    func owner(_ parts: Parts) throws -> TopologyOwner {
      try TopologyOwner(
        topology(parts), stateRoot: root, log: log, options: RunOptions(),
        clock: SystemWallClock(), report: { [reports] in reports.add($0) })
    }

    func run(_ parts: Parts) throws { try owner(parts).run(untilEnd: true) }

    func rebuild(_ parts: Parts) throws {
      try owner(parts).rewind(
        try RewindPlan.make(
          topology(parts), to: .earliest, options: RewindOptions(), log: log,
          directory: directory))
    }

    /// The sum of a view of counts; `nil` where some task lacks it.
    func total(_ view: String) throws -> Int? {
      let current = try directory.current() ?? 0
      var total = 0
      for task in try directory.tasks(of: current) {
        let reader = try StateReader.open(directory.task(current, task))
        if reader.identity.waiting.contains(view) { return nil }
        guard reader.identity.lineage[view] != nil else { continue }
        total += try reader.read { state in
          let store = try state.store(view)
          return try state.scan(store, limit: 1_000).rows
            .compactMap { Int(String(decoding: $0.value, as: UTF8.self)) }.reduce(0, +)
        }
      }
      return total
    }

    func count(_ topic: String) throws -> Int {
      guard try log.topic(topic) != nil else { return 0 }
      return try (0..<2).reduce(0) { try $0 + log.offsets(of: TopicPartition(topic, $1)).count }
    }

    func verify(_ parts: Parts) throws -> [StateVerification.Comparison] {
      try StateVerification(
        topology(parts), directory, log: log, options: RunOptions(), clock: SystemWallClock(),
        canonical: { $0 }
      ).run()
    }
  }

  @Test("a view that was added waits, what was there goes on, and a rebuild fills it")
  func view() throws {
    let site = try Site()
    try site.send(100)
    try site.run([])
    try site.send(50)
    // At the second start, too, and what has been said of it does not change.
    for _ in 0..<2 { try site.run(.view) }
    #expect(try site.total("counts") == 150)
    #expect(try site.count("out") == 150)
    #expect(try site.total("lengths") == nil)
    #expect(try site.total("changes") == nil)
    #expect(try site.count("lengths-out") == 0)
    #expect(
      site.reports.all.filter { $0.contains("has no store 'lengths'") }.min()
        == "task in-0 has no store 'lengths': it was added, and what hangs on it waits for a rebuild "
        + "(`projector rewind grows --to earliest`)")
    let before = try site.verify(.view)
    #expect(before.map(\.stored.name) == ["counts"] && before.allSatisfy(\.isEqual))
    // A program without it goes on from there.
    try site.send(10)
    try site.run([])
    #expect(try site.total("counts") == 160)
    try site.rebuild(.view)
    try site.send(5)
    try site.run(.view)
    #expect(try site.total("lengths") == 165 && site.total("counts") == 165)
    #expect(try site.count("out") == 165)
    let after = try site.verify(.view)
    #expect(after.map(\.stored.name) == ["counts", "lengths"] && after.allSatisfy(\.isEqual))
    // From here on it belongs to the state.
    let error = #expect(throws: StoreError.self) { try site.run([]) }
    #expect(error?.code == .lineageChanged)
    #expect(error?.message.contains("store 'changes' is gone; store 'lengths' is gone;") == true)
  }

  @Test("a sink that was added begins behind the state's position")
  func sink() throws {
    let site = try Site()
    try site.send(100)
    try site.run([])
    try site.send(30)
    try site.run(.sink)
    #expect(try site.count("late") == 30 && site.count("out") == 130)
    #expect(try site.total("counts") == 130)
  }

  @Test(
    "a sink of a topic that nothing read before begins at its end at its first start",
    arguments: [8, 4])
  func otherSink(part: Int) throws {
    let (parts, topic) = (Parts(rawValue: part), part == 8 ? "merged-out" : "other-out")
    let site = try Site()
    try site.send(100)
    try site.send(40, to: "other")
    try site.run([])
    try site.run(parts)
    #expect(try site.count(topic) == 0)
    try site.send(20, to: "other")
    try site.send(7)
    // A start that commits nothing more forgets no place.
    try site.run(parts)
    #expect(try site.count(topic) == (part == 8 ? 27 : 20))
    #expect(try site.total("counts") == 107)
    #expect(try site.verify(parts).allSatisfy(\.isEqual))
  }

  @Test("on a state without records every sink begins at the log's start")
  func fresh() throws {
    let site = try Site()
    try site.send(10)
    try site.send(20, to: "other")
    try site.run([.otherSink, .view])
    #expect(try site.count("other-out") == 20)
    #expect(try site.total("lengths") == 10)
  }

  @Test("a state whose stores lie under another name is refused with both, until a rebuild")
  func moved() throws {
    let site = try Site()
    try site.send(100)
    try site.run([])
    let error = #expect(throws: StoreError.self) { try site.run(.mergedFirst) }
    #expect(error?.code == .lineageChanged)
    #expect(
      error?.message
        == "the topology is not the one that built this state: store 'counts' was of sub-topology "
        + "'in', is of 'other', which is called by the first source that it declares; rebuild it "
        + "with `projector rewind grows --to earliest`, or run the topology that built it")
    #expect(try site.directory.tasks(of: 1).map(\.description) == ["in-0", "in-1"])
    try site.run([])
    try site.rebuild(.mergedFirst)
    #expect(try site.total("counts") == 100)
    #expect(try site.directory.tasks(of: 2).map(\.description) == ["other-0", "other-1"])
  }

  @Test("an operator goes on while one of its inputs does")
  func runnable() throws {
    let builder = StreamsBuilder("t")
    let (a, b) = (
      builder.stream("a", key: StringSerde(), value: StringSerde()),
      builder.stream("b", key: StringSerde(), value: StringSerde())
    )
    let added = b.groupByKey().reduce(named: "added", as: StringSerde()) { $1 }
    let changes = added.toStream(named: "changes").mapValues(named: "texts") { _, row in row ?? "" }
    changes.to("only", key: StringSerde(), value: StringSerde(), named: "only")
    a.merge(changes, named: "both").to(
      "both", key: StringSerde(), value: StringSerde(), named: "sink")
    a.groupByKey().count(named: "counts")
    let topology = try builder.build()
    let sub = topology.subTopologies[0]
    func names(_ missing: Set<String>) -> [String] {
      topology.runnable(sub, without: missing).operators.map { topology.operators[$0].name }
    }
    #expect(topology.runnable(sub, without: []) == sub)
    #expect(topology.runnable(sub, without: ["of-another-task"]) == sub)
    #expect(names(["added"]) == ["source-0", "both", "sink", "counts"])
    let part = topology.runnable(sub, without: ["added"])
    #expect(part.topics == ["a"] && part.sinks == ["both"] && part.stores == ["counts"])
    #expect(names(["counts"]).contains("added") && !names(["counts"]).contains("counts"))
    #expect(topology.runnable(sub, without: ["added", "counts"]).name == "a")
    let onlyB = topology.subTopologies[0]
    #expect(onlyB.name == "a" && onlyB.topics == ["a", "b"])
  }
}
