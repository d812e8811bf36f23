import StateStore
import StreamCore

/// A block's bytes, complete but for its place in the log.
struct EncodedBlock {
  private(set) var bytes: [UInt8]
  let count: Int
  let newest: Int64
  private let hash: UInt64

  /// Writes what the append decides in front.
  mutating func place(first: Offset, newestSoFar: Int64) {
    let seal = Block.seal(hash, first: first, newest: newestSoFar)
    unsafe bytes.withUnsafeMutableBytes {
      unsafe $0.storeBytes(of: seal.littleEndian, toByteOffset: 0, as: UInt64.self)
      unsafe $0.storeBytes(of: first.littleEndian, toByteOffset: 8, as: Int64.self)
      unsafe $0.storeBytes(of: newestSoFar.littleEndian, toByteOffset: 16, as: Int64.self)
    }
  }

  /// Gathers records until they fill a block.
  struct Builder {
    private var entries: [UInt8] = []
    private var data: [UInt8] = []
    private(set) var count = 0
    private var newest = Int64.min

    var size: Int { Block.headerBytes + entries.count + data.count }

    mutating func add(_ record: ProducerRecord, _ timestamp: Int64) {
      if let key = record.key { data.append(contentsOf: key) }
      if let value = record.value { data.append(contentsOf: value) }
      let before = data.count
      for header in record.headers {
        EncodedHeaders.append(name: header.name.utf8, value: header.value, to: &data)
      }
      unsafe withUnsafeTemporaryAllocation(byteCount: Block.entryBytes, alignment: 8) { entry in
        let key = record.key.map { Int32($0.count) } ?? -1
        let value = record.value.map { Int32($0.count) } ?? -1
        let headers = Int32(data.count - before)
        unsafe entry.storeBytes(of: timestamp.littleEndian, toByteOffset: 0, as: Int64.self)
        unsafe entry.storeBytes(of: key.littleEndian, toByteOffset: 8, as: Int32.self)
        unsafe entry.storeBytes(of: value.littleEndian, toByteOffset: 12, as: Int32.self)
        unsafe entry.storeBytes(of: headers.littleEndian, toByteOffset: 16, as: Int32.self)
        unsafe entries.append(contentsOf: UnsafeRawBufferPointer(entry))
      }
      newest = max(newest, timestamp)
      count += 1
    }

    mutating func finish() -> EncodedBlock {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(size)
      for number in [0, 0, 0, newest] {
        unsafe withUnsafeBytes(of: number.littleEndian) { unsafe bytes.append(contentsOf: $0) }
      }
      for number in [Int32(count), Block.format] {
        unsafe withUnsafeBytes(of: number.littleEndian) { unsafe bytes.append(contentsOf: $0) }
      }
      bytes.append(contentsOf: entries)
      bytes.append(contentsOf: data)
      return EncodedBlock(
        bytes: bytes, count: count, newest: newest, hash: Block.hash(bytes.raw))
    }
  }

  fileprivate init(bytes: [UInt8], count: Int, newest: Int64, hash: UInt64) {
    self.bytes = bytes
    self.count = count
    self.newest = newest
    self.hash = hash
  }
}
