import KafkaLog
import MockCluster
import StreamCore
import Testing

/// A mock cluster with a log on it, both ended with the test.
func withMockLog(
  topics: [String: Int], options: [String: String] = [:],
  _ body: (KafkaLog, MockCluster) throws -> Void
) throws {
  let cluster = try MockCluster()
  for (name, partitions) in topics { try cluster.createTopic(name, partitions: partitions) }
  let log = try KafkaLog.open(url: cluster.url, options: options)
  defer { log.close() }
  try withExtendedLifetime(cluster) { try body(log, cluster) }
}

/// What a reader gave until a condition held.
struct Reading {
  var batches: [RecordBatch] = []
  var records: [ConsumerRecord] {
    batches.flatMap { batch in (0..<batch.count).map { batch.record(at: $0) } }
  }
  /// Partitions whose last batch is at the end.
  var atEnd: Set<TopicPartition> {
    var last: [TopicPartition: RecordBatch] = [:]
    for batch in batches { last[batch.topicPartition] = batch }
    return Set(last.values.filter { $0.endOffset == $0.nextOffset }.map(\.topicPartition))
  }
}

extension RecordReader {
  /// Polls until `isEnough`; a generous bound turns a hang into a failure.
  func read(until isEnough: (Reading) -> Bool) throws -> Reading {
    var reading = Reading()
    for _ in 0..<600 where !isEnough(reading) {
      reading.batches += try poll(timeout: .milliseconds(100))
    }
    try #require(isEnough(reading), "only \(reading.records.count) records")
    return reading
  }
}

extension KafkaLog {
  func appendAll(_ records: [ProducerRecord], to topic: String) throws -> [AppendResult] {
    let appender = try makeAppender()
    defer { appender.close() }
    return try appender.append(records, to: topic)
  }

  func withReader(
    _ options: ReaderOptions = ReaderOptions(), _ body: (any RecordReader) throws -> Void
  ) throws {
    let reader = try makeReader(options)
    defer { reader.close() }
    try body(reader)
  }
}

func texts(_ values: some Sequence<Int>, partition: Int? = 0) -> [ProducerRecord] {
  values.map { ProducerRecord(key: nil, value: Array("\($0)".utf8), partition: partition) }
}

extension [ConsumerRecord] {
  var texts: [String] { map { String(decoding: $0.value ?? [], as: UTF8.self) } }
}

/// Runs `body` and gives the error it threw.
func logError(_ body: () throws -> Void) throws -> LogError {
  try #require(throws: LogError.self) { try body() }
}

/// SplitMix64: the same records for the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
