/// Records of one partition in offset order, their bytes in one buffer.
///
/// A batch owns its bytes: it may cross threads and outlive the log's own buffers, for the price
/// of one `memcpy` a record. Keys, values and headers are ranges of ``bytes``.
public struct RecordBatch: Sendable {
  /// Where one record's parts lie in the batch's bytes.
  @frozen
  public struct Entry: Sendable {
    public let offset: Offset
    /// `nil` where the log knows no time for the record.
    public let timestamp: Timestamp?
    @usableFromInline let start: UInt32
    @usableFromInline let keyLength: Int32
    @usableFromInline let valueLength: Int32
    @usableFromInline let headersLength: UInt32

    @inlinable
    init(
      offset: Offset, timestamp: Timestamp?, start: UInt32, keyLength: Int32, valueLength: Int32,
      headersLength: UInt32
    ) {
      self.offset = offset
      self.timestamp = timestamp
      self.start = start
      self.keyLength = keyLength
      self.valueLength = valueLength
      self.headersLength = headersLength
    }

    /// Stands for no record.
    package static let none = Entry(
      offset: 0, timestamp: nil, start: 0, keyLength: -1, valueLength: -1, headersLength: 0)

    /// The key's bytes, or `nil` for a null key.
    @inlinable
    public var key: Range<Int>? {
      keyLength < 0 ? nil : Int(start)..<Int(start) + Int(keyLength)
    }

    /// The value's bytes, or `nil` for a tombstone.
    @inlinable
    public var value: Range<Int>? {
      guard valueLength >= 0 else { return nil }
      let first = Int(start) + Int(max(keyLength, 0))
      return first..<first + Int(valueLength)
    }

    /// The headers' bytes in the encoding of ``EncodedHeaders``; empty where there are none.
    @inlinable
    public var headers: Range<Int> {
      let first = Int(start) + Int(max(keyLength, 0)) + Int(max(valueLength, 0))
      return first..<first + Int(headersLength)
    }
  }

  public let topicPartition: TopicPartition
  public private(set) var bytes: [UInt8] = []
  public private(set) var entries: [Entry] = []
  /// Where the next fetch begins: past the last record and past control records, aborted
  /// transactions and compacted offsets behind it. A batch without records may move it on.
  public var nextOffset: Offset
  /// The log's read-committed end, asked after this fetch; `nil` where it is unknown. While it lies
  /// beyond ``nextOffset`` it may count what an open transaction hides.
  public var endOffset: Offset?
  /// When the log took the records, in runs: from each offset on until the next run's.
  private var appendTimes: [(from: Offset, time: Timestamp?)] = []

  public init(_ topicPartition: TopicPartition, nextOffset: Offset, endOffset: Offset? = nil) {
    self.topicPartition = topicPartition
    self.nextOffset = nextOffset
    self.endOffset = endOffset
  }

  @inlinable public var count: Int { entries.count }

