import KafkaLog
import MockCluster
import StreamCore
import Testing

@Suite("Reading")
struct ReaderTests {
  private let first = TopicPartition("events", 0)
  private let second = TopicPartition("events", 1)

  @Test("each end is said once, and again after it was left")
  func ends() throws {
    try withMockLog(topics: ["events": 2]) { log, _ in
      let appender = try log.makeAppender()
      defer { appender.close() }
      _ = try appender.append(texts(0..<3), to: "events")
      try log.withReader { reader in
        try reader.assign([first: 0, second: 0])
        var reading = try reader.read { $0.atEnd.count == 2 }
        // Several fetches that find nothing.
        for _ in 0..<5 { reading.batches += try reader.poll(timeout: .milliseconds(100)) }
        let ends = reading.batches.filter { $0.endOffset == $0.nextOffset }
        #expect(ends.map(\.topicPartition).sorted() == [first, second])
        #expect(Set(ends.map(\.nextOffset)) == [0, 3])
        #expect(reading.records.texts == ["0", "1", "2"])

        _ = try appender.append(texts(3..<5), to: "events")
        reading = try reader.read { $0.atEnd == [first] }
        for _ in 0..<5 { reading.batches += try reader.poll(timeout: .milliseconds(100)) }
        #expect(reading.records.texts == ["3", "4"])
        #expect(reading.batches.filter { $0.endOffset != nil }.map(\.nextOffset) == [5])
      }
    }
  }

  @Test("reading starts at the position, also after a new assignment", arguments: [0, 1, 9, 10])
  func positions(start: Offset) throws {
    try withMockLog(topics: ["events": 1]) { log, _ in
      _ = try log.appendAll(texts(0..<10), to: "events")
      try log.withReader { reader in
        try reader.assign([first: start])
        #expect(try reader.read { $0.atEnd == [first] }.records.map(\.offset) == Array(start..<10))
        // Back to before what was read, then beyond it.
        for position in [Offset(2), 7, 0] {
          try reader.assign([first: position])
          let reading = try reader.read { $0.atEnd == [first] }
          #expect(reading.records.map(\.offset) == Array(position..<10))
          #expect(reading.batches.last?.endOffset == 10)
        }
      }
    }
  }

  @Test(
    "batches keep their limits, and one larger record comes alone",
    arguments: [
      (ReaderOptions(batchRecordsMax: 7), 7, 700),
      (ReaderOptions(batchRecordsMax: 1_000, batchBytesMax: 250), 2, 200),
      (ReaderOptions(batchRecordsMax: 1_000, batchBytesMax: 50), 1, 100),
    ])
  func limits(options: ReaderOptions, records: Int, bytes: Int) throws {
    try withMockLog(topics: ["events": 2]) { log, _ in
      let sent = (0..<100).map {
        ProducerRecord(
          key: nil, value: [UInt8](repeating: UInt8($0), count: 100), partition: $0 % 2)
      }
      _ = try log.appendAll(sent, to: "events")
      try log.withReader(options) { reader in
        try reader.assign([first: 0, second: 0])
        let reading = try reader.read { $0.atEnd.count == 2 }
        #expect(reading.batches.map(\.count).max() == records)
        #expect(reading.batches.map(\.bytes.count).max() == bytes)
        for partition in [first, second] {
          let values = reading.records.filter { $0.topicPartition == partition }.map(\.value)
          #expect(values == sent.filter { $0.partition == partition.partition }.map(\.value))
        }
      }
    }
  }

  @Test("a batch before the log's end tells where that lies")
  func endAhead() throws {
    try withMockLog(topics: ["events": 1]) { log, _ in
      _ = try log.appendAll(texts(0..<100), to: "events")
      try log.withReader(ReaderOptions(batchRecordsMax: 30)) { reader in
        try reader.assign([first: 0])
        let batches = try reader.read { $0.atEnd == [first] }.batches
        #expect(batches.map(\.nextOffset) == [30, 60, 90, 100])
        #expect(batches.map(\.endOffset) == [100, 100, 100, 100])
      }
    }
  }

