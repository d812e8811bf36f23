/// What is kept of a record whose id was seen.
package struct SeenID: Hashable, Sendable {
  /// Of the record in its partition; `nil` from 2^40 - 1 on.
  package let offset: Int64?
  /// A short hash of the value's bytes: where it differs, the contents differ.
  package let valueHash: UInt32
  /// A small number of the input the record came from.
  package let scope: UInt8

  package init(offset: Int64?, valueHash: UInt32, scope: UInt8) {
    self.offset = offset
    self.valueHash = valueHash
    self.scope = scope
  }
}

/// A ``SeenID`` in ten bytes: 40 bits of offset, scope, value hash.
struct IDPlace {
  static let bytes = 10
  private static let offsetUnknown: UInt64 = 1 << 40 - 1

  /// Offset in the upper 40 bits, scope in the lowest 8 of 48.
  private let head: UInt64
  private let valueHash: UInt32

  init(offset: Int64, valueHash: UInt32, scope: UInt8) {
    let known = offset >= 0 && UInt64(offset) < Self.offsetUnknown
    self.head = (known ? UInt64(offset) : Self.offsetUnknown) << 8 | UInt64(scope)
    self.valueHash = valueHash
  }

  init(_ bytes: RawSpan, at offset: Int) {
    self.head =
      UInt64(bytes.bigEndian(UInt16.self, at: offset)) << 32
      | UInt64(bytes.bigEndian(UInt32.self, at: offset + 2))
    self.valueHash = bytes.bigEndian(UInt32.self, at: offset + 6)
  }

  /// Appends the record of an id, in one step.
  func append(behind hash: Hash128, to bytes: inout [UInt8]) {
    unsafe bytes.appendRoom(IDRecord.bytes) { room in
      unsafe room.storeBytes(of: hash.high.bigEndian, toByteOffset: 0, as: UInt64.self)
      unsafe room.storeBytes(of: hash.low.bigEndian, toByteOffset: 8, as: UInt64.self)
      let high = UInt16(truncatingIfNeeded: head >> 32)
      unsafe room.storeBytes(of: high.bigEndian, toByteOffset: 16, as: UInt16.self)
      let low = UInt32(truncatingIfNeeded: head)
      unsafe room.storeBytes(of: low.bigEndian, toByteOffset: 18, as: UInt32.self)
      unsafe room.storeBytes(of: valueHash.bigEndian, toByteOffset: 22, as: UInt32.self)
    }
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(bigEndian: UInt16(truncatingIfNeeded: head >> 32))
    bytes.append(bigEndian: UInt32(truncatingIfNeeded: head))
    bytes.append(bigEndian: valueHash)
  }

  var seenID: SeenID {
    let offset = head >> 8
    return SeenID(
      offset: offset == Self.offsetUnknown ? nil : Int64(offset), valueHash: valueHash,
      scope: UInt8(truncatingIfNeeded: head))
  }
}

/// An id with its place, as sealing sorts them.
struct IDRecord {
  static let bytes = 16 + IDPlace.bytes

  let hash: Hash128
  let place: IDPlace

  /// Puts records in the order of their hashes: first by 16 bits of them in one pass, which leaves
  /// a few together, for hashes are spread evenly.
  static func sort(_ records: inout [IDRecord]) {
    var ends = [Int32](repeating: 0, count: 1 << 16)
    for record in records { ends[Int(record.hash.high >> 48)] += 1 }
    var end: Int32 = 0
    for bucket in ends.indices {
      end += ends[bucket]
      ends[bucket] = end
    }
    var starts = ends
    var sorted = records
    for record in records.reversed() {
      let bucket = Int(record.hash.high >> 48)
      starts[bucket] -= 1
      sorted[Int(starts[bucket])] = record
    }
    for bucket in ends.indices where ends[bucket] - starts[bucket] > 1 {
      sorted[Int(starts[bucket])..<Int(ends[bucket])].sort { $0.hash < $1.hash }
    }
    records = sorted
  }
}
