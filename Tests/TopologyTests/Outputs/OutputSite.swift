import Foundation
import StateStore
import StreamCore
import Synchronization
import Testing
import Topology
import TopologyTesting

/// A log, state directories, and a topology that copies its input to sinks: what outputs are tested
/// on, with every restart from disk.
final class OutputSite: Sendable {
  let log: SimulatedLog
  let root = NSTemporaryDirectory() + "projector-outputs-" + UUID().uuidString
  private let notes = Mutex<[String]>([])
  var messages: [String] { notes.withLock { $0 } }

  init(partitions: Int = 1, log: SimulatedLog = SimulatedLog()) throws {
    self.log = log
    try log.administration?.createTopic(
      "in", partitions: partitions, retention: TopicRetention())
  }

  deinit { try? FileManager.default.removeItem(atPath: root) }

  /// Copies what is no `skip` to each sink, and counts by key.
  static func topology(
    sinks: [String] = ["out"], version: Int = 1, deadLetters: String? = nil
  ) throws -> Topology {
    let builder = StreamsBuilder("copies", deadLetterTopic: deadLetters)
    let stream = builder.stream("in", key: StringSerde(), value: StringSerde())
    stream.groupByKey().count(named: "counts").view()
    let copied = stream.filter(named: "kept", version: version) { _, value in
      if value.hasPrefix("fails") { throw SerdeError("it fails") }
      return value != "skip"
    }
    for sink in sinks {
      copied.to(sink, key: StringSerde(), value: StringSerde(), named: "to-\(sink)")
    }
    return try builder.build()
  }

  func send(_ numbers: Range<Int>, partition: Int? = 0) throws {
    try send(numbers.map { "v\($0)" }, partition: partition)
  }

  func send(_ values: [String], partition: Int? = 0) throws {
    _ = try log.makeAppender().append(
      values.map { value in
        ProducerRecord(
          key: Array("k\(value.count)".utf8), value: Array(value.utf8),
          timestamp: Timestamp(milliseconds: 1_000), partition: partition)
      }, to: "in")
  }

  func engine(
    _ topology: Topology? = nil, state: String = "s", outputs: OutputChoice? = nil,
    partitions: [Int]? = nil
  ) throws -> ManualEngine {
    var options = RunOptions()
    options.outputs = outputs
    options.partitions = partitions
    let topology = try topology ?? Self.topology()
    return try ManualEngine(
      topology, log: log, directory: StateDirectory(root: "\(root)/\(state)", topology: "copies"),
      options: options, clock: VirtualClock(),
      report: { [weak self] text in self?.notes.withLock { $0.append(text) } })
  }

  /// Runs to the end of the input and closes.
  func run(
    _ topology: Topology? = nil, state: String = "s", outputs: OutputChoice? = nil,
    partitions: [Int]? = nil, commitEvery: Int = 4
  ) throws {
    let engine = try engine(topology, state: state, outputs: outputs, partitions: partitions)
    defer { engine.close() }
    try engine.run(commitEvery: commitEvery)
  }

  func copy(_ state: String, to target: String) throws {
    try? FileManager.default.removeItem(atPath: "\(root)/\(target)")
    try FileManager.default.copyItem(atPath: "\(root)/\(state)", toPath: "\(root)/\(target)")
  }

  func remove(_ state: String = "s") throws {
    try FileManager.default.removeItem(atPath: "\(root)/\(state)")
  }

  /// Values a read-committed reader of a topic sees, in order of partition and offset.
  func values(_ topic: String = "out") throws -> [String] {
    try records(topic).map { String(decoding: $0.value ?? [], as: UTF8.self) }
  }

  func records(_ topic: String) throws -> [ConsumerRecord] {
    guard let description = try log.topic(topic) else { return [] }
    var records: [ConsumerRecord] = []
    for partition in 0..<description.partitions {
      let place = TopicPartition(topic, partition)
      let offsets = try log.offsets(of: place)
      let reader = try log.makeReader(ReaderOptions())
      defer { reader.close() }
      try reader.assign([place: offsets.lowerBound])
      var position = offsets.lowerBound
      while position < offsets.upperBound {
        for batch in try reader.poll(timeout: .zero) {
          records += (0..<batch.count).map(batch.record)
          position = batch.nextOffset
        }
      }
    }
    return records
  }

  static func values(_ numbers: Range<Int>) -> [String] { numbers.map { "v\($0)" } }

  static let journal = TopicPartition("copies-journal-in", 0)

  /// Runs a body, once more where the log's one failure meets it.
  func killedOnce<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as LogError where error.message == "killed" {
      return try body()
    }
  }

  /// The code of what is thrown, a refusal's or a task's.
  func code(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch let error as StoreError {
      return "\(error.code)"
    } catch {
      return "\(error)"
    }
  }
}
