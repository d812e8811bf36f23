import Foundation
import KafkaLog
import MockCluster
import StreamCore
import Testing

@Suite("Topics, offsets, groups")
struct KafkaLogTests {
  @Test("topics are listed by name; a missing one is nil and stays missing")
  func topics() throws {
    try withMockLog(topics: ["b": 3, "a": 1]) { log, _ in
      let topics = try log.topics()
      #expect(topics.map(\.name) == ["a", "b"])
      #expect(topics.map(\.partitions) == [1, 3])
      let (known, unknown) = (try log.topic("b"), try log.topic("c"))
      #expect(known == TopicDescription(name: "b", partitions: 3))
      #expect(unknown == nil)
      let again = try log.topics()
      #expect(again == topics)
    }
  }

  @Test("offsets are those of the log")
  func offsets() throws {
    try withMockLog(topics: ["events": 2]) { log, _ in
      #expect(try log.offsets(of: TopicPartition("events", 0)) == 0..<0)
      _ = try log.appendAll(texts(0..<4, partition: 1), to: "events")
      #expect(try log.offsets(of: TopicPartition("events", 1)) == 0..<4)
      #expect(
        try log.offset(of: TopicPartition("events", 0), at: Timestamp(milliseconds: 5)) == 0)
      #expect(try log.offset(of: TopicPartition("events", 1), at: .epoch) == 0)
      // The mock keeps no times, which must not look like "nothing that late".
      #expect(
        try log.offset(of: TopicPartition("events", 1), at: Timestamp(milliseconds: 5)) == nil)
    }
  }

  @Test("a missing topic or partition is named, and nothing is created")
  func missing() throws {
    try withMockLog(topics: ["events": 2]) { log, _ in
      let appender = try log.makeAppender()
      defer { appender.close() }
      try log.withReader { reader in
        let topic = TopicPartition("order-events", 0)
        let partition = TopicPartition("events", 2)
        for error in [
          try logError { try reader.assign([topic: 0]) },
          try logError { _ = try log.offsets(of: topic) },
          try logError { _ = try appender.append(texts([1]), to: "order-events") },
        ] {
          #expect(error.code == .topicMissing)
          #expect(
            error.message
              == "there is no topic 'order-events' at \(log.url); create it with 'projector topics "
              + "create order-events --partitions N --log \(log.url)'")
        }
        for error in [
          try logError { try reader.assign([partition: 0]) },
          try logError { _ = try log.offsets(of: partition) },
          try logError { _ = try appender.append(texts([1], partition: 2), to: "events") },
        ] {
          #expect(error.code == .partitionMissing)
          #expect(error.message.contains("has 2 partitions, counted from 0, and no partition 2"))
        }
      }
      #expect(try log.topics().map(\.name) == ["events"])
      #expect(try log.offsets(of: TopicPartition("events", 0)) == 0..<0)
    }
  }

  @Test("a record that is too large is refused before anything is sent")
  func oversized() throws {
    try withMockLog(topics: ["events": 1], options: ["message.max.bytes": "2000"]) { log, _ in
      let appender = try log.makeAppender()
      defer { appender.close() }
      let large = ProducerRecord(key: nil, value: [UInt8](repeating: 1, count: 2_001), partition: 0)
      let error = try logError { _ = try appender.append(texts([1]) + [large], to: "events") }
      #expect(error.code == .recordRejected)
      #expect(
        error.message
          == "record 2 of 2 for 'events' has 2001 bytes of key, value and headers, and Kafka option "
          + "'message.max.bytes' allows 2000")
      #expect(try log.offsets(of: TopicPartition("events", 0)) == 0..<0)
    }
  }

  @Test(
    "what a broker refuses for good is an error that says what to change",
    arguments: [
      (Int32(10), "'max.message.bytes' is below 'message.max.bytes' (1000000)"),
      (32, "'message.timestamp.after.max.ms' (1 hour, unless set)"),
      (87, "a compacted topic takes no record without a key"),
    ])
  func refused(error: Int32, reason: String) throws {
    try withMockLog(topics: ["events": 1]) { log, cluster in
      cluster.fail(.produce, with: [error])
      let appender = try log.makeAppender()
      defer { appender.close() }
      let refusal = try logError { _ = try appender.append(texts(0..<2), to: "events") }
      #expect(refusal.code == .recordRejected)
      #expect(refusal.message.contains(reason), "\(refusal.message)")
      // The appender goes on all the same.
      #expect(try appender.append(texts([2]), to: "events").map(\.offset) == [0])
    }
  }

  @Test("a header name that cannot be sent is refused")
  func headerNames() throws {
    try withMockLog(topics: ["events": 1]) { log, _ in
      for name in ["a\0b", String(repeating: "n", count: 65_536)] {
        let record = ProducerRecord(key: nil, value: [1], headers: [Header(name, "v")])
        let error = try logError { _ = try log.appendAll([record], to: "events") }
        #expect(error.code == .recordRejected)
      }
      let range = try log.offsets(of: TopicPartition("events", 0))
      #expect(range == 0..<0)
    }
  }

  @Test("what a group committed is kept, group by group")
  func groups() throws {
    try withMockLog(topics: ["events": 2]) { log, _ in
      let groups = try #require(log.groupOffsets)
      let partitions = (0..<2).map { TopicPartition("events", $0) }
      #expect(try groups.committed(group: "order-projection", partitions) == [:])
      try groups.commit(group: "order-projection", [partitions[0]: 7])
      try groups.commit(group: "order-projection", [partitions[0]: 5, partitions[1]: 1])
      try groups.commit(group: "other", [partitions[1]: 9])
      let other = try KafkaLog.open(url: log.url)
      defer { other.close() }
      let seen = try #require(other.groupOffsets)
      #expect(
        try seen.committed(group: "order-projection", partitions)
          == [partitions[0]: 5, partitions[1]: 1])
      #expect(try seen.committed(group: "other", partitions) == [partitions[1]: 9])
    }
  }

  /// LEADER_NOT_AVAILABLE 5, UNKNOWN_TOPIC_OR_PARTITION 3, NOT_LEADER_OR_FOLLOWER 6,
  /// OFFSET_NOT_AVAILABLE 78; COORDINATOR_LOAD_IN_PROGRESS 14, COORDINATOR_NOT_AVAILABLE 15,
  /// NOT_COORDINATOR 16. Librdkafka repeats some of them by itself, two or three times.
  @Test("a leader or coordinator that is just being found is asked again")
  func passingErrors() throws {
    try withMockLog(topics: ["events": 1]) { log, cluster in
      let partition = TopicPartition("events", 0)
      _ = try log.appendAll(texts(0..<3), to: "events")
      cluster.fail(.listOffsets, with: [6, 3, 5, 78, 6, 3])
      #expect(try log.offsets(of: partition) == 0..<3)
      let groups = try #require(log.groupOffsets)
      cluster.fail(.findCoordinator, with: [15, 15])
      cluster.fail(.offsetCommit, with: [14, 14, 14, 14, 16])
      try groups.commit(group: "g", [partition: 2])
      cluster.fail(.offsetFetch, with: [14, 14, 14, 14, 16])
      #expect(try groups.committed(group: "g", [partition]) == [partition: 2])
    }
  }

  @Test("a group that has members refuses a commit, and takes one later")
  func groupWithMembers() throws {
    try withMockLog(topics: ["events": 1]) { log, cluster in
      let groups = try #require(log.groupOffsets)
      let partition = TopicPartition("events", 0)
      // UNKNOWN_MEMBER_ID.
      cluster.fail(.offsetCommit, with: [25])
      let error = try logError { try groups.commit(group: "g", [partition: 1]) }
      #expect(error.code == .failed)
      #expect(error.message.contains("Unknown member"))
      try groups.commit(group: "g", [partition: 2])
      #expect(try groups.committed(group: "g", [partition]) == [partition: 2])
    }
  }

  @Test("what the mock cannot do is said, not pretended")
  func unsupported() throws {
    try withMockLog(topics: ["events": 1]) { log, _ in
      let groups = try #require(log.groupOffsets)
      let error = try logError {
        try groups.delete(group: "order-projection", [TopicPartition("events", 0)])
      }
      #expect(error.code == .unsupported)
      #expect(
        error.message.hasPrefix(
          "cannot delete the offsets of group 'order-projection' at \(log.url): "))
      let administration = try #require(log.administration)
      let invalid = try logError {
        try administration.createTopic("new", partitions: 0, retention: TopicRetention())
      }
      #expect(invalid.code == .invalid)
      for name in ["", ".", "..", "a/b", "ä", String(repeating: "a", count: 250)] {
        let error = try logError {
          try administration.createTopic(name, partitions: 1, retention: TopicRetention())
        }
        #expect(error.code == .invalid, "\(name)")
      }
    }
  }
}

