import Foundation
import JSONSerdes
import OrderProjections
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// Runs whose maps fill up in the middle of commits: two indexes, an audit view, ids, dead letters
/// that are published, held records; then as the oracle says, like a run with room.
@Suite struct FullMapTests {
  private struct Outcome: Equatable {
    var digest: [String] = []
    var counters: [String: Int64] = [:]
    var published = 0
    /// Bytes of the largest task's file.
    var bytes = 0
  }

  private func run(mapSize: Int, on log: SimulatedLog) throws -> Outcome {
    let root = NSTemporaryDirectory() + "projector-maps-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: root) }
    var projections = OrderProjectionsOptions()
    projections.deadLetterTopic = "dead"
    let topology = try orderProjections(projections)
    var options = RunOptions()
    options.storeOptions.mapSize = mapSize
    options.budget.records = 3_000
    options.threads = 2
    try TopologyOwner(
      topology, stateRoot: root, log: log, options: options, clock: VirtualClock(),
      report: { _ in }
    ).run(untilEnd: true)
    let directory = StateDirectory(root: root, topology: topology.name)
    var outcome = Outcome()
    let readers = try directory.tasks(of: 1).map {
      try StateReader.open(
        directory.task(1, $0))
    }
    outcome.digest = try StateDigest(topology, canonical: { $0 }).digests(of: readers)
      .map { "\($0.name) \($0.rows) \($0.hexadecimal)" }
    for reader in readers {
      for (name, value) in try reader.read({ try $0.words() }) where name.hasPrefix("count/") {
        outcome.counters[name, default: 0] += value
      }
      outcome.bytes = max(outcome.bytes, reader.environment.usedBytes)
    }
    outcome.published = try (0..<2).reduce(0) {
      try $0 + log.offsets(of: TopicPartition("dead", $1)).count
    }
    return outcome
  }

  private func makeLog(_ records: [ProducerRecord]) throws -> SimulatedLog {
    let log = SimulatedLog()
    try log.administration?.createTopic(
      "order-events", partitions: 2, retention: TopicRetention())
    _ = try log.makeAppender().append(records, to: "order-events")
    return log
  }

  @Test("a tiny map gives what a large one does", arguments: [UInt64(1), 2])
  func tinyMap(seed: UInt64) throws {
    var workload = OrderWorkload(.demo(events: 8_000, seed: seed))
    var records: [ProducerRecord] = []
    while let record = workload.next() { records.append(record) }
    let (tiny, large) = (
      try run(mapSize: 1 << 19, on: try makeLog(records)),
      try run(mapSize: 1 << 30, on: try makeLog(records))
    )
    #expect(tiny.digest == large.digest && tiny.counters == large.counters)
    #expect(tiny.published == large.published && tiny.published > 0)
    #expect(tiny.bytes > 2 << 20, "the map was doubled several times")
    for (fate, count) in workload.oracle.fates where !fate.contains("{") {
      #expect(tiny.counters["count/\(fate)", default: 0] == Int64(count), "\(fate)")
    }
  }
}
