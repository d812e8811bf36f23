import StateStore
import StreamCore

/// A block's bytes, complete but for its place in the log.
struct EncodedBlock {
  private(set) var bytes: [UInt8]
  let count: Int
  let newest: Int64
  private let hash: UInt64

  /// Writes what the append decides in front.
  mutating func place(first: Offset, newestSoFar: Int64, appended: Int64) {
    let seal = Block.seal(hash, first: first, newest: newestSoFar, appended: appended)
    unsafe bytes.withUnsafeMutableBytes {
      unsafe $0.storeBytes(of: seal.littleEndian, toByteOffset: 0, as: UInt64.self)
      unsafe $0.storeBytes(of: first.littleEndian, toByteOffset: 8, as: Int64.self)
      unsafe $0.storeBytes(of: newestSoFar.littleEndian, toByteOffset: 16, as: Int64.self)
      unsafe $0.storeBytes(of: appended.littleEndian, toByteOffset: 24, as: Int64.self)
    }
  }

  /// Gathers records until they fill a block.
  struct Builder {
    /// The block so far: room for the header, then the records.
    private var block: [UInt8] = []
    private var table: [UInt8] = []
    private(set) var count = 0
    private var newest = Int64.min

    var size: Int { block.count + table.count }

    /// - Parameter isLarge: whether the block will likely be filled.
    init(isLarge: Bool) {
      if isLarge { block.reserveCapacity(Block.targetBytes) }
      block.append(contentsOf: repeatElement(0, count: Block.headerBytes))
    }

    mutating func add(_ record: ProducerRecord, _ timestamp: Int64) {
      if let key = record.key { block.append(contentsOf: key) }
      if let value = record.value { block.append(contentsOf: value) }
      let before = block.count
      for header in record.headers {
        EncodedHeaders.append(name: header.name.utf8, value: header.value, to: &block)
      }
      unsafe withUnsafeTemporaryAllocation(byteCount: Block.entryBytes, alignment: 8) { entry in
        let key = record.key.map { Int32($0.count) } ?? -1
        let value = record.value.map { Int32($0.count) } ?? -1
        let headers = Int32(block.count - before)
        unsafe entry.storeBytes(of: timestamp.littleEndian, toByteOffset: 0, as: Int64.self)
        unsafe entry.storeBytes(of: key.littleEndian, toByteOffset: 8, as: Int32.self)
        unsafe entry.storeBytes(of: value.littleEndian, toByteOffset: 12, as: Int32.self)
        unsafe entry.storeBytes(of: headers.littleEndian, toByteOffset: 16, as: Int32.self)
        unsafe table.append(contentsOf: UnsafeRawBufferPointer(entry))
      }
      newest = max(newest, timestamp)
      count += 1
    }

    /// Puts the table behind the records; the builder is used up.
    consuming func finish() -> EncodedBlock {
      block.append(contentsOf: table)
      let length = Int32(block.count)
      unsafe block.withUnsafeMutableBytes {
        unsafe $0.storeBytes(of: newest.littleEndian, toByteOffset: 32, as: Int64.self)
        unsafe $0.storeBytes(of: Int32(count).littleEndian, toByteOffset: 40, as: Int32.self)
        unsafe $0.storeBytes(of: length.littleEndian, toByteOffset: 44, as: Int32.self)
      }
      return EncodedBlock(bytes: block, count: count, newest: newest, hash: Block.hash(block.raw))
    }
  }

  fileprivate init(bytes: [UInt8], count: Int, newest: Int64, hash: UInt64) {
    self.bytes = bytes
    self.count = count
    self.newest = newest
    self.hash = hash
  }
}
