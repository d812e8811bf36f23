import Foundation
import KafkaLog
import StreamCore
import Testing

private let bootstrapServers = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"]

/// What librdkafka's mock cannot show.
@Suite(
  "A broker",
  .enabled(if: bootstrapServers != nil, "skipped: KAFKA_BOOTSTRAP_SERVERS names no broker"))
struct BrokerTests {
  private func withTopic(
    _ retention: TopicRetention = TopicRetention(),
    _ body: (KafkaLog, any TopicAdministration, String) throws -> Void
  ) throws {
    let servers = try #require(bootstrapServers)
    let log = try KafkaLog.open(
      url: "kafka://\(servers)", options: ["projector.request.timeout.ms": "15000"])
    defer { log.close() }
    let administration = try #require(log.administration)
    let name = "projector-test-\(UUID().uuidString)"
    try administration.createTopic(name, partitions: 2, retention: retention)
    defer { try? administration.deleteTopic(name) }
    // A broker may answer before all of them know the topic.
    for _ in 0..<100 {
      if try log.topic(name) != nil { break }
    }
    try body(log, administration, name)
  }

  @Test(
    "topics are created with their retention, once, and deleted",
    arguments: [
      TopicRetention(), TopicRetention(time: .seconds(3_600), bytes: 1 << 30),
      TopicRetention(compacted: true), TopicRetention(time: .seconds(60), compacted: true),
    ])
  func administration(retention: TopicRetention) throws {
    try withTopic(retention) { log, administration, name in
      let topic = try log.topic(name)
      #expect(topic == TopicDescription(name: name, partitions: 2, retention: retention))
      let again = try logError {
        try administration.createTopic(name, partitions: 1, retention: TopicRetention())
      }
      #expect(again.code == .topicExists)
      let missing = try logError { try administration.deleteTopic(name + "-missing") }
      #expect(missing.code == .topicMissing)
    }
  }

  @Test("the first record at or after a time is found")
  func times() throws {
    try withTopic { log, _, name in
      let partition = TopicPartition(name, 0)
      let times = [1_000, 2_000, 3_000].map { Int64(1_767_603_600_000 + $0) }
      let records = times.map {
        ProducerRecord(
          key: nil, value: [1], timestamp: Timestamp(milliseconds: $0), partition: 0)
      }
      // One call each: a batch is searched by its records, too.
      for record in records { _ = try log.appendAll([record], to: name) }
      for (time, offset) in [
        (times[0] - 1, 0), (times[1], 1), (times[1] + 1, 2), (times[2] + 1, 3),
      ] {
        let found = try log.offset(of: partition, at: Timestamp(milliseconds: time))
        #expect(found == Offset(offset), "at \(time)")
      }
      let range = try log.offsets(of: partition)
      #expect(range == 0..<3)
    }
  }

  @Test("a group's offsets are committed, seen and deleted")
  func groups() throws {
    try withTopic { log, _, name in
      let groups = try #require(log.groupOffsets)
      let partition = TopicPartition(name, 1)
      let group = "group-of-\(name)"
      try groups.commit(group: group, [partition: 7])
      let committed = try groups.committed(group: group, [partition])
      #expect(committed == [partition: 7])
      try groups.delete(group: group, [partition])
      let deleted = try groups.committed(group: group, [partition])
      #expect(deleted == [:])
    }
  }

  @Test("records are read back, and the end is known at once")
  func reading() throws {
    try withTopic { log, _, name in
      _ = try log.appendAll(texts(0..<1_000), to: name)
      try log.withReader { reader in
        try reader.assign([TopicPartition(name, 0): 0, TopicPartition(name, 1): 0])
        let reading = try reader.read { $0.atEnd.count == 2 }
        #expect(reading.records.texts == (0..<1_000).map(String.init))
      }
    }
  }
}
