import StateStore
import StreamCore

/// A run of records of one partition as one stored value: the unit of appending, reading and
/// removing.
///
///     0   hash of all that follows (XXH3-64, the three numbers of the append mixed in)
///     8   offset of the first record; the others follow without a gap
///     16  highest time of the partition up to the block's last record
///     24  time of the append
///     32  highest time in the block
///     40  count of records, bytes of the block (UInt32)
///     48  the records' bytes: key, value, headers, one record behind the other
///     …   a record: time (Int64), lengths of key, value (-1 for null) and headers (Int32)
///
/// Numbers are little-endian. The records' table stands last, so that neither writing nor reading
/// moves the records themselves more than once. What is not known before the append stands in front, outside the
/// hashed bytes, so that hashing them takes no time of the write transaction.
enum Block {
  static let headerBytes = 48
  static let entryBytes = 20
  private static let hashedFrom = 32
  /// LMDB puts larger values in pages of their own, less 16 bytes for their header.
  static let targetBytes = 16 * 4_096 - 16

  static func key(_ topic: UInt32, _ partition: Int, _ offset: Offset) -> [UInt8] {
    var writer = ByteWriter()
    writer.key(topic)
    writer.key(UInt32(partition))
    writer.key(UInt64(offset))
    return writer.bytes
  }

  /// The offset in a key of this partition, else `nil`.
  static func offset(inKey key: RawSpan, of prefix: [UInt8]) -> Offset? {
    guard key.byteCount == 16, prefix.count == 8 else { return nil }
    for index in 0..<8
    where unsafe key.unsafeLoad(fromByteOffset: index, as: UInt8.self) != prefix[index] {
      return nil
    }
    let number = unsafe key.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)
    return Offset(bitPattern: UInt64(bigEndian: number))
  }

  /// The hash of the part that is known before the append.
  static func hash(_ block: RawSpan) -> UInt64 {
    hash64(block.extracting(hashedFrom..<block.byteCount))
  }

  static func seal(_ hash: UInt64, first: Offset, newest: Int64, appended: Int64) -> UInt64 {
    var mixed = hash ^ (UInt64(bitPattern: first) &* 0x9e37_79b9_7f4a_7c15)
    mixed = (mixed ^ (mixed >> 29)) &* 0xbf58_476d_1ce4_e5b9
    mixed ^= UInt64(bitPattern: newest) &* 0x94d0_49bb_1331_11eb
    mixed = (mixed ^ (mixed >> 32)) &* 0xd6e8_feb8_6659_fd93
    mixed ^= UInt64(bitPattern: appended) &* 0xa076_1d64_78bd_642f
    return mixed ^ (mixed >> 32)
  }
}

/// What a block says of itself; its records stay in the span it was read from.
struct BlockHeader {
  let first: Offset
  let count: Int
  /// The highest time of the partition up to the last record here.
  let newestSoFar: Int64
  /// When the block was appended, by the log's clock.
  let appended: Int64
  let newest: Int64

  /// Where the table of records begins.
  private let table: Int

  var end: Offset { first + Offset(count) }

  /// - Parameter verify: whether the hash is compared, which reads the whole block.
  /// - Throws: ``LogError`` with `.corrupt`.
  init(
    _ block: RawSpan, at offset: Offset, _ place: @autoclosure () -> String, verify: Bool = true
  ) throws(LogError) {
    guard block.byteCount >= Block.headerBytes else { throw Block.corrupt(place(), offset) }
    let hash = UInt64(bitPattern: Block.int64(block, 0))
    first = Block.int64(block, 8)
    newestSoFar = Block.int64(block, 16)
    appended = Block.int64(block, 24)
    newest = Block.int64(block, 32)
    count = Int(Block.int32(block, 40))
    table = block.byteCount - count * Block.entryBytes
    // The length is compared before the rest is touched: LMDB believes a damaged one, which may
    // reach beyond the end of its file.
    guard first == offset, Block.int32(block, 44) == block.byteCount, count > 0,
      table >= Block.headerBytes
    else { throw Block.corrupt(place(), offset) }
    if verify
      && hash
        != Block.seal(Block.hash(block), first: first, newest: newestSoFar, appended: appended)
    {
      throw Block.corrupt(place(), offset)
    }
  }

  /// Copies records from `batch.nextOffset` on into the batch, as many as its limits take.
  ///
  /// - Returns: whether all of the block's records are in, so that the next block may follow.
  func copy(
    _ block: RawSpan, to batch: inout RecordBatch, _ options: ReaderOptions
  ) throws(LogError) -> Bool {
    let skipped = Int(batch.nextOffset - first)
    var index = 0
    var position = Block.headerBytes
    while index < skipped {
      position += try length(block, index)
      index += 1
    }
    let begin = position
    let most = min(count, skipped + options.batchRecordsMax - batch.count)
    while index < most {
      let next = position + (try length(block, index))
      let isFirst = batch.count == 0 && index == skipped
      guard isFirst || batch.bytes.count + next - begin <= options.batchBytesMax else { break }
      position = next
      index += 1
    }
    guard position <= table else {
      throw Block.corrupt("\(batch.topicPartition)", first)
    }
    let table = table + skipped * Block.entryBytes
    if index > skipped {
      batch.took(
        from: first + Offset(skipped), at: Timestamp(milliseconds: appended))
    }
    unsafe block.extracting(begin..<position).withUnsafeBytes { packed in
      unsafe batch.append(packed: packed, count: index - skipped) { number in
        let entry = table + number * Block.entryBytes
        return RecordBatch.PackedRecord(
          offset: first + Offset(skipped + number),
          timestamp: Timestamp(milliseconds: Block.int64(block, entry)),
          keyLength: Block.int32(block, entry + 8), valueLength: Block.int32(block, entry + 12),
          headersLength: Block.int32(block, entry + 16))
      }
    }
    return index == count
  }

  /// The offset of the first record at or after `time`.
  func offset(_ block: RawSpan, at time: Int64) -> Offset? {
    for index in 0..<count
    where Block.int64(block, table + index * Block.entryBytes) >= time {
      return first + Offset(index)
    }
    return nil
  }

  /// Bytes of one record.
  private func length(_ block: RawSpan, _ index: Int) throws(LogError) -> Int {
    let entry = table + index * Block.entryBytes
    let key = Block.int32(block, entry + 8)
    let value = Block.int32(block, entry + 12)
    let headers = Block.int32(block, entry + 16)
    guard key >= -1, value >= -1, headers >= 0 else { throw Block.corrupt("a partition", first) }
    return Int(max(key, 0)) + Int(max(value, 0)) + Int(headers)
  }
}

extension Block {
  static func corrupt(_ place: String, _ offset: Offset) -> LogError {
    LogError(
      .corrupt, "the records of \(place) from offset \(offset) on are damaged; restore a copy")
  }

  static func int64(_ block: RawSpan, _ position: Int) -> Int64 {
    Int64(
      littleEndian: unsafe block.unsafeLoadUnaligned(fromByteOffset: position, as: Int64.self))
  }

  static func int32(_ block: RawSpan, _ position: Int) -> Int32 {
    Int32(
      littleEndian: unsafe block.unsafeLoadUnaligned(fromByteOffset: position, as: Int32.self))
  }
}
