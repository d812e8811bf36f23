import Foundation
import JSONSerdes
import StateStore
import StreamCore
import Synchronization
import Testing
import Topology
import TopologyTesting

/// Digests say what views hold; a verification rebuilds them beside the state.
@Suite("Verification")
struct VerificationTests {
  private func topology(
    as serde: some Serde<String> = StringSerde(),
    _ row: @escaping @Sendable (String) throws -> String
  ) throws -> Topology {
    let builder = StreamsBuilder("verified")
    let left = builder.stream("left", key: StringSerde(), value: StringSerde())
    let right = builder.stream("right", key: StringSerde(), value: StringSerde())
    left.merge(right, named: "both")
      .groupByKey()
      .aggregate(into: "", named: "texts", as: serde) { $0 += try row($1) }
      .view(indexes: [Index("byLength", [.descending("length") { $0.utf8.count }])])
    return try builder.build()
  }

  private func state(_ root: String) -> StateDirectory {
    StateDirectory(root: root, topology: "verified")
  }

  /// Sends to both inputs by turns and runs after each, so that inputs are passed at their ends.
  private func run(
    _ topology: Topology, _ log: SimulatedLog, _ root: String, seed: UInt64,
    intervals: Int = RunOptions().budget.records
  ) throws {
    var options = RunOptions()
    options.budget.records = intervals
    for topic in ["left", "right"] {
      try log.administration?.createTopic(topic, partitions: 2, retention: TopicRetention())
    }
    var random = SplitMix64(seed: seed)
    for round in 0..<20 {
      let topic = random.next() % 2 == 0 ? "left" : "right"
      let records = (0..<Int(random.next() % 20)).map { number in
        ProducerRecord(
          key: Array("k\(random.next() % 7)".utf8), value: Array("\(round)-\(number) ".utf8),
          timestamp: Timestamp(milliseconds: Int64(random.next() % 1_000)))
      }
      _ = try log.makeAppender().append(records, to: topic)
      let owner = try TopologyOwner(
        topology, stateRoot: root, log: log, options: options, clock: SystemWallClock(),
        report: { _ in })
      try owner.run(untilEnd: true)
    }
  }

  private func verify(_ topology: Topology, _ log: SimulatedLog, _ root: String) throws
    -> [StateVerification.Comparison]
  {
    try StateVerification(
      topology, state(root), log: log, options: RunOptions(), clock: SystemWallClock(),
      canonical: { $0 }
    ).run()
  }

  @Test(
    "a replay by the journal gives the same rows, though the inputs came as they came",
    arguments: UInt64(0)..<8)
  func equal(seed: UInt64) throws {
    let root = NSTemporaryDirectory() + "projector-verify-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: root) }
    let (topology, log) = (try topology { $0 }, SimulatedLog())
    try run(topology, log, root, seed: seed)
    let comparisons = try verify(topology, log, root)
    #expect(comparisons.map(\.stored.name) == ["texts"])
    #expect(comparisons.allSatisfy { $0.isEqual }, "seed \(seed)")
    #expect(comparisons.first?.stored.rows == 7)
    let left = try StateDirectory.entries(state(root).path + "/.verify")
    #expect(left == [])
  }

  /// Texts, of which some have no bytes.
  private struct RefusingSerde: Serde {
    var name: String { "some texts" }
    func serialize(_ value: String, into bytes: inout [UInt8]) throws {
      if value.utf8.count % 3 == 1 { throw SerdeError("a text of \(value.utf8.count) bytes") }
      bytes += Array(value.utf8)
    }
    func deserialize(_ bytes: RawSpan) throws -> String { try StringSerde().deserialize(bytes) }
  }

  @Test(
    "a replay refuses the rows that were refused, though its intervals end elsewhere",
    arguments: [1, 3, 50_000])
  func refusedRows(intervals: Int) throws {
    let root = NSTemporaryDirectory() + "projector-verify-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: root) }
    let (topology, log) = (try topology(as: RefusingSerde()) { $0 }, SimulatedLog())
    try run(topology, log, root, seed: 3, intervals: intervals)
    let engine = try ManualEngine(
      topology, log: log, directory: state(root), options: RunOptions(), clock: SystemWallClock(),
      report: { _ in })
    let counters = engine.counters
    engine.close()
    #expect((counters["deadLettered{process}"] ?? 0) > 10 && (counters["applied"] ?? 0) > 10)
    #expect(try verify(topology, log, root).map(\.isEqual) == [true])
  }

