import Foundation
import StateStore
import StreamCore
import Synchronization
import Topology
import TopologyTesting

/// A log of two topics, a topology whose rows depend on the order in which their records came, and
/// a directory for its state.
final class SnapshotSite {
  let log = SimulatedLog()
  let root = NSTemporaryDirectory() + "projector-snapshots-" + UUID().uuidString
  let clock = VirtualClock()
  let reports = Collected<String>()
  /// Records that the topology saw, again in a rebuild.
  let processed = Collected<String>()
  var policy = SnapshotPolicy(interval: .seconds(60), kept: 2)
  private var random: SplitMix64
  private var sent = 0
  private let version: Int
  private let idle: Duration

  init(seed: UInt64 = 1, version: Int = 1, idle: Duration = .zero) throws {
    random = SplitMix64(seed: seed)
    self.version = version
    self.idle = idle
    for topic in ["left", "right"] {
      try log.administration?.createTopic(topic, partitions: 2, retention: TopicRetention())
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: root) }

  /// The sub-topology's name.
  static let first = "left"

  var directory: StateDirectory { StateDirectory(root: root, topology: "kept") }
  var snapshots: SnapshotStore { SnapshotStore(directory) }

  func topology(version: Int? = nil) throws -> Topology {
    let builder = StreamsBuilder("kept")
    let left = builder.stream("left", key: StringSerde(), value: StringSerde(), idle: idle)
    let right = builder.stream("right", key: StringSerde(), value: StringSerde(), idle: idle)
    let processed = processed
    left.merge(right, named: "both")
      .filter(named: "not-ignored", version: version ?? self.version) { _, value in
        processed.add(value)
        return value != "ignored"
      }
      .groupByKey()
      .aggregate(into: "", named: "texts", as: StringSerde()) { $0 += $1 }
      .view(indexes: [Index("byLength", [.descending("length") { $0.utf8.count }])])
      .toStream().to("out", key: StringSerde(), value: StringSerde())
    return try builder.build()
  }

  /// Appends up to `count` records to a topic, out of the order of their times, some of them twice.
  func send(_ topic: String, _ count: Int) throws {
    let records = (0..<count).map { _ in
      sent += 1
      let number = random.next() % 5 == 0 ? Int(random.next() % UInt64(sent)) : sent
      return ProducerRecord(
        key: Array("k\(number % 11)".utf8), value: Array("\(topic.first ?? "-")\(number) ".utf8),
        headers: [Header("eventId", "\(topic)\(number)")],
        timestamp: Timestamp(milliseconds: Int64(sent) - Int64(random.next() % 20)))
    }
    _ = try log.makeAppender().append(records, to: topic)
  }

  /// Sends to both topics by turns and runs after each, so that inputs are passed at their ends.
  func rounds(_ count: Int, records: Int = 20, snapshotEvery: Int? = nil) throws {
    for round in 0..<count {
      try send(random.next() % 2 == 0 ? "left" : "right", 1 + Int(random.next() % UInt64(records)))
      if let snapshotEvery, round % snapshotEvery == snapshotEvery - 1 {
        clock.advance(by: .seconds(60))
      }
      try owner().run(untilEnd: true)
    }
  }

  func owner(version: Int? = nil) throws -> TopologyOwner {
    var options = RunOptions()
    options.threads = 2
    options.budget.records = 7
    options.snapshots = policy
    return try TopologyOwner(
      try topology(version: version), stateRoot: root, log: log, options: options, clock: clock,
      report: { [reports] in reports.add($0) })
  }

  /// Runs a process until `body` returns.
  func running(_ body: (Background) throws -> Void) throws {
    do {
      let owner = try owner()
      let running = Background { try owner.run(untilEnd: false) }
      try body(running)
      owner.stop()
      try running.join()
    }
    // The thread lets go of its owner a little after it has ended.
    while true {
      do {
        _ = try OwnerLock(directory)
        return
      } catch  where error.code == .locked { continue }
    }
  }

  func plan(_ target: RewindTarget, _ options: RewindOptions = RewindOptions()) throws -> RewindPlan
  {
    try RewindPlan.make(
      try topology(), to: target, options: options, log: log, directory: directory)
  }

  func rewind(_ target: RewindTarget, _ options: RewindOptions = RewindOptions()) throws {
    try owner().rewind(try plan(target, options))
  }

  /// Everything that a rebuild has to give again: digest, fates, what was sent.
  func result() throws -> [String] {
    let current = try directory.current() ?? 0
    let readers = try directory.tasks(of: current).map {
      try StateReader.open(
        directory.task(current, $0))
    }
    let digests = try StateDigest(try topology(), canonical: { $0 }).digests(of: readers)
    var counts: [String: Int64] = [:]
    for reader in readers {
      for (name, value) in try reader.read({ try $0.words() })
      where name.hasPrefix("count/") && name != "count/unverified" {
        counts[name, default: 0] += value
      }
    }
    return digests.map { "\($0.name) \($0.rows) \($0.hexadecimal)" }
      + counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" } + ["out \(try outputs())"]
  }

  func outputs() throws -> Int {
    guard try log.topic("out") != nil else { return 0 }
    return try (0..<2).reduce(0) { try $0 + log.offsets(of: TopicPartition("out", $1)).count }
  }

  func isVerified() throws -> Bool {
    try StateVerification(
      try topology(), directory, log: log, options: RunOptions(), clock: clock, canonical: { $0 }
    ).run().allSatisfy { $0.isEqual }
  }

  /// Removes the log's head, as retention does.
  func truncate(before positions: [TopicPartition: Offset]) {
    for (partition, offset) in positions { log.removeStart(of: partition, before: offset) }
  }
}

/// What any thread added.
final class Collected<Element: Sendable>: Sendable {
  private let elements = Mutex<[Element]>([])

  func add(_ element: Element) { elements.withLock { $0.append(element) } }
  var all: [Element] { elements.withLock { $0 } }
}
