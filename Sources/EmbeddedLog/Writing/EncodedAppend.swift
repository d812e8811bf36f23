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
    fileprivate var open: EncodedBlock.Builder?
  }

  private(set) var runs: [Run] = []
  /// For each record its run and its number within it.
  private var places: [(run: Int, number: Int)] = []
  private(set) var bytes = 0

  /// LMDB takes a transaction up to twice this size.
  static let bytesMax = 256 << 20
  static let recordBytesMax = 64 << 20

  private var numbers: [TopicPartitionNumber: Int] = [:]
  private var last: (place: TopicPartitionNumber, run: Int)?
  private let keyless: Int
  private let now: Timestamp
  /// Whether blocks get their full size at once.
  private let isLarge: Bool
  private static let largeRecords = 200

  /// - Parameters:
  ///   - keyless: chooses the partition of records without a key, the same for all of a call, so
  ///     that they share blocks (as Kafka's sticky partitioner).
  ///   - now: the time of records that have none.
  init(records: Int, keyless: Int, now: Timestamp) {
    self.keyless = keyless
    self.now = now
    isLarge = records >= Self.largeRecords
    places.reserveCapacity(records)
  }

  /// - Throws: ``LogError`` with `.recordRejected` or `.partitionMissing`.
  mutating func add(_ record: ProducerRecord, to topic: Topic) throws(LogError) {
    let size = try Self.size(of: record, topic)
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
    places.append((run, runs[run].count))
    runs[run].add(record, record.timestamp ?? now, size, isLarge: isLarge)
    bytes += size + Block.entryBytes
  }

  /// - Parameter all: everything that was to be appended at once.
  /// - Throws: ``LogError`` with `.recordRejected`, as soon as what was added is beyond the limit.
  func checkSize(_ all: some Sequence<ProducerRecord>) throws(LogError) {
    guard bytes > Self.bytesMax else { return }
    var (count, sum, largest) = (0, 0, 0)
    for record in all {
      count += 1
      sum += record.byteCount
      largest = max(largest, record.byteCount)
    }
    throw LogError(
      .recordRejected,
      "\(count) records of \(sum) bytes together, the largest of \(largest), are beyond the "
        + "\(Self.bytesMax) bytes of one append; append them in parts")
  }

  /// Closes the last blocks; nothing is added after it.
  mutating func finish() {
    for index in runs.indices { runs[index].close() }
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

  /// What can be refused of a record before it is laid out.
  static func check(_ record: ProducerRecord, _ topic: Topic) throws(LogError) {
    _ = try size(of: record, topic)
    _ = try partition(record, topic, 0)
  }

  /// The bytes of a record, if they are not too many.
  private static func size(
    of record: ProducerRecord, _ topic: Topic
  ) throws(LogError) -> Int {
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
    return size
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
    run: Int, block: Int, first: Offset, newestSoFar: Int64, appended: Timestamp
  ) -> EncodedBlock {
    let newest = max(newestSoFar, runs[run].blocks[block].newest)
    runs[run].blocks[block].place(
      first: first, newestSoFar: newest, appended: appended.milliseconds)
    return runs[run].blocks[block]
  }

  mutating func setFirst(_ offset: Offset, run: Int) { runs[run].first = offset }
}

extension EncodedAppend.Run {
  fileprivate mutating func add(
    _ record: ProducerRecord, _ timestamp: Timestamp, _ size: Int, isLarge: Bool
  ) {
    if let open, open.size + size + Block.entryBytes > Block.targetBytes { close() }
    if open == nil { open = EncodedBlock.Builder(isLarge: isLarge) }
    open?.add(record, timestamp.milliseconds)
    count += 1
  }

  fileprivate mutating func close() {
    guard let full = open.take() else { return }
    blocks.append(full.finish())
  }
}