  /// A task that has taken nothing has no positions, and one whose inputs ended early never more.
  @Test(
    "it ends where a partition, a topic, or all of them gave nothing",
    arguments: [["left"], ["right"], []], [1, 3])
  func nothingConsumed(topics: [String], threads: Int) throws {
    let root = NSTemporaryDirectory() + "projector-verify-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: root) }
    let (topology, log) = (try topology { $0 }, SimulatedLog())
    for topic in ["left", "right"] {
      try log.administration?.createTopic(topic, partitions: 3, retention: TopicRetention())
    }
    for topic in topics {
      let records = (0..<50).map {
        ProducerRecord(key: Array("k\($0 % 7)".utf8), value: Array("\($0) ".utf8), partition: 1)
      }
      _ = try log.makeAppender().append(records, to: topic)
    }
    var options = RunOptions()
    options.threads = threads
    try TopologyOwner(
      topology, stateRoot: root, log: log, options: options, clock: SystemWallClock(),
      report: { _ in }
    ).run(untilEnd: true)
    let comparisons = try verify(topology, log, root)
    #expect(comparisons.map(\.isEqual) == [true])
    #expect(comparisons.first?.rebuilt.rows == (topics.isEmpty ? 0 : 7))
  }

  @Test("two at once do not disturb each other, and what a killed one left goes with the next")
  func scratch() throws {
    let root = NSTemporaryDirectory() + "projector-verify-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: root) }
    let (topology, log) = (try topology { $0 }, SimulatedLog())
    try run(topology, log, root, seed: 2)
    let scratch = state(root).path + "/.verify"
    // Nobody holds it: its maker was killed.
    try FileManager.default.createDirectory(
      atPath: "\(scratch)/7/.hidden", withIntermediateDirectories: true)
    let equal = Mutex<[Bool]>([])
    let running = (0..<4).map { _ in
      Background {
        let result = try StateVerification(
          topology, self.state(root), log: log, options: RunOptions(), clock: SystemWallClock(),
          canonical: { $0 }
        ).run()
        equal.withLock { $0 += result.map(\.isEqual) }
      }
    }
    for one in running { try one.join() }
    #expect(equal.withLock { $0 } == [true, true, true, true])
    #expect(try StateDirectory.entries(scratch) == [])
  }

  @Test("a topology that is no function of its input is found out")
  func different() throws {
    let root = NSTemporaryDirectory() + "projector-verify-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: root) }
    let counter = Counting()
    let (topology, log) = (try topology { "\($0)\(counter.next())" }, SimulatedLog())
    try run(topology, log, root, seed: 1)
    let comparisons = try verify(topology, log, root)
    #expect(comparisons.map(\.isEqual) == [false])
  }

  @Test("a digest adds up over partitions and knows order from content")
  func digests() {
    func digest(_ rows: [(String, String)]) -> ViewDigest {
      rows.reduce(into: ViewDigest("v")) { $0.add(key: Array($1.0.utf8), row: Array($1.1.utf8)) }
    }
    let whole = digest([("a", "1"), ("b", "2"), ("c", "3")])
    var parts = digest([("c", "3")])
    parts.add(digest([("b", "2"), ("a", "1")]))
    #expect(parts == whole)
    #expect(digest([("a", "1"), ("b", "2")]) != digest([("a", "2"), ("b", "1")]))
    #expect(digest([("ab", "1")]) != digest([("a", "b1")]))
    // printf '\0\0\0\0\0\0\0\1v\0\0\0\0\0\0\0\1a\0\0\0\0\0\0\0\0011' | sha256sum
    #expect(
      digest([("a", "1")]).hexadecimal
        == "8f068c5bcdf2b3d98a2296c56292702796f3e57a118c62a166cea723e57acadc")
  }
}

/// Counts calls, over runs: what no topology may do.
final class Counting: Sendable {
  private struct Calls {
    var count = 0
    var at: Int?
    var then: (@Sendable () -> Void)?
  }
  private let calls = Mutex(Calls())

  var count: Int { calls.withLock { $0.count } }

  @discardableResult
  func next() -> Int {
    let (count, then) = calls.withLock { calls in
      calls.count += 1
      return (calls.count, calls.count == calls.at ? calls.then : nil)
    }
    then?()
    return count
  }

  /// Has `then` called by the call of this number.
  func at(_ number: Int, _ then: @escaping @Sendable () -> Void) {
    calls.withLock { ($0.at, $0.then) = (number, then) }
  }
}