@Suite("Unreachable brokers")
struct UnreachableTests {
  @Test("is reported within the request timeout, with brokers and cause")
  func refused() throws {
    // Port 1 is reserved and nobody listens there.
    let log = try KafkaLog.open(
      url: "kafka://127.0.0.1:1", options: ["projector.request.timeout.ms": "300"])
    defer { log.close() }
    let appender = try log.makeAppender()
    defer { appender.close() }
    try log.withReader { reader in
      for error in [
        try logError { _ = try log.topics() },
        try logError { try reader.assign([TopicPartition("events", 0): 0]) },
        try logError { _ = try appender.append(texts([1]), to: "events") },
      ] {
        #expect(error.code == .unreachable)
        #expect(error.message.contains("kafka://127.0.0.1:1"))
        #expect(error.message.contains("Connection refused"))
      }
      let groups = try #require(log.groupOffsets)
      let commit = try logError {
        try groups.commit(group: "g", [TopicPartition("events", 0): 1])
      }
      #expect(commit.code == .unreachable)
    }
  }

  @Test("an append that waits for a broker gives up where its owner hurries")
  func hurrying() throws {
    let options = ["projector.request.timeout.ms": "300"]
    try withMockLog(topics: ["events": 1], options: options) { log, cluster in
      let appender = try log.makeAppender()
      defer { appender.close() }
      _ = try appender.append(texts(0..<3), to: "events")
      appender.hurry()
      _ = try appender.append(texts(3..<6), to: "events")
      cluster.setBrokers(up: false)
      let error = try logError { _ = try appender.append(texts(6..<9), to: "events") }
      #expect(error.code == .unreachable)
      #expect(error.message.contains(log.url))
    }
  }

