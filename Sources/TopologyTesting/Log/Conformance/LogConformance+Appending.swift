import StreamCore

extension LogConformance {
  /// What goes in comes back; where it goes; what is refused.
  public static let appending = ConformanceSuite(
    name: "appending",
    cases: [
      ConformanceCase("every byte comes back") { trial in
        try trial.topic("bytes")
        let partition = TopicPartition("bytes", 0)
        let everyByte = (0...255).map { UInt8($0) }
        var records = [
          ProducerRecord(key: nil, value: nil),
          ProducerRecord(key: [], value: []),
          ProducerRecord(key: Array("key".utf8), value: nil),
          ProducerRecord(key: nil, value: Array("value".utf8)),
          ProducerRecord(key: everyByte, value: everyByte),
          ProducerRecord(key: Array("k".utf8), value: Array(repeating: 7, count: 200_000)),
          ProducerRecord(
            key: nil, value: [1],
            headers: [
              Header("a", "1"), Header("a", "2"), Header("b", nil), Header("", []),
              Header("bytes", everyByte),
            ]),
        ]
        let times: [Int64] = [0, 1, 1_767_603_600_123, 1_000, 5, 4, 3]
        for index in records.indices {
          records[index].partition = 0
          records[index].timestamp = Timestamp(milliseconds: times[index])
        }
        let results = try trial.append(records, to: "bytes")
        let read = try trial.contents(partition)[partition, default: []]
        try trial.equal(read.count, records.count, "number of records")
        for (index, record) in records.enumerated() {
          try trial.equal(
            read[index],
            ConsumerRecord(
              topicPartition: partition, offset: results[index].offset,
              timestamp: record.timestamp, key: record.key, value: record.value,
              headers: record.headers), "record \(index)")
        }
      },
      ConformanceCase("times before 1970 come back") { trial in
        guard trial.setup.keepsNegativeTimestamps else { return }
        try trial.topic("ancient")
        let partition = TopicPartition("ancient", 0)
        let times: [Int64] = [-1, -2_208_988_800_000, .min / 4, 0]
        _ = try trial.append(times.map { trial.record("v", at: $0) }, to: "ancient")
        try trial.equal(
          try trial.contents(partition)[partition, default: []].map { $0.timestamp?.milliseconds },
          times, "times")
      },
      ConformanceCase("a record without a time gets the log's clock") { trial in
        try trial.topic("clock")
        let partition = TopicPartition("clock", 0)
        _ = try trial.append([ProducerRecord(key: nil, value: [1])], to: "clock")
        let read = try trial.contents(partition)[partition, default: []]
        try trial.expect(read.count == 1 && read[0].timestamp != nil, "a time was given")
      },
      ConformanceCase("results name each record's place, and offsets rise") { trial in
        try trial.topic("results", partitions: 3)
        var records: [ProducerRecord] = []
        for index in 0..<300 {
          records.append(trial.record("\(index)", partition: index * 7 % 3))
        }
        let results = try trial.append(records, to: "results")
        try trial.equal(results.count, records.count, "number of results")
        var next: [TopicPartition: Offset] = [:]
        for (record, result) in zip(records, results) {
          try trial.equal(result.topicPartition.partition, record.partition ?? -1, "partition")
          let least = next[result.topicPartition, default: 0]
          try trial.expect(result.offset >= least, "offset \(result.offset) from \(least) on")
          if trial.setup.offsetsAreDense { try trial.equal(result.offset, least, "dense offset") }
          next[result.topicPartition] = result.offset + 1
        }
        for partition in 0..<3 {
          let place = TopicPartition("results", partition)
          let read = try trial.contents(place)[place, default: []]
          let wanted = zip(records, results).filter { $0.0.partition == partition }
          try trial.equal(read.map { $0.offset }, wanted.map { $0.1.offset }, "offsets")
          try trial.equal(read.map { $0.value }, wanted.map { $0.0.value }, "values")
        }
      },
      ConformanceCase("a key's records lie in the partition of its murmur2 hash") { trial in
        try trial.topic("keyed", partitions: 7)
        let keys = (0..<60).map { Array("key-\($0 % 20)".utf8) }
        let results = try trial.append(
          keys.map { ProducerRecord(key: $0, value: $0) }, to: "keyed")
        for (key, result) in zip(keys, results) {
          try trial.equal(
            result.topicPartition.partition, partition(forKey: key, count: 7),
            "partition of \(String(decoding: key, as: UTF8.self))")
        }
      },
      ConformanceCase("a record without a key goes to some partition") { trial in
        try trial.topic("keyless", partitions: 3)
        let results = try (0..<12).flatMap {
          try trial.append([trial.record("\($0)")], to: "keyless")
        }
        try trial.expect(
          results.allSatisfy { 0..<3 ~= $0.topicPartition.partition }, "the partition exists")
        var read = 0
        for partition in 0..<3 {
          read += try trial.values(TopicPartition("keyless", partition)).count
        }
        try trial.equal(read, 12, "records")
      },
      ConformanceCase("an append of no records does nothing") { trial in
        try trial.topic("nothing")
        try trial.equal(try trial.append([], to: "nothing").count, 0, "results")
        try trial.equal(
          try trial.log.offsets(of: TopicPartition("nothing", 0)), 0..<0, "offsets")
      },
      ConformanceCase("a missing topic or partition takes nothing") { trial in
        try trial.topic("present")
        try trial.fails(.topicMissing, "appending to a missing topic") {
          _ = try trial.append(values: ["lost"], to: "absent")
        }
        try trial.fails(.partitionMissing, "appending to a missing partition") {
          _ = try trial.append(
            [trial.record("a", partition: 0), trial.record("b", partition: 1)], to: "present")
        }
        try trial.equal(
          try trial.log.offsets(of: TopicPartition("present", 0)), 0..<0, "offsets")
      },
      ConformanceCase("the largest record is taken, a larger one refused with all of its append") {
        trial in
        try trial.topic("sizes")
        let partition = TopicPartition("sizes", 0)
        let limit = trial.log.recordBytesMax
        try trial.expect(limit <= trial.log.appendBytesMax, "an append takes the largest record")
        func record(_ byteCount: Int) -> ProducerRecord {
          let header = Header("h", [1, 2, 3])
          var record = ProducerRecord(
            key: [7], value: [], headers: [header], timestamp: Timestamp(milliseconds: 5),
            partition: 0)
          record.value = Array(repeating: 1, count: byteCount - record.byteCount)
          return record
        }
        let largest = record(limit)
        try trial.equal(largest.byteCount, limit, "the size of the largest record")
        let results = try trial.append([largest], to: "sizes")
        // Beyond it by all that is counted in addition.
        var larger = record(limit + 200)
        larger.headers = []
        try trial.fails(.recordRejected, "appending a larger record") {
          _ = try trial.append([record(1_000), larger], to: "sizes")
        }
        try trial.equal(
          try trial.log.offsets(of: partition).upperBound, results[0].offset + 1, "end")
      },
      ConformanceCase("threads append side by side, each in its order") { trial in
        try trial.topic("threads")
        let partition = TopicPartition("threads", 0)
        let appender = try trial.log.makeAppender()
        defer { appender.close() }
        let threads = (0..<4).map { thread in
          BackgroundThread {
            for index in 0..<25 {
              let record = ProducerRecord(
                key: nil, value: Array("\(thread)/\(index)".utf8),
                timestamp: Timestamp(milliseconds: 1), partition: 0)
              do { _ = try appender.append([record], to: "threads") } catch {
                preconditionFailure("appending from several threads: \(error)")
              }
            }
          }
        }
        for thread in threads { thread.join() }
        let values = try trial.values(partition)
        try trial.equal(values.count, 100, "number of records")
        for thread in 0..<4 {
          try trial.equal(
            values.filter { $0.hasPrefix("\(thread)/") }, (0..<25).map { "\(thread)/\($0)" },
            "records of thread \(thread)")
        }
      },
    ])

