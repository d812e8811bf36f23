import Foundation
import KafkaLog
import MockCluster
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

  @Test("a topic can be used as soon as its creation returns", arguments: 0..<5)
  func freshTopic(_: Int) throws {
    try withTopic { log, _, name in
      #expect(try log.topic(name)?.partitions == 2)
      #expect(try log.offsets(of: TopicPartition(name, 1)) == 0..<0)
      #expect(try log.appendAll(texts(0..<3), to: name).map(\.offset) == [0, 1, 2])
      try log.withReader { reader in
        let partition = TopicPartition(name, 0)
        try reader.assign([partition: 0])
        #expect(try reader.read { $0.atEnd == [partition] }.records.texts == ["0", "1", "2"])
      }
    }
  }

  /// Kafka 4.0 takes by default nothing that is more than an hour ahead of its clock.
  @Test("a topic of ours takes any event time")
  func anyTime() throws {
    let times: [Int64] = [-62_135_596_800_000, -1, 0, 1, 4_102_444_800_000, 253_402_300_799_000]
    try withTopic { log, _, name in
      let records = times.map {
        ProducerRecord(
          key: nil, value: [1], timestamp: Timestamp(milliseconds: $0), partition: 0)
      }
      _ = try log.appendAll(records, to: name)
      try log.withReader { reader in
        let partition = TopicPartition(name, 0)
        try reader.assign([partition: 0])
        let read = try reader.read { $0.atEnd == [partition] }.records
        #expect(read.map { $0.timestamp?.milliseconds } == times)
      }
    }
  }

  @Test("transactions: markers and aborted records are passed over, open ones end the log")
  func transactions() throws {
    let servers = try #require(bootstrapServers)
    try withTopic { log, _, name in
      let partition = TopicPartition(name, 0)
      let writer = try TransactionalWriter(bootstrapServers: servers, transactionalID: name)
      try log.withReader { reader in
        try reader.assign([partition: 0])
        func expect(_ texts: [String], end: Offset) throws {
          let reading = try reader.read {
            $0.batches.last?.nextOffset == end && $0.atEnd == [partition]
          }
          #expect(reading.records.texts == texts)
          #expect(try log.offsets(of: partition) == 0..<end)
        }
        try writer.write(["a", "b"], to: name, partition: 0, .commit)
        try expect(["a", "b"], end: 3)
        // Nothing but what readers are not given: the position moves on all the same.
        try writer.write(["lost"], to: name, partition: 0, .abort)
        try expect([], end: 5)
        try writer.write(["open"], to: name, partition: 0, .leaveOpen)
        _ = try log.appendAll(texts([7]), to: name)
        #expect(try log.offsets(of: partition) == 0..<5)
        // A reader that begins there is at its end at once.
        try reader.assign([partition: 5])
        try expect([], end: 5)
        // The next holder of the id aborts what was open.
        let next = try TransactionalWriter(bootstrapServers: servers, transactionalID: name)
        try next.write(["c"], to: name, partition: 0, .commit)
        try expect(["7", "c"], end: 10)
      }
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
