import EmbeddedLog
import Foundation
import StreamCore
import Testing
import TopologyTesting

@Suite("the embedded log")
struct EmbeddedLogTests {
  let directory: TemporaryDirectory
  var place: TopicPartition { TopicPartition("t", 0) }

  init() throws { directory = try TemporaryDirectory() }

  private func log(_ retention: TopicRetention = TopicRetention()) throws -> EmbeddedLog {
    let log = try EmbeddedLog.open("local:" + directory.path, create: true)
    if try log.topic("t") == nil {
      try log.createTopic("t", partitions: 1, retention: retention)
    }
    return log
  }

  @Test("keeps the contract", arguments: LogConformance.allCases)
  func contract(_ rule: ConformanceCase) throws {
    let path = directory.path
    let clock = VirtualClock(Timestamp(milliseconds: 1_767_603_600_000))
    var log = LogUnderTest { try EmbeddedLog.open(path, create: true, clock: clock) }
    log.setTime = { _, now in clock.set(to: now) }
    log.applyRetention = { log in try (log as? EmbeddedLog)?.applyRetention() }
    try rule.run(on: log)
  }

  @Test("what was appended is there after opening again")
  func reopening() throws {
    do {
      let log = try log()
      _ = try log.append(["a", "b"], to: "t")
      try log.commit(group: "g", [place: 2])
      _ = try log.append(
        [ProducerRecord(key: [1], value: [2])], to: "t", expectedSequence: 0)
      _ = try log.append([], to: "t", producer: "p", sequence: 0)
    }
    let log = try EmbeddedLog.open(directory.path, create: false)
    #expect(log.url == "local:\(directory.path)")
    #expect(try log.offsets(of: place) == 0..<3)
    #expect(try log.values(place) == ["a", "b", "\u{2}"])
    #expect(try log.committed(group: "g", [place]) == [place: 2])
    #expect(try log.sequence(ofKey: [1], in: "t") == 1)
    #expect(throws: LogError.self) { try log.append([], to: "t", producer: "p", sequence: 2) }
    #expect(
      try log.topics() == [
        TopicDescription(name: "t", partitions: 1, retention: TopicRetention())
      ])
  }

  @Test("a topic's retention is described as it was given")
  func description() throws {
    let retention = TopicRetention(time: .hours(2), bytes: 1 << 30, compacted: true)
    #expect(try log(retention).topic("t")?.retention == retention)
  }

  @Test("there is no log where there is none, unless it is to be created")
  func absence() throws {
    let path = directory.path + "/none"
    let error = #expect(throws: LogError.self) { try EmbeddedLog.open(path, create: false) }
    #expect(error?.code == .unreachable)
    #expect(!FileManager.default.fileExists(atPath: path))
    #expect(try EmbeddedLog.open(path, create: true).topics() == [])
    #expect(try EmbeddedLog.open(path, create: false).topics() == [])
  }

  @Test("records of random sizes and batches come back, however they are read", arguments: 1...6)
  func randomRecords(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    let log = try log()
    var expected: [ProducerRecord] = []
    let appender = try log.makeAppender()
    for _ in 0..<20 {
      let batch = (0..<(random.next(upTo: 2) == 0 ? 1 : random.next(upTo: 400))).map { _ in
        let size = random.next(upTo: 50) == 0 ? random.next(upTo: 150_000) : random.next(upTo: 300)
        return ProducerRecord(
          key: random.next(upTo: 3) == 0 ? nil : Array(repeating: 1, count: Int(size % 40)),
          value: random.next(upTo: 9) == 0 ? nil : Array(repeating: 2, count: Int(size)),
          headers: random.next(upTo: 3) == 0 ? [Header("h", [UInt8(size % 256)])] : [],
          timestamp: Timestamp(milliseconds: Int64(random.next(upTo: 1_000)) - 500))
      }
      _ = try appender.append(batch, to: "t")
      expected += batch
    }
    for _ in 0..<10 {
      let reader = try log.makeReader(
        ReaderOptions(
          batchRecordsMax: 1 + Int(random.next(upTo: 300)),
          batchBytesMax: 1 + Int(random.next(upTo: 100_000))))
      let start = Int(random.next(upTo: UInt64(expected.count)))
      try reader.assign([place: Offset(start)])
      var index = start
      while index < expected.count {
        for batch in try reader.poll(timeout: .zero) {
          for entry in 0..<batch.count {
            let record = batch.record(at: entry)
            let wanted = expected[index]
            #expect(
              record
                == ConsumerRecord(
                  topicPartition: place, offset: Offset(index), timestamp: wanted.timestamp,
                  key: wanted.key, value: wanted.value, headers: wanted.headers),
              "seed \(seed), record \(index)")
            index += 1
          }
        }
      }
    }
    for time: Int64 in [-501, -500, -1, 0, 250, 499, 500] {
      let wanted = expected.firstIndex { ($0.timestamp?.milliseconds ?? 0) >= time }
      #expect(
        try log.offset(of: place, at: Timestamp(milliseconds: time))
          == Offset(wanted ?? expected.count), "seed \(seed), time \(time)")
    }
  }

  @Test("retention by size moves the start by whole blocks, never the end")
  func retentionBySize() throws {
    let log = try log(TopicRetention(bytes: 200_000))
    let value = String(repeating: "v", count: 1_000)
    for round in 1...100 {
      _ = try log.append(Array(repeating: value, count: 10), to: "t")
      let offsets = try log.offsets(of: place)
      #expect(offsets.upperBound == Offset(round * 10))
      #expect(offsets.lowerBound % 10 == 0)
      #expect(offsets.count >= min(round * 10, 190))
      #expect(offsets.count <= 210)
    }
    #expect(try log.contents(place).first?.offset == log.offsets(of: place).lowerBound)
  }

  @Test("an append removes what the log took longer ago than the topic's retention")
  func retentionByTime() throws {
    let clock = VirtualClock()
    let log = try EmbeddedLog.open(directory.path, create: true, clock: clock)
    try log.createTopic(
      "t", partitions: 1, retention: TopicRetention(time: .milliseconds(100)))
    for (now, start): (Int64, Offset) in [
      (0, 0), (100, 0), (101, 1), (50, 1), (201, 2), (202, 4), (1_000, 6),
    ] {
      clock.set(to: Timestamp(milliseconds: now))
      // One record of the far future would once have removed all others.
      _ = try log.append(["v"], to: "t", at: now == 100 ? 1_796_000_000_000_000 : -now)
      #expect(try log.offsets(of: place).lowerBound == start, "after \(now)")
    }
    #expect(try log.offsets(of: place) == 6..<7)
  }

  @Test("retention is applied when asked for, and what it removed is out of range")
  func explicitRetention() throws {
    let log = try log(TopicRetention(bytes: 1))
    _ = try log.append(["a"], to: "t")
    _ = try log.append(["b"], to: "t")
    try log.applyRetention()
    #expect(try log.offsets(of: place) == 1..<2)
    let reader = try log.makeReader(ReaderOptions())
    try reader.assign([place: 0])
    let error = #expect(throws: LogError.self) { try reader.poll(timeout: .zero) }
    #expect(error?.code == .offsetOutOfRange)
    #expect(error?.message == "the position 0 of t-0 is outside the log's offsets 1..<2")
    // A time that only removed records had is now the start's or later.
    #expect(try log.offset(of: place, at: .epoch) == 1)
  }

  @Test("an append beyond one commit goes in parts, a transaction is refused with its size")
  func largeAppends() throws {
    let log = try log()
    let value = Array(repeating: UInt8(1), count: 300_000)
    let records = (0..<500).map {
      ProducerRecord(key: [UInt8($0 % 256)], value: value, timestamp: .epoch)
    }
    let appender = try log.makeAppender()
    let results = try appender.append(records, to: "t")
    #expect(results.map { $0.offset } == (0..<500).map { Offset($0) })
    // What can be refused is refused before anything is in.
    var bad = records
    bad[499].partition = 1
    let missing = #expect(throws: LogError.self) { try appender.append(bad, to: "t") }
    #expect(missing?.code == .partitionMissing)
    let producer = try log.makeProducer(transactionalID: "p")
    let large = Array(repeating: UInt8(1), count: 60 << 20)
    let error = #expect(throws: LogError.self) {
      try producer.commit(
        (0..<5).map { _ in ("t", ProducerRecord(key: nil, value: large, timestamp: .epoch)) })
    }
    #expect(error?.code == .recordRejected)
    #expect(
      error?.message.hasPrefix(
        "5 records of 314573300 bytes together, the largest of 62914660, are beyond the 268435456 ")
        == true, "\(error?.message ?? "")")
    #expect(try log.offsets(of: place) == 0..<500)
  }

  @Test("a full map grows under appends and readers")
  func growth() throws {
    let log = try EmbeddedLog.open(directory.path, create: true, mapSize: 1 << 20)
    try log.createTopic("t", partitions: 1, retention: TopicRetention())
    let value = String(repeating: "v", count: 50_000)
    for round in 0..<20 {
      let results = try log.append(Array(repeating: value, count: 20), to: "t")
      #expect(results.map { $0.offset } == Array(Offset(round * 20)..<Offset(round * 20 + 20)))
    }
    #expect(try log.contents(place).count == 400)
  }

  @Test("records beyond a limit are rejected before anything is appended")
  func limits() throws {
    let log = try log()
    let appender = try log.makeAppender()
    let small = ProducerRecord(key: nil, value: [1])
    for large in [
      ProducerRecord(key: nil, value: Array(repeating: 0, count: (64 << 20) + 1)),
      ProducerRecord(
        key: nil, value: nil, headers: [Header(String(repeating: "n", count: 65_536), nil)]),
    ] {
      let error = #expect(throws: LogError.self) { try appender.append([small, large], to: "t") }
      #expect(error?.code == .recordRejected)
    }
    #expect(try log.offsets(of: place) == 0..<0)
  }

  @Test("an appender follows a topic that was deleted and made anew")
  func topicMadeAnew() throws {
    let log = try log()
    let appender = try log.makeAppender()
    let records = (0..<5).map {
      ProducerRecord(key: [UInt8($0)], value: [UInt8($0)], timestamp: .epoch)
    }
    _ = try appender.append(records, to: "t")
    try log.deleteTopic("t")
    try log.createTopic("t", partitions: 8, retention: TopicRetention())
    let results = try appender.append(records, to: "t")
    for (record, result) in zip(records, results) {
      #expect(result.topicPartition.partition == partition(forKey: record.key ?? [], count: 8))
    }
  }

  @Test("a deleted topic's reader hears that it is gone")
  func readerOfDeletedTopic() throws {
    let log = try log()
    let reader = try log.makeReader(ReaderOptions())
    try reader.assign([place: 0])
    try log.deleteTopic("t")
    try log.createTopic("t", partitions: 1, retention: TopicRetention())
    let error = #expect(throws: LogError.self) { try reader.poll(timeout: .zero) }
    #expect(error?.code == .topicMissing)
  }
}
