import Glibc
import StateStore
import StreamCore

/// Records laid out as blocks, ready to be put: made before the write transaction.
struct EncodedAppend {
  /// The records of one call for one partition.
  struct Run {
    let topic: Topic
    let partition: Int
    var blocks: [EncodedBlock] = []
    var count = 0
    /// The offset its first record got, once appended.
    var first: Offset = 0
    fileprivate var open = EncodedBlock.Builder()
  }

  private(set) var runs: [Run] = []
  /// For each record its run and its number within it.
  private var places: [(run: Int, number: Int)] = []
  private(set) var bytes = 0

  /// LMDB takes a transaction up to twice this size.
  static let bytesMax = 256 << 20
  static let recordBytesMax = 64 << 20

  /// - Parameters:
  ///   - topics: the topic of each record's name.
  ///   - keyless: chooses the partition of records without a key, the same for all of a call, so
  ///     that they share blocks (as Kafka's sticky partitioner).
  /// - Throws: ``LogError`` with `.recordRejected` or `.partitionMissing`.
  init(
    _ records: [(topic: Topic, record: ProducerRecord)], keyless: Int, now: Timestamp
  ) throws(LogError) {
    places.reserveCapacity(records.count)
    var numbers: [TopicPartitionNumber: Int] = [:]
    var last: (place: TopicPartitionNumber, run: Int)?
    for (topic, record) in records {
      let place = TopicPartitionNumber(
        topic: topic.number, partition: try Self.partition(record, topic, keyless))
      let run: Int
      if let last, last.place == place {
        run = last.run
      } else if let known = numbers[place] {
        run = known
      } else {
        run = runs.count
        numbers[place] = run
        runs.append(Run(topic: topic, partition: place.partition))
      }
      last = (place, run)
      try Self.check(record, topic)
      places.append((run, runs[run].count))
      runs[run].count += 1
      runs[run].add(record, record.timestamp ?? now)
    }
    for index in runs.indices {
      runs[index].close()
      bytes += runs[index].blocks.reduce(0) { $0 + $1.bytes.count }
    }
    guard bytes <= Self.bytesMax else {
      throw LogError(
        .recordRejected,
        "\(records.count) records of \(bytes) bytes are more than one append takes "
          + "(\(Self.bytesMax)); append them in parts")
    }
  }

  private struct TopicPartitionNumber: Hashable {
    let topic: UInt32
    let partition: Int
  }

  private static func partition(
    _ record: ProducerRecord, _ topic: Topic, _ keyless: Int
  ) throws(LogError) -> Int {
    if let wanted = record.partition {
      guard 0..<topic.partitions ~= wanted else { throw topic.missing(wanted) }
      return wanted
    }
    guard topic.partitions > 1 else { return 0 }
    if let key = record.key {
      return StreamCore.partition(forKey: key, count: topic.partitions)
    }
    return keyless % topic.partitions
  }

  private static func check(_ record: ProducerRecord, _ topic: Topic) throws(LogError) {
    var size = (record.key?.count ?? 0) + (record.value?.count ?? 0)
    for header in record.headers {
      guard header.name.utf8.count <= UInt16.max else {
        throw LogError(
          .recordRejected,
          "a header name of \(header.name.utf8.count) bytes for '\(topic.name)' is longer than 65535"
        )
      }
      size += header.name.utf8.count + (header.value?.count ?? 0) + 6
    }
    guard size <= recordBytesMax else {
      throw LogError(
        .recordRejected,
        "a record of \(size) bytes for '\(topic.name)' is larger than \(recordBytesMax)")
    }
  }

  /// The place of each record, once the runs have their first offsets.
  var results: [AppendResult] {
    let partitions = runs.map { TopicPartition($0.topic.name, $0.partition) }
    return places.map {
      AppendResult(
        topicPartition: partitions[$0.run], offset: runs[$0.run].first + Offset($0.number))
    }
  }

  /// Gives a block its place in the log.
  mutating func place(
    run: Int, block: Int, first: Offset, newestSoFar: Int64
  ) -> EncodedBlock {
    let newest = max(newestSoFar, runs[run].blocks[block].newest)
    runs[run].blocks[block].place(first: first, newestSoFar: newest)
    return runs[run].blocks[block]
  }

  mutating func setFirst(_ offset: Offset, run: Int) { runs[run].first = offset }

  static func now() -> Timestamp {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
  }
}

extension EncodedAppend.Run {
  fileprivate mutating func add(_ record: ProducerRecord, _ timestamp: Timestamp) {
    let size = (record.key?.count ?? 0) + (record.value?.count ?? 0)
    if open.count > 0 && open.size + size + Block.entryBytes > Block.targetBytes { close() }
    open.add(record, timestamp.milliseconds)
  }

  fileprivate mutating func close() {
    guard open.count > 0 else { return }
    blocks.append(open.finish())
    open = EncodedBlock.Builder()
  }
}