  @Test("what keeps a reader from reading is said until it is over, also with nothing to read")
  func trouble() throws {
    let options = ["reconnect.backoff.max.ms": "200"]
    try withMockLog(topics: ["events": 1], options: options) { log, cluster in
      let partition = TopicPartition("events", 0)
      try log.withReader { reader in
        try reader.assign([partition: 0])
        _ = try reader.read { $0.atEnd == [partition] }
        #expect(reader.trouble == nil)
        cluster.setBrokers(up: false)
        for _ in 0..<600 where reader.trouble == nil {
          _ = try reader.poll(timeout: .milliseconds(100))
        }
        let trouble = try #require(reader.trouble)
        #expect(trouble.hasPrefix("no broker of \(log.url) can be reached: "))
        cluster.setBrokers(up: true)
        for _ in 0..<600 where reader.trouble != nil {
          _ = try reader.poll(timeout: .milliseconds(100))
        }
        #expect(reader.trouble == nil)
      }
    }
  }

  @Test("a broker that goes away while reading is waited for, and read on from")
  func returning() throws {
    let options = ["reconnect.backoff.max.ms": "200"]
    try withMockLog(topics: ["events": 1], options: options) { log, cluster in
      let appender = try log.makeAppender()
      defer { appender.close() }
      let partition = TopicPartition("events", 0)
      _ = try appender.append(texts(0..<3), to: "events")
      try log.withReader { reader in
        try reader.assign([partition: 0])
        #expect(try reader.read { $0.atEnd == [partition] }.records.count == 3)
        cluster.setBrokers(up: false)
        for _ in 0..<3 { #expect(try reader.poll(timeout: .milliseconds(100)).isEmpty) }
        cluster.setBrokers(up: true)
        _ = try appender.append(texts(3..<6), to: "events")
        #expect(try reader.read { $0.atEnd == [partition] }.records.texts == ["3", "4", "5"])
      }
    }
  }

  @Test("where the settings ask for it, a poll reports brokers that stay away")
  func reported() throws {
    let options = [
      "reconnect.backoff.max.ms": "200", "projector.request.timeout.ms": "300",
      "projector.unreachable.after.ms": "100",
    ]
    try withMockLog(topics: ["events": 1], options: options) { log, cluster in
      let partition = TopicPartition("events", 0)
      try log.withReader { reader in
        try reader.assign([partition: 0])
        _ = try reader.read { $0.atEnd == [partition] }
        cluster.setBrokers(up: false)
        let error = try logError { _ = try reader.read { !$0.batches.isEmpty } }
        #expect(error.code == .unreachable)
        cluster.setBrokers(up: true)
        _ = try log.appendAll(texts([1]), to: "events")
        var reading = Reading()
        for _ in 0..<600 where reading.records.isEmpty {
          reading.batches += (try? reader.poll(timeout: .milliseconds(100))) ?? []
        }
        #expect(reading.records.texts == ["1"])
      }
    }
  }
}
