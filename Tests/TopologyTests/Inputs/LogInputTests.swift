import Foundation
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// A task's log inputs: what they take of what is fetched, where they stand, and what they compare.
@Suite("Log inputs")
struct LogInputTests {
  private final class Site {
    let log = SimulatedLog()
    let clock = VirtualClock()
    let topology: Topology
    let directory: StateDirectory
    var engine: ManualEngine?

    init() throws {
      let builder = StreamsBuilder("inputs")
      builder.stream("in", key: StringSerde(), value: StringSerde())
        .groupByKey().aggregate(into: "", named: "texts", as: StringSerde()) { $0 += $1 }.view()
      topology = try builder.build()
      directory = StateDirectory(
        root: NSTemporaryDirectory() + "projector-inputs-" + UUID().uuidString, topology: "inputs")
      try log.administration?.createTopic("in", partitions: 1, retention: TopicRetention())
      let records = (0..<20).map {
        ProducerRecord(key: [0x6b], value: [0x61 + UInt8($0)], timestamp: .epoch)
      }
      _ = try log.makeAppender().append(records, to: "in")
    }

    deinit { try? FileManager.default.removeItem(atPath: directory.path) }

    func task() throws -> StreamTask {
      engine?.close()
      let engine = try ManualEngine(
        topology, log: log, directory: directory, options: RunOptions(), clock: clock,
        report: { _ in })
      self.engine = engine
      return engine.tasks[0]
    }
  }

  private static let input = TopicPartition("in", 0)

  private static func batch(
    _ offsets: [Offset], next: Offset, end: Offset = 20, changed: Offset? = nil
  ) -> RecordBatch {
    var batch = RecordBatch(input, nextOffset: 0, endOffset: end)
    for offset in offsets {
      batch.append(
        offset: offset, timestamp: .epoch, key: [0x6b],
        value: [offset == changed ? 0x7a : 0x61 + UInt8(offset)])
    }
    batch.nextOffset = next
    return batch
  }

  @Test("records that are behind it, or buffered already, are dropped")
  func overlapping() throws {
    let site = try Site()
    let task = try site.task()
    defer { site.engine?.close() }
    for (offsets, next, position) in [
      (0..<5, 5, 5), (0..<5, 5, 5), (2..<8, 8, 8), (0..<0, 6, 8), (4..<6, 11, 11),
    ] as [(Range<Offset>, Offset, Offset)] {
      try task.offer(Self.batch(Array(offsets), next: next))
      _ = try task.process(limit: 100)
      // A position is where the next fetch begins: past what is no record, too.
      #expect(task.positions == [Self.input: position])
    }
    try task.offer(Self.batch([12, 13], next: 14))
    try task.offer(Self.batch([12, 13, 14, 15], next: 18))
    _ = try task.process(limit: 100)
    #expect(task.positions == [Self.input: 18])
    try task.commit()
    #expect(try site.engine?.rows("texts") == ["k": "abcdefghmnop"])
  }

  struct Resumed: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let batch: RecordBatch
    /// `nil` where log and state have diverged.
    let unverified: Int64?
  }

  /// The state's last record is at offset 5, its position 8.
  static let resumed: [Resumed] = [
    Resumed(testDescription: "the same", batch: batch([5, 8], next: 9), unverified: 0),
    Resumed(
      testDescription: "another reader's, from before", batch: batch([3, 4, 5, 8], next: 9),
      unverified: 0),
    Resumed(testDescription: "removed", batch: batch([8, 9], next: 10), unverified: 1),
    Resumed(testDescription: "removed, none behind", batch: batch([], next: 20), unverified: 1),
    Resumed(
      testDescription: "another record", batch: batch([5], next: 8, changed: 5), unverified: nil),
    Resumed(
      testDescription: "a record where none was", batch: batch([6, 8], next: 9), unverified: nil),
    Resumed(testDescription: "an earlier end", batch: batch([], next: 5, end: 7), unverified: nil),
  ]

  @Test("reading resumes with a comparison of the last record", arguments: resumed)
  func resume(with case: Resumed) throws {
    let site = try Site()
    defer { site.engine?.close() }
    do {
      // Its state is closed with the last reference to it.
      let first = try site.task()
      try first.offer(Self.batch([0, 1, 2, 3, 4, 5], next: 8))
      _ = try first.process(limit: 100)
      try first.commit()
    }
    let task = try site.task()
    guard let unverified = `case`.unverified else {
      let error = #expect(throws: TaskError.self) { try task.offer(`case`.batch) }
      #expect(error?.code == .diverged)
      return
    }
    try task.offer(`case`.batch)
    _ = try task.process(limit: 100)
    #expect(site.engine?.counters["unverified"] ?? 0 == unverified)
    #expect((task.positions[Self.input] ?? 0) >= 8)
  }

  /// More inputs than a word has bits.
  @Test("a task reads any number of inputs, and is replayed", arguments: UInt64(0)..<2)
  func manyInputs(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let builder = StreamsBuilder("inputs")
    let streams = (0..<80).map {
      builder.stream("in-\($0)", key: StringSerde(), value: StringSerde())
    }
    streams.dropFirst().reduce(streams[0]) { $0.merge($1) }
      .groupByKey().aggregate(into: "", named: "texts", as: StringSerde()) { $0 += $1 }.view()
    let topology = try builder.build()
    let (log, clock) = (SimulatedLog(), VirtualClock())
    let root = NSTemporaryDirectory() + "projector-inputs-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: root) }
    for number in 0..<80 {
      try log.administration?.createTopic(
        "in-\(number)", partitions: 1, retention: TopicRetention())
    }
    for round in 0..<6 {
      for _ in 0..<40 {
        let record = ProducerRecord(
          key: [0x6b], value: Array("\(round) ".utf8),
          timestamp: Timestamp(milliseconds: Int64(random.next(upTo: 100))))
        _ = try log.makeAppender().append([record], to: "in-\(random.next(upTo: 80))")
      }
      let owner = try TopologyOwner(
        topology, stateRoot: root, log: log, options: RunOptions(), clock: clock,
        report: { _ in })
      try owner.run(untilEnd: true)
    }
    let comparisons = try StateVerification(
      topology, StateDirectory(root: root, topology: "inputs"), log: log, options: RunOptions(),
      clock: clock, canonical: { $0 }
    ).run()
    #expect(comparisons.map(\.isEqual) == [true])
    #expect(comparisons.map(\.stored.rows) == [1])
  }
}