  /// When the log took the record at `index`, by the log's own clock; `nil` where that is unknown.
  ///
  /// A log that says nothing by ``took(from:at:)`` knows it by the record's timestamp, where that
  /// is above 0: so does Kafka, whose brokers refuse one that is far from their clock.
  public func appendTime(of index: Int) -> Timestamp? {
    let entry = entries[index]
    guard !appendTimes.isEmpty else {
      return entry.timestamp.flatMap { $0 > .epoch ? $0 : nil }
    }
    // Runs are few, and what asks goes through the batch from its front.
    var low = 0
    var high = appendTimes.count
    while low < high {
      let middle = (low + high) / 2
      if appendTimes[middle].from <= entry.offset { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? appendTimes[low - 1].time : nil
  }

  /// The log took the records from `offset` on at `time`, until a later call says otherwise.
  ///
  /// - Parameter offset: beyond those of earlier calls.
  public mutating func took(from offset: Offset, at time: Timestamp?) {
    if let last = appendTimes.last {
      precondition(last.from < offset, "runs of append times come in the order of offsets")
      guard last.time != time else { return }
    }
    appendTimes.append((offset, time))
  }

  /// Makes room before a run of appends.
  public mutating func reserve(records: Int, bytes byteCount: Int) {
    entries.reserveCapacity(records)
    bytes.reserveCapacity(byteCount)
  }

  /// Copies one record to the end of the batch and moves ``nextOffset`` behind it.
  ///
  /// - Parameter headers: bytes in the encoding of ``EncodedHeaders``.
  public mutating func append(
    offset: Offset, timestamp: Timestamp?, key: UnsafeRawBufferPointer?,
    value: UnsafeRawBufferPointer?, headers: UnsafeRawBufferPointer
  ) {
    let entry = Entry(
      offset: offset, timestamp: timestamp, start: UInt32(bytes.count),
      keyLength: key.map { Int32($0.count) } ?? -1,
      valueLength: value.map { Int32($0.count) } ?? -1, headersLength: UInt32(headers.count))
    if let key { unsafe bytes.append(contentsOf: key) }
    if let value { unsafe bytes.append(contentsOf: value) }
    unsafe bytes.append(contentsOf: headers)
    entries.append(entry)
    nextOffset = offset + 1
  }

  /// The place of one record among others that lie one behind the other.
  @frozen
  public struct PackedRecord {
    @usableFromInline let offset: Offset
    @usableFromInline let timestamp: Timestamp?
    @usableFromInline let keyLength: Int32
    @usableFromInline let valueLength: Int32
    @usableFromInline let headersLength: Int32

    /// - Parameters:
    ///   - keyLength: -1 for a null key.
    ///   - valueLength: -1 for a tombstone.
    @inlinable
    public init(
      offset: Offset, timestamp: Timestamp?, keyLength: Int32, valueLength: Int32,
      headersLength: Int32
    ) {
      self.offset = offset
      self.timestamp = timestamp
      self.keyLength = keyLength
      self.valueLength = valueLength
      self.headersLength = headersLength
    }
  }

  /// Copies records that lie one behind the other, each as key, value, headers, with one `memcpy`
  /// for all of them.
  ///
  /// - Parameter record: the place of the record at an index; together they take all of `packed`.
  public mutating func append(
    packed: UnsafeRawBufferPointer, count: Int, _ record: (_ index: Int) -> PackedRecord
  ) {
    var start = UInt32(bytes.count)
    unsafe bytes.append(contentsOf: packed)
    for index in 0..<count {
      let record = record(index)
      entries.append(
        Entry(
          offset: record.offset, timestamp: record.timestamp, start: start,
          keyLength: record.keyLength, valueLength: record.valueLength,
          headersLength: UInt32(record.headersLength)))
      start +=
        UInt32(max(record.keyLength, 0)) + UInt32(max(record.valueLength, 0))
        + UInt32(record.headersLength)
    }
    precondition(Int(start) == bytes.count, "the records take all of the packed bytes")
    if let last = entries.last { nextOffset = last.offset + 1 }
  }

  /// Copies a record held as arrays: for tests, held records and logs in memory.
  public mutating func append(
    offset: Offset, timestamp: Timestamp?, key: [UInt8]?, value: [UInt8]?, headers: [Header] = []
  ) {
    let encoded = EncodedHeaders.encode(headers)
    let start = UInt32(bytes.count)
    if let key { bytes += key }
    if let value { bytes += value }
    bytes += encoded
    entries.append(
      Entry(
        offset: offset, timestamp: timestamp, start: start,
        keyLength: key.map { Int32($0.count) } ?? -1,
        valueLength: value.map { Int32($0.count) } ?? -1, headersLength: UInt32(encoded.count)))
    nextOffset = offset + 1
  }

  /// The batch without its first `count` records; their bytes stay where they are.
  public func dropping(first count: Int) -> RecordBatch {
    var rest = self
    rest.entries.removeFirst(count)
    return rest
  }

  /// The record at `index` as a value of its own.
  public func record(at index: Int) -> ConsumerRecord {
    let entry = entries[index]
    return ConsumerRecord(
      topicPartition: topicPartition, offset: entry.offset, timestamp: entry.timestamp,
      key: entry.key.map { Array(bytes[$0]) }, value: entry.value.map { Array(bytes[$0]) },
      headers: EncodedHeaders.decode(bytes[entry.headers]))
  }
}
