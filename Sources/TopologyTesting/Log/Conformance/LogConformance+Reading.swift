import StreamCore

extension LogConformance {
  /// Assigning, polling, ends of partitions, pausing, waking, positions out of range.
  public static let reading = ConformanceSuite(
    name: "reading",
    cases: [
      ConformanceCase("an empty partition says once that it is at its end") { trial in
        try trial.topic("empty")
        let partition = TopicPartition("empty", 0)
        let reader = try trial.reader([partition: 0])
        defer { reader.close() }
        let batches = try trial.poll(reader, "the end")
        try trial.equal(batches.map { $0.topicPartition }, [partition], "batches")
        try trial.equal(batches[0].count, 0, "records")
        try trial.equal(batches[0].nextOffset, 0, "position")
        try trial.equal(batches[0].endOffset, 0, "end")
        try trial.expect(
          try reader.poll(timeout: .milliseconds(20)).isEmpty, "the end is said once only")
      },
      ConformanceCase("a partition says that it is at its end each time it got there") { trial in
        try trial.topic("ends")
        let partition = TopicPartition("ends", 0)
        let reader = try trial.reader([partition: 0])
        defer { reader.close() }
        _ = try trial.drain(reader, [partition])
        for round in 1...3 {
          _ = try trial.append(values: ["\(round)"], to: "ends")
          let read = try trial.drain(reader, [partition])
          try trial.equal(read[partition, default: []].map { trial.text($0) }, ["\(round)"], "read")
        }
      },
      ConformanceCase("reading begins at the position, and at no other record") { trial in
        try trial.topic("middle")
        let partition = TopicPartition("middle", 0)
        let values = (0..<50).map { "value \($0)" }
        let results = try trial.append(values: values, to: "middle")
        for index in [0, 1, 17, 49] {
          let reader = try trial.reader([partition: results[index].offset])
          let read = try trial.drain(reader, [partition])[partition, default: []]
          reader.close()
          try trial.equal(read.map { trial.text($0) }, Array(values[index...]), "from \(index)")
          try trial.equal(
            read.map { $0.offset }, results[index...].map { $0.offset }, "offsets from \(index)")
        }
      },
      ConformanceCase("a batch keeps to the number of records asked for") { trial in
        try trial.topic("limits")
        let partition = TopicPartition("limits", 0)
        let values = (0..<100).map { String($0) }
        _ = try trial.append(values: values, to: "limits")
        let reader = try trial.reader(
          [partition: 0], ReaderOptions(batchRecordsMax: 7, batchBytesMax: 1 << 20))
        defer { reader.close() }
        var read: [String] = []
        while read.count < 100 {
          for batch in try trial.poll(reader, "records") {
            try trial.check(batch)
            try trial.expect(batch.count <= 7, "\(batch.count) records of at most 7")
            read += (0..<batch.count).map { trial.text(batch.record(at: $0)) }
          }
        }
        try trial.equal(read, values, "values")
      },
      ConformanceCase("a batch keeps to the bytes asked for, a larger record comes alone") {
        trial in
        try trial.topic("bytes")
        let partition = TopicPartition("bytes", 0)
        let sizes = [10, 100, 3_000, 10, 10, 90_000, 10, 900, 900, 10]
        _ = try trial.append(
          values: sizes.map { String(repeating: "v", count: $0) }, to: "bytes")
        let reader = try trial.reader(
          [partition: 0], ReaderOptions(batchRecordsMax: 1_000, batchBytesMax: 1_000))
        defer { reader.close() }
        var read: [Int] = []
        while read.count < sizes.count {
          for batch in try trial.poll(reader, "records") {
            try trial.expect(
              batch.bytes.count <= 1_000 || batch.count == 1,
              "\(batch.bytes.count) bytes of at most 1,000 in \(batch.count) records")
            read += (0..<batch.count).map { batch.record(at: $0).value?.count ?? -1 }
          }
        }
        try trial.equal(read, sizes, "sizes")
      },
      ConformanceCase("a poll keeps to the bytes asked for over all partitions, which take turns") {
        trial in
        try trial.topic("shares", partitions: 6)
        let partitions = (0..<6).map { TopicPartition("shares", $0) }
        let value = String(repeating: "v", count: 10_000)
        for partition in 0..<6 {
          _ = try trial.append(
            values: Array(repeating: value, count: 30), to: "shares", partition: partition)
        }
        let reader = try trial.reader(
          Dictionary(uniqueKeysWithValues: partitions.map { ($0, 0) }),
          ReaderOptions(batchBytesMax: 25_000, pollBytesMax: 45_000))
        defer { reader.close() }
        reader.pause(partitions[5])
        var read: [Int: Int] = [:]
        while read.values.reduce(0, +) < 150 {
          let batches = try trial.poll(reader, "records")
          let bytes = batches.reduce(0) { $0 + $1.bytes.count }
          try trial.expect(bytes <= 45_000 + 10_000, "\(bytes) bytes of about 45,000")
          for batch in batches {
            try trial.check(batch)
            let partition = batch.topicPartition.partition
            read[partition, default: 0] += batch.count
            // Where all have something, none is far ahead of another.
            let least = (0..<5).map { read[$0, default: 0] }.min() ?? 0
            try trial.expect(
              !trial.setup.deliversInTurn || read[partition, default: 0] <= least + 8,
              "turns: \(read)")
          }
        }
        try trial.equal(read, Dictionary(uniqueKeysWithValues: (0..<5).map { ($0, 30) }), "records")
      },
      ConformanceCase("nothing of a paused partition comes until it is resumed") { trial in
        try trial.topic("pausing", partitions: 2)
        let paused = TopicPartition("pausing", 0)
        let other = TopicPartition("pausing", 1)
        _ = try trial.append(values: ["a", "b", "c"], to: "pausing", partition: 0)
        _ = try trial.append(values: ["x", "y"], to: "pausing", partition: 1)
        let reader = try trial.reader([paused: 0, other: 0])
        defer { reader.close() }
        reader.pause(paused)
        let first = try trial.drain(reader, [other])
        try trial.equal(first[paused, default: []].count, 0, "records of the paused partition")
        try trial.equal(first[other, default: []].map { trial.text($0) }, ["x", "y"], "others")
        _ = try trial.append(values: ["z"], to: "pausing", partition: 1)
        let second = try trial.drain(reader, [other])
        try trial.equal(second[paused, default: []].count, 0, "records of the paused partition")
        reader.resume(paused)
        let third = try trial.drain(reader, [paused])
        try trial.equal(
          third[paused, default: []].map { trial.text($0) }, ["a", "b", "c"], "after resuming")
      },
      ConformanceCase("a new assignment replaces the old one") { trial in
        try trial.topic("assigned", partitions: 2)
        let first = TopicPartition("assigned", 0)
        let second = TopicPartition("assigned", 1)
        _ = try trial.append(values: ["a", "b"], to: "assigned", partition: 0)
        _ = try trial.append(values: ["x"], to: "assigned", partition: 1)
        let reader = try trial.reader([first: 0])
        defer { reader.close() }
        _ = try trial.drain(reader, [first])
        try reader.assign([second: 0])
        _ = try trial.append(values: ["c"], to: "assigned", partition: 0)
        let read = try trial.drain(reader, [second])
        try trial.equal(read[first, default: []].count, 0, "records of the old assignment")
        try trial.equal(read[second, default: []].map { trial.text($0) }, ["x"], "records")
        try reader.assign([first: 0])
        let again = try trial.drain(reader, [first])
        try trial.equal(
          again[first, default: []].map { trial.text($0) }, ["a", "b", "c"], "read again")
      },
      ConformanceCase("several partitions are read side by side, each in order") { trial in
        try trial.topic("wide", partitions: 5)
        let partitions = (0..<5).map { TopicPartition("wide", $0) }
        for round in 0..<4 {
          for partition in 0..<5 {
            _ = try trial.append(
              values: (0..<10).map { "\(partition)/\(round * 10 + $0)" }, to: "wide",
              partition: partition)
          }
        }
        let reader = try trial.reader(
          Dictionary(uniqueKeysWithValues: partitions.map { ($0, 0) }),
          ReaderOptions(batchRecordsMax: 3))
        defer { reader.close() }
        let read = try trial.drain(reader, Set(partitions))
        for partition in partitions {
          try trial.equal(
            read[partition, default: []].map { trial.text($0) },
            (0..<40).map { "\(partition.partition)/\($0)" }, "\(partition)")
        }
      },
      ConformanceCase("a poll that was woken before it began ends at once") { trial in
        try trial.topic("woken")
        let partition = TopicPartition("woken", 0)
        let reader = try trial.reader([partition: 0])
        defer { reader.close() }
        _ = try trial.drain(reader, [partition])
        reader.wake()
        let began = ContinuousClock.now
        let batches = try reader.poll(timeout: trial.setup.patience)
        try trial.expect(batches.isEmpty, "a woken poll has no batches at the end of the log")
        try trial.expect(
          ContinuousClock.now - began < trial.setup.patience, "a woken poll does not wait")
      },
      ConformanceCase("a waiting poll is woken from another thread") { trial in
        try trial.topic("sleeping")
        let partition = TopicPartition("sleeping", 0)
        let reader = try trial.reader([partition: 0])
        defer { reader.close() }
        _ = try trial.drain(reader, [partition])
        let waker = Waker(reader)
        let thread = BackgroundThread { waker.wake() }
        let began = ContinuousClock.now
        let batches = try reader.poll(timeout: trial.setup.patience)
        thread.join()
        try trial.expect(batches.isEmpty, "a woken poll has no batches at the end of the log")
        try trial.expect(
          ContinuousClock.now - began < trial.setup.patience, "wake() ends a running poll")
      },
      ConformanceCase("a waiting poll sees what another thread appends") { trial in
        try trial.topic("tailing")
        let partition = TopicPartition("tailing", 0)
        let reader = try trial.reader([partition: 0])
        defer { reader.close() }
        _ = try trial.drain(reader, [partition])
        let appender = try trial.log.makeAppender()
        let record = trial.record("late", partition: 0)
        let thread = BackgroundThread {
          do { _ = try appender.append([record], to: "tailing") } catch {
            preconditionFailure("appending from another thread: \(error)")
          }
        }
        let read = try trial.poll(reader, "the record of another thread")
        thread.join()
        appender.close()
        try trial.equal(
          read.flatMap { batch in (0..<batch.count).map { trial.text(batch.record(at: $0)) } },
          ["late"], "records")
      },
      ConformanceCase("a position beyond the end is an error, never reset") { trial in
        try trial.topic("beyond")
        let partition = TopicPartition("beyond", 0)
        _ = try trial.append(values: ["a", "b"], to: "beyond")
        let end = try trial.log.offsets(of: partition).upperBound
        let reader = try trial.reader([partition: end + 5])
        defer { reader.close() }
        let deadline = ContinuousClock.now + trial.setup.patience
        try trial.fails(.offsetOutOfRange, "polling beyond the end") {
          while ContinuousClock.now < deadline {
            let batches = try reader.poll(timeout: .milliseconds(200))
            try trial.expect(batches.allSatisfy { $0.count == 0 }, "no record beyond the end")
          }
        }
        try reader.assign([partition: 0])
        let read = try trial.drain(reader, [partition])
        try trial.equal(read[partition, default: []].count, 2, "records after a new assignment")
      },
      ConformanceCase("what is not there cannot be assigned") { trial in
        try trial.topic("there")
        let reader = try trial.log.makeReader(ReaderOptions())
        defer { reader.close() }
        try trial.fails(.topicMissing, "assigning a missing topic") {
          try reader.assign([TopicPartition("not-there", 0): 0])
        }
        try trial.fails(.partitionMissing, "assigning a missing partition") {
          try reader.assign([TopicPartition("there", 1): 0])
        }
      },
    ])
}

/// A reader's one method that any thread may call.
///
/// `@unchecked Sendable`: only ``StreamCore/RecordReader/wake()`` is called.
private final class Waker: @unchecked Sendable {
  private let reader: any RecordReader
  init(_ reader: any RecordReader) { self.reader = reader }
  func wake() { reader.wake() }
}