  /// Topics, offsets and offsets for a time.
  public static let listing = ConformanceSuite(
    name: "listing",
    cases: [
      ConformanceCase("topics are listed by name with their partitions") { trial in
        try trial.topic("zebra", partitions: 2)
        try trial.topic("aardvark", partitions: 3)
        let topics = try trial.log.topics().filter { ["zebra", "aardvark"].contains($0.name) }
        try trial.equal(topics.map { $0.name }, ["aardvark", "zebra"], "topics")
        try trial.equal(topics.map { $0.partitions }, [3, 2], "partitions")
        try trial.equal(try trial.log.topic("zebra")?.partitions, 2, "partitions of one")
        try trial.expect(try trial.log.topic("yak") == nil, "a missing topic is nil")
      },
      ConformanceCase("offsets are those of the first record and behind the last") { trial in
        try trial.topic("range")
        let partition = TopicPartition("range", 0)
        try trial.equal(try trial.log.offsets(of: partition), 0..<0, "offsets of nothing")
        let results = try trial.append(values: ["a", "b", "c"], to: "range")
        let offsets = try trial.log.offsets(of: partition)
        try trial.equal(offsets.lowerBound, results[0].offset, "start")
        try trial.expect(offsets.upperBound > results[2].offset, "the end lies behind the last")
        try trial.fails(.topicMissing, "offsets of a missing topic") {
          _ = try trial.log.offsets(of: TopicPartition("nowhere", 0))
        }
        try trial.fails(.partitionMissing, "offsets of a missing partition") {
          _ = try trial.log.offsets(of: TopicPartition("range", 9))
        }
      },
      ConformanceCase("offsets and descriptions of many are those of each") { trial in
        try trial.topic("many", partitions: 5)
        try trial.topic("others", partitions: 2)
        var places: [TopicPartition] = []
        for (topic, count) in [("many", 5), ("others", 2)] {
          for partition in 0..<count {
            places.append(TopicPartition(topic, partition))
            if partition == 3 { continue }
            _ = try trial.append(
              values: (0...partition).map { "\($0)" }, to: topic, partition: partition)
          }
        }
        let offsets = try trial.log.offsets(of: places)
        try trial.equal(offsets.count, places.count, "partitions")
        for place in places {
          try trial.equal(offsets[place], try trial.log.offsets(of: place), "offsets of \(place)")
        }
        try trial.equal(try trial.log.offsets(of: []), [:], "offsets of none")
        try trial.fails(.topicMissing, "offsets with a missing topic") {
          _ = try trial.log.offsets(of: places + [TopicPartition("nowhere", 0)])
        }
        try trial.fails(.partitionMissing, "offsets with a missing partition") {
          _ = try trial.log.offsets(of: places + [TopicPartition("others", 2)])
        }
        let topics = try trial.log.topics(named: ["others", "nowhere", "many"])
        try trial.equal(topics.keys.sorted(), ["many", "others"], "topics")
        for name in ["many", "others"] {
          try trial.equal(topics[name], try trial.log.topic(name), "description of \(name)")
        }
      },
      ConformanceCase("a time's offset is that of the first record at or after it") { trial in
        guard trial.setup.reportsOffsetsForTimes else { return }
        try trial.topic("times")
        let partition = TopicPartition("times", 0)
        // Out of order, over several appends: 300 is first reached by the second record of the
        // second append.
        var offsets: [Offset] = []
        for times: [Int64] in [[100, 200, 150], [120, 400, 300], [500, 50]] {
          offsets += try trial.append(
            times.map { trial.record("v", partition: 0, at: $0) }, to: "times"
          ).map { $0.offset }
        }
        let end = try trial.log.offsets(of: partition).upperBound
        for (time, wanted): (Int64, Offset) in [
          (1, offsets[0]), (100, offsets[0]), (101, offsets[1]), (200, offsets[1]),
          (201, offsets[4]), (300, offsets[4]), (400, offsets[4]), (401, offsets[6]),
          (500, offsets[6]), (501, end),
        ] {
          guard
            let found = try trial.log.offset(
              of: partition, at: Timestamp(milliseconds: time))
          else { continue }
          try trial.equal(found, wanted, "offset at \(time)")
        }
      },
    ])
}
