import StreamCore

/// A log in the hands of one conformance case, with the steps that cases share.
struct LogTrial {
  let log: any RecordLog
  let setup: LogUnderTest

  func topic(_ name: String, partitions: Int = 1) throws {
    try setup.createTopic(log, name, partitions)
  }

  func append(_ records: [ProducerRecord], to topic: String) throws -> [AppendResult] {
    let appender = try log.makeAppender()
    defer { appender.close() }
    return try appender.append(records, to: topic)
  }

  /// Records of one partition, named by their values.
  func append(values: [String], to topic: String, partition: Int = 0) throws -> [AppendResult] {
    try append(values.map { record($0, partition: partition) }, to: topic)
  }

  func record(_ value: String, partition: Int? = nil, at time: Int64 = 1) -> ProducerRecord {
    ProducerRecord(
      key: nil, value: Array(value.utf8), timestamp: Timestamp(milliseconds: time),
      partition: partition)
  }

  /// A reader assigned to partitions, from their start where no position is given.
  func reader(
    _ positions: [TopicPartition: Offset], _ options: ReaderOptions = ReaderOptions()
  ) throws -> any RecordReader {
    let reader = try log.makeReader(options)
    try reader.assign(positions)
    return reader
  }

  /// The next batches that come within the trial's patience.
  func poll(_ reader: any RecordReader, _ awaited: String) throws -> [RecordBatch] {
    let deadline = ContinuousClock.now + setup.patience
    while ContinuousClock.now < deadline {
      let batches = try reader.poll(timeout: .milliseconds(200))
      if !batches.isEmpty { return batches }
    }
    throw ConformanceFailure("waited \(setup.patience) for \(awaited)")
  }

  /// Reads until each partition has said that it is at its end.
  func drain(_ reader: any RecordReader, _ partitions: Set<TopicPartition>) throws
    -> [TopicPartition: [ConsumerRecord]]
  {
    var records: [TopicPartition: [ConsumerRecord]] = [:]
    var open = partitions
    while !open.isEmpty {
      for batch in try poll(reader, "the end of \(open.sorted())") {
        try check(batch)
        let read = (0..<batch.count).map { batch.record(at: $0) }
        records[batch.topicPartition, default: []] += read
        if batch.endOffset == batch.nextOffset {
          open.remove(batch.topicPartition)
        } else {
          open.insert(batch.topicPartition)
        }
      }
    }
    return records
  }

  /// Everything in these partitions.
  func contents(_ partitions: TopicPartition...) throws -> [TopicPartition: [ConsumerRecord]] {
    let positions = try partitions.map { ($0, try log.offsets(of: $0).lowerBound) }
    let reader = try reader(Dictionary(uniqueKeysWithValues: positions))
    defer { reader.close() }
    return try drain(reader, Set(partitions))
  }

  func values(_ partition: TopicPartition) throws -> [String] {
    try contents(partition)[partition, default: []].map { text($0) }
  }

  func text(_ record: ConsumerRecord) -> String {
    String(decoding: record.value ?? [], as: UTF8.self)
  }

  /// What holds for every batch of every log.
  func check(_ batch: RecordBatch) throws {
    var last: Offset = -1
    for entry in batch.entries {
      try expect(entry.offset > last, "offsets rise within a batch: \(entry.offset) after \(last)")
      last = entry.offset
    }
    try expect(batch.nextOffset > last, "the next offset lies behind the records")
    if let end = batch.endOffset {
      try expect(end >= batch.nextOffset, "end \(end) is before the position \(batch.nextOffset)")
    }
  }

  func expect(_ holds: Bool, _ rule: @autoclosure () -> String) throws {
    guard holds else { throw ConformanceFailure("broken: \(rule())") }
  }

  func equal<Value: Equatable>(_ found: Value, _ wanted: Value, _ what: String) throws {
    guard found == wanted else {
      throw ConformanceFailure("\(what): found \(found), expected \(wanted)")
    }
  }

  /// Runs what must fail with one code.
  func fails(_ code: LogError.Code, _ what: String, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as LogError {
      guard error.code == code else {
        throw ConformanceFailure("\(what) failed with \(error.code) (\(error)), not \(code)")
      }
      return
    }
    throw ConformanceFailure("\(what) succeeded, where \(code) was expected")
  }
}