  @Test("a paused partition gives nothing until it is resumed, then everything")
  func pausing() throws {
    try withMockLog(topics: ["events": 2]) { log, _ in
      let appender = try log.makeAppender()
      defer { appender.close() }
      _ = try appender.append(texts(0..<50, partition: 0), to: "events")
      try log.withReader(ReaderOptions(batchRecordsMax: 10)) { reader in
        try reader.assign([first: 0, second: 0])
        var reading = try reader.read { $0.records.count >= 10 }
        // Some of its records wait in the reader, some in librdkafka, some are not yet fetched.
        reader.pause(first)
        let before = reading.records.count
        _ = try appender.append(texts(50..<60, partition: 0), to: "events")
        _ = try appender.append(texts(100..<110, partition: 1), to: "events")
        let other = try reader.read { $0.records.count == 10 }
        #expect(Set(other.batches.map(\.topicPartition)) == [second])
        reader.resume(first)
        let rest = try reader.read { $0.records.count == 60 - before }
        reading.batches += rest.batches.filter { $0.topicPartition == first }
        #expect(
          reading.records.filter { $0.topicPartition == first }.texts == (0..<60).map(String.init))
      }
    }
  }

  /// Librdkafka by itself fetches such a partition as much as a second later, once no request is
  /// under way any more. A busy machine may be late now and then, not each time.
  @Test("a partition that is resumed alone is read on at once")
  func resumingAlone() throws {
    try withMockLog(topics: ["events": 1], options: ["fetch.wait.max.ms": "10"]) { log, _ in
      let appender = try log.makeAppender()
      defer { appender.close() }
      try log.withReader(ReaderOptions(fetchedBytesMax: 0)) { reader in
        try reader.assign([first: 0])
        _ = try reader.read { $0.atEnd == [first] }
        var late = 0
        func expect(_ text: String) throws {
          var reading = Reading()
          while reading.records.isEmpty {
            let batches = try reader.poll(timeout: .milliseconds(500))
            if batches.isEmpty { late += 1 }
            reading.batches += batches
          }
          #expect(reading.records.texts == [text])
        }
        for number in stride(from: 0, to: 16, by: 2) {
          reader.pause(first)
          _ = try appender.append(texts([number]), to: "events")
          _ = try reader.poll(timeout: .milliseconds(100))
          reader.resume(first)
          try expect("\(number)")
          _ = try appender.append(texts([number + 1]), to: "events")
          try expect("\(number + 1)")
        }
        #expect(late < 4)
      }
    }
  }

  @Test(
    "pausing and resuming under way neither loses nor repeats", arguments: UInt64(0)..<3,
    [0, 200, 64 << 20])
  func pausingAtRandom(seed: UInt64, fetchedBytesMax: Int) throws {
    var random = SeededGenerator(seed: seed)
    let options = ReaderOptions(batchRecordsMax: 20, fetchedBytesMax: fetchedBytesMax)
    try withMockLog(topics: ["events": 2]) { log, _ in
      let appender = try log.makeAppender()
      defer { appender.close() }
      try log.withReader(options) { reader in
        try reader.assign([first: 0, second: 0])
        var reading = Reading()
        var sent = 0
        while sent < 1_000 {
          let partition = Int.random(in: 0...1, using: &random)
          _ = try appender.append(texts(sent..<sent + 50, partition: partition), to: "events")
          sent += 50
          for partition in [first, second] {
            Bool.random(using: &random) ? reader.pause(partition) : reader.resume(partition)
          }
          reading.batches += try reader.poll(timeout: .milliseconds(20))
        }
        for partition in [first, second] { reader.resume(partition) }
        let missing = sent - reading.records.count
        reading.batches += try reader.read { $0.records.count >= missing }.batches
        #expect(Set(reading.records.texts).count == 1_000)
        #expect(reading.records.count == 1_000)
        for partition in [first, second] {
          let offsets = reading.records.filter { $0.topicPartition == partition }.map(\.offset)
          #expect(offsets == Array(0..<Offset(offsets.count)))
        }
      }
    }
  }

  @Test("wake ends the next poll, and a poll that waits")
  func waking() throws {
    try withMockLog(topics: ["events": 1]) { log, _ in
      try log.withReader { reader in
        try reader.assign([first: 0])
        _ = try reader.read { $0.atEnd == [first] }
        reader.wake()
        #expect(try reader.poll(timeout: .seconds(300)).isEmpty)
        // SAFETY of the shared reader: wake is callable from any thread.
        let shared = Shared(reader)
        let polls = try concurrently(2) { worker in
          guard worker == 0 else {
            shared.reader.wake()
            return true
          }
          return try shared.reader.poll(timeout: .seconds(300)).isEmpty
        }
        #expect(polls == [true, true])
        #expect(try reader.poll(timeout: .zero).isEmpty)
      }
    }
  }

  private struct Shared: @unchecked Sendable {
    let reader: any RecordReader
    init(_ reader: any RecordReader) { self.reader = reader }
  }

  @Test(
    "a position outside the log is an error that names both", arguments: [Offset(6), 1_000, -1])
  func outOfRange(position: Offset) throws {
    try withMockLog(topics: ["events": 1]) { log, _ in
      _ = try log.appendAll(texts(0..<5), to: "events")
      try log.withReader { reader in
        try reader.assign([first: position])
        for _ in 0..<2 {
          let error = try logError { _ = try reader.read { !$0.batches.isEmpty } }
          #expect(error.code == .offsetOutOfRange)
          #expect(
            error.message.hasPrefix(
              "position \(position) of events-0 lies outside the log at \(log.url), whose offsets are "
                + "from 0 to 5"))
        }
        try reader.assign([first: 5])
        #expect(try reader.read { $0.atEnd == [first] }.records.isEmpty)
      }
    }
  }

  @Test("records that retention removed are an error, not a silent jump")
  func trimmed() throws {
    try withMockLog(topics: ["events": 1]) { log, _ in
      let appender = try log.makeAppender()
      defer { appender.close() }
      let block = (0..<10).map { _ in
        ProducerRecord(key: nil, value: [UInt8](repeating: 7, count: 90_000), partition: 0)
      }
      // The mock keeps 5 MB a partition.
      for _ in 0..<10 { _ = try appender.append(block, to: "events") }
      let range = try log.offsets(of: first)
      #expect(range.lowerBound > 0 && range.upperBound == 100)
      try log.withReader { reader in
        try reader.assign([first: 0])
        let error = try logError { _ = try reader.read { !$0.batches.isEmpty } }
        #expect(error.code == .offsetOutOfRange)
        #expect(error.message.contains("from \(range.lowerBound) to 100"))
      }
    }
  }

  /// The mock has neither markers nor isolation; a broker's are in ``BrokerTests``.
  @Test("records of a transaction are read")
  func transaction() throws {
    try withMockLog(topics: ["events": 1]) { log, cluster in
      let writer = try TransactionalWriter(
        bootstrapServers: cluster.bootstrapServers, transactionalID: "writer")
      try writer.write(["a", "b"], to: "events", partition: 0, .commit)
      try log.withReader { reader in
        try reader.assign([first: 0])
        #expect(try reader.read { $0.atEnd == [first] }.records.texts == ["a", "b"])
      }
    }
  }

  @Test("a fetch that fails is tried again")
  func transientErrors() throws {
    try withMockLog(topics: ["events": 1]) { log, cluster in
      _ = try log.appendAll(texts(0..<5), to: "events")
      // NOT_LEADER_FOR_PARTITION, KAFKA_STORAGE_ERROR, UNKNOWN_SERVER_ERROR.
      cluster.fail(.fetch, with: [6, 56, -1])
      try log.withReader { reader in
        try reader.assign([first: 0])
        #expect(try reader.read { $0.atEnd == [first] }.records.texts == ["0", "1", "2", "3", "4"])
      }
    }
  }
}
