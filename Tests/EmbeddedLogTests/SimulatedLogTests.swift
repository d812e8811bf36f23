import StreamCore
import Testing
import TopologyTesting

@Suite("the simulated log")
struct SimulatedLogTests {
  @Test("keeps the contract", arguments: LogConformance.allCases)
  func contract(_ rule: ConformanceCase) throws {
    try rule.run(
      on: Self.underTest {
        let log = SimulatedLog()
        log.limit(recordBytes: 250_000, appendBytes: 2_000_000)
        return log
      })
  }

  private static func underTest(_ open: @escaping @Sendable () -> SimulatedLog) -> LogUnderTest {
    var log = LogUnderTest(open: open)
    log.setTime = { log, now in (log as? SimulatedLog)?.setTime(now) }
    log.applyRetention = { log in (log as? SimulatedLog)?.applyRetention() }
    return log
  }

  @Test("keeps the contract with batches of odd sizes", arguments: UInt64(0)..<5)
  func oddBatches(seed: UInt64) throws {
    var underTest = Self.underTest { SimulatedLog(seed: seed) }
    underTest.deliversInTurn = false
    for suite in [LogConformance.reading, LogConformance.transactions, LogConformance.times] {
      for rule in suite.cases { try rule.run(on: underTest) }
    }
  }

  @Test("a record is taken at its own time, one without at none, and at the log's once that is set")
  func appendTimes() throws {
    let (log, place) = try log("without")
    let record = ProducerRecord(key: nil, value: [1], timestamp: Timestamp(milliseconds: -7))
    _ = try log.makeAppender().append([record], to: "t")
    log.setTime(Timestamp(milliseconds: 5_000))
    _ = try log.makeAppender().append([record], to: "t")
    let reader = try log.makeReader(ReaderOptions())
    try reader.assign([place: 0])
    let batch = try #require(try reader.poll(timeout: .zero).first)
    #expect(
      (0..<3).map { batch.appendTime(of: $0)?.milliseconds } == [nil, -7, 5_000])
  }

  @Test("limits of size are kept, and nothing of an append beyond them is taken")
  func limits() throws {
    let (log, place) = try log()
    log.limit(recordBytes: 110, appendBytes: 220)
    let small = ProducerRecord(key: nil, value: Array(repeating: 1, count: 10), partition: 0)
    let large = ProducerRecord(key: nil, value: Array(repeating: 1, count: 11), partition: 0)
    let appender = try log.makeAppender()
    _ = try appender.append([small, small], to: "t")
    for records in [[large], [small, large], [small, small, small]] {
      let error = #expect(throws: LogError.self) { try appender.append(records, to: "t") }
      #expect(error?.code == .recordRejected)
    }
    #expect(try log.offsets(of: place) == 0..<2)
    #expect(log.recordBytesMax == 110 && log.appendBytesMax == 220)
  }

  private func log(_ values: String...) throws -> (SimulatedLog, TopicPartition) {
    let log = SimulatedLog()
    try log.administration?.createTopic("t", partitions: 1, retention: TopicRetention())
    try append(values, to: log)
    return (log, TopicPartition("t", 0))
  }

  private func append(_ values: [String], to log: SimulatedLog) throws {
    _ = try log.makeAppender().append(
      values.map { ProducerRecord(key: nil, value: Array($0.utf8), partition: 0) }, to: "t")
  }

  private func read(_ reader: any RecordReader) throws -> (values: [String], last: RecordBatch?) {
    let batches = try reader.poll(timeout: .zero)
    let values = batches.flatMap { batch in
      (0..<batch.count).map {
        String(decoding: batch.record(at: $0).value ?? [], as: UTF8.self)
      }
    }
    return (values, batches.last)
  }

  @Test("withheld records are neither delivered nor denied")
  func withheld() throws {
    let (log, place) = try log("a", "b", "c")
    log.withhold(place, from: 1)
    let reader = try log.makeReader(ReaderOptions())
    try reader.assign([place: 0])
    let first = try read(reader)
    #expect(first.values == ["a"])
    #expect(first.last?.endOffset == 3)
    #expect(try read(reader).last == nil)
    log.withhold(place, from: nil)
    #expect(try read(reader).values == ["b", "c"])
  }

  @Test("hidden offsets move the position and the end")
  func hidden() throws {
    let (log, place) = try log("a")
    log.insertHidden(place, count: 2)
    try append(["b"], to: log)
    log.insertHidden(place)
    let reader = try log.makeReader(ReaderOptions())
    try reader.assign([place: 1])
    let read = try read(reader)
    #expect(read.values == ["b"])
    #expect(read.last?.entries.first?.offset == 3)
    #expect(read.last?.nextOffset == 5)
    #expect(read.last?.endOffset == 5)
  }

  @Test("a removed start is out of range, the end stays")
  func removedStart() throws {
    let (log, place) = try log("a", "b", "c")
    log.removeStart(of: place, before: 2)
    #expect(try log.offsets(of: place) == 2..<3)
    let reader = try log.makeReader(ReaderOptions())
    try reader.assign([place: 1])
    let error = #expect(throws: LogError.self) { try reader.poll(timeout: .zero) }
    #expect(error?.code == .offsetOutOfRange)
    #expect(
      error?.message == "the position 1 of t-0 is outside the log's 2..<3")
  }

  @Test("a diverged log gives the lost offsets anew")
  func diverged() throws {
    let (log, place) = try log("a", "b", "c")
    log.diverge(place, at: 1)
    #expect(try log.offsets(of: place) == 0..<1)
    try append(["other"], to: log)
    let reader = try log.makeReader(ReaderOptions())
    try reader.assign([place: 1])
    #expect(try read(reader).values == ["other"])
  }

  @Test("an unknown end is said to be unknown")
  func unknownEnd() throws {
    let (log, place) = try log("a")
    log.hideEnd(of: place, true)
    let reader = try log.makeReader(ReaderOptions())
    try reader.assign([place: 0])
    let first = try read(reader)
    #expect(first.values == ["a"])
    #expect(first.last?.endOffset == nil)
    log.hideEnd(of: place, false)
    #expect(try read(reader).last?.endOffset == 1)
  }

  @Test("the call that was told to fail fails, once", arguments: 1...3)
  func failure(call: Int) throws {
    let (log, _) = try log()
    log.fail(.append, call: call, with: LogError(.unreachable, "gone"))
    for number in 1...4 {
      if number == call {
        #expect(throws: LogError(.unreachable, "gone")) { try append(["v"], to: log) }
      } else {
        try append(["v"], to: log)
      }
    }
    #expect(try log.offsets(of: TopicPartition("t", 0)) == 0..<3)
  }

  @Test("retention moves the start, never the end")
  func retention() throws {
    let log = SimulatedLog()
    try log.administration?.createTopic(
      "t", partitions: 1, retention: TopicRetention(time: .seconds(10), bytes: 3))
    let appender = try log.makeAppender()
    for (time, wanted): (Int64, Range<Offset>) in [
      (0, 0..<1), (10_000, 0..<2), (10_001, 1..<3), (10_002, 1..<4), (10_003, 2..<5),
    ] {
      log.setTime(Timestamp(milliseconds: time))
      _ = try appender.append(
        [ProducerRecord(key: nil, value: [1])], to: "t")
      #expect(try log.offsets(of: TopicPartition("t", 0)) == wanted)
    }
  }
}
