import Foundation
import StateStore
import StreamCore
import Topology
import TopologyTesting

/// A log with a topic `in`, and a directory for the state of the topologies of one name that a test
/// runs on it.
final class OwnerSite {
  let log: SimulatedLog
  let root = NSTemporaryDirectory() + "projector-site-" + UUID().uuidString
  let reports = Collected<String>()
  let partitions: Int
  private var sent = 0

  init(partitions: Int = 1, log: SimulatedLog = SimulatedLog()) throws {
    self.log = log
    self.partitions = partitions
    try log.administration?.createTopic(
      "in", partitions: partitions, retention: TopicRetention())
  }

  deinit { try? FileManager.default.removeItem(atPath: root) }

  var directory: StateDirectory { StateDirectory(root: root, topology: "site") }

  /// Counts by key in a view `counts`, and copies every record to `out`.
  static func counting(
    version: Int = 1, _ seen: @escaping @Sendable (String) throws -> Void = { _ in }
  ) throws -> Topology {
    let builder = StreamsBuilder("site")
    let stream = builder.stream("in", key: StringSerde(), value: StringSerde())
    stream.filter(named: "seen", version: version) { _, value in
      try seen(value)
      return true
    }
    .groupByKey().count(named: "counts").view()
    stream.to("out", key: StringSerde(), value: StringSerde())
    return try builder.build()
  }

  @discardableResult
  func send(_ values: [String], partition: Int? = nil) throws -> [AppendResult] {
    let records = values.map { value in
      sent += 1
      return ProducerRecord(
        key: Array("k\(sent % 10)".utf8), value: Array(value.utf8),
        headers: [Header("eventId", "e\(sent)")],
        timestamp: Timestamp(milliseconds: Int64(sent)),
        partition: partition ?? sent % partitions)
    }
    return try log.makeAppender().append(records, to: "in")
  }

  func owner(
    _ topology: Topology, root: String? = nil, _ change: (inout RunOptions) -> Void = { _ in }
  ) throws -> TopologyOwner {
    var options = RunOptions()
    change(&options)
    return try TopologyOwner(
      topology, stateRoot: root ?? self.root, log: log, options: options, clock: SystemWallClock(),
      report: { [reports] in reports.add($0) })
  }

  /// The tasks on the state, driven by hand: refused while another thread has them.
  func withTasks<Result>(
    _ topology: Topology, root: String? = nil, _ body: (ManualEngine) throws -> Result
  ) throws -> Result {
    var options = RunOptions()
    options.publishes = false
    let engine = try ManualEngine(
      topology, log: log,
      directory: StateDirectory(root: root ?? self.root, topology: topology.name),
      options: options, clock: SystemWallClock(), report: { _ in })
    defer { engine.close() }
    return try body(engine)
  }

  func ask(_ id: String, _ verb: String, _ arguments: [String: String] = [:]) throws
    -> AskedRequest
  {
    try RequestQueue(directory).submit(Request(id: id, verb: verb, arguments: arguments))
  }

  func askRewind(_ topology: Topology, _ arguments: [String: String] = [:]) throws -> AskedRequest {
    try ask(
      "rewind", "rewind",
      ["to": "earliest", "lineage": topology.fingerprint].merging(arguments) { $1 })
  }

  /// Values that were sent to a topic, in no order.
  func outputs(_ topic: String = "out") throws -> [String] {
    guard let description = try log.topic(topic) else { return [] }
    var values: [String] = []
    for partition in 0..<description.partitions {
      let place = TopicPartition(topic, partition)
      let offsets = try log.offsets(of: place)
      let reader = try log.makeReader(ReaderOptions())
      defer { reader.close() }
      try reader.assign([place: offsets.lowerBound])
      var position = offsets.lowerBound
      while position < offsets.upperBound {
        for batch in try reader.poll(timeout: .zero) {
          for index in 0..<batch.count {
            values.append(String(decoding: batch.record(at: index).value ?? [], as: UTF8.self))
          }
          position = batch.nextOffset
        }
      }
    }
    return values
  }
}

extension Background {
  /// The answer to a request, unless what answers ends without one.
  func answer(_ asked: AskedRequest) throws -> Reply? {
    while !hasEnded {
      if let reply = try asked.answer() { return reply }
    }
    return try asked.answer()
  }
}

struct Boom: Error {}
