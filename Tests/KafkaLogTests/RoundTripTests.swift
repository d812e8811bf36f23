import KafkaLog
import MockCluster
import StreamCore
import Testing

@Suite("What is appended is read back")
struct RoundTripTests {
  private func randomBytes(_ random: inout SeededGenerator, upTo limit: Int) -> [UInt8]? {
    switch Int.random(in: 0..<10, using: &random) {
    case 0: nil
    case 1: []
    default:
      (0..<Int.random(in: 1...limit, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
    }
  }

  private func randomRecord(_ random: inout SeededGenerator) -> ProducerRecord {
    // Names repeat, and one is the header that carries times before 1970.
    let names = ["eventType", "eventType", "schemaVersion", "timestamp", ""]
    let headers = (0..<Int.random(in: 0...3, using: &random)).map { _ in
      Header(names.randomElement(using: &random) ?? "", randomBytes(&random, upTo: 20))
    }
    let times: [Int64] = [-62_135_596_800_000, -1, 0, 1, 2, 1_767_603_600_000]
    let time = times.randomElement(using: &random)
    return ProducerRecord(
      key: randomBytes(&random, upTo: 40), value: randomBytes(&random, upTo: 120),
      headers: headers, timestamp: time.map { Timestamp(milliseconds: $0) },
      partition: Bool.random(using: &random) ? Int.random(in: 0..<4, using: &random) : nil)
  }

  @Test("10,000 random records", arguments: [UInt64(1), 2])
  func randomRecords(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let records = (0..<10_000).map { _ in randomRecord(&random) }
    try withMockLog(topics: ["random": 4]) { log, _ in
      let results = try log.appendAll(records, to: "random")
      #expect(results.count == records.count)
      var expected: [TopicPartition: [Offset: ProducerRecord]] = [:]
      for (record, result) in zip(records, results) {
        #expect(record.partition == nil || record.partition == result.topicPartition.partition)
        expected[result.topicPartition, default: [:]][result.offset] = record
      }
      #expect(expected.values.map(\.count).reduce(0, +) == records.count)
      try log.withReader { reader in
        let partitions = (0..<4).map { TopicPartition("random", $0) }
        try reader.assign(Dictionary(uniqueKeysWithValues: partitions.map { ($0, 0) }))
        let reading = try reader.read { $0.atEnd == Set(partitions) }
        var positions: [TopicPartition: Offset] = [:]
        for record in reading.records {
          #expect(record.offset == positions[record.topicPartition, default: 0])
          positions[record.topicPartition] = record.offset + 1
          let sent = try #require(expected[record.topicPartition]?[record.offset])
          #expect(record.key == sent.key)
          #expect(record.value == sent.value)
          #expect(record.headers == sent.headers)
          #expect(record.timestamp == sent.timestamp)
        }
        #expect(positions == expected.mapValues { Offset($0.count) })
      }
    }
  }

  @Test("records of one call keep their order, whoever else appends")
  func orderWithinCalls() throws {
    try withMockLog(topics: ["shared": 1]) { log, _ in
      let appender = try log.makeAppender()
      defer { appender.close() }
      let results = try concurrently(4) { worker in
        var results: [AppendResult] = []
        for call in 0..<20 {
          let first = worker * 1_000 + call * 10
          results += try appender.append(texts(first..<first + 10), to: "shared")
        }
        return results
      }
      #expect(Set(results.flatMap { $0.map(\.offset) }) == Set(0..<800))
      for offsets in results.map({ $0.map(\.offset) }) { #expect(offsets == offsets.sorted()) }
    }
  }

  /// org.apache.kafka.common.utils.UtilsTest.testMurmur2, and BuiltInPartitioner's
  /// toPositive(murmur2(key)) % partitions.
  @Test(
    "a key has the Java client's partition",
    arguments: [
      ("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536),
      ("a-little-bit-longer-string", -1_486_304_829),
      ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971), ("abc", 479_470_107),
    ])
  func javaPartition(key: String, hash: Int) throws {
    try withMockLog(topics: ["keys": 7]) { log, _ in
      let record = ProducerRecord(key: Array(key.utf8), value: [])
      let result = try log.appendAll([record], to: "keys")
      #expect(result.map(\.topicPartition.partition) == [(hash & 0x7fff_ffff) % 7])
    }
  }

  @Test("a record without a time gets one")
  func ownTime() throws {
    try withMockLog(topics: ["times": 1]) { log, _ in
      _ = try log.appendAll(texts([1]), to: "times")
      try log.withReader { reader in
        try reader.assign([TopicPartition("times", 0): 0])
        let record = try #require(try reader.read { $0.records.count == 1 }.records.first)
        let time = try #require(record.timestamp)
        #expect(time > Timestamp(milliseconds: 1_700_000_000_000))
        #expect(record.headers == [])
      }
    }
  }
}
