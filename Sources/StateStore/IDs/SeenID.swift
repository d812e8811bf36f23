/// What is kept of a record whose id was seen.
package struct SeenID: Hashable, Sendable {
  /// Of the record in its partition; `nil` from 2^48 - 1 on.
  package let offset: Int64?
  /// The lower half of the hash of the value's bytes.
  ///
  /// Where it differs, the contents differ. That it is the same by chance, and other content is
  /// taken for a duplicate, happens to one in 2^32 of the records that come under an id of another
  /// one: these are few, and none of them would be applied in either case. Who forges the bytes of
  /// a record to that end is not kept off by a longer one either, for the hash is none of
  /// cryptography.
  package let valueHash: UInt32

  package init(offset: Int64?, valueHash: UInt32) {
    self.offset = offset
    self.valueHash = valueHash
  }
}

/// What is known of an id when a record of it comes.
package enum SeenAnswer: Hashable, Sendable {
  case unseen
  /// An entry within the retention has the record's bytes: the newest such.
  case duplicate(SeenID)
  /// The entries within the retention all have other bytes: the newest one.
  case conflict(SeenID)
}

/// A ``SeenID`` in ten bytes: 48 bits of offset, then the value's hash.
struct IDPlace {
  static let bytes = 10
  private static let offsetUnknown: UInt64 = 1 << 48 - 1

  private let offset: UInt64
  let valueHash: UInt32

  init(offset: Int64, valueHash: UInt32) {
    let isKnown = offset >= 0 && UInt64(offset) < Self.offsetUnknown
    self.offset = isKnown ? UInt64(offset) : Self.offsetUnknown
    self.valueHash = valueHash
  }

  init(_ bytes: RawSpan, at position: Int) {
    self.offset =
      UInt64(bytes.bigEndian(UInt16.self, at: position)) << 32
      | UInt64(bytes.bigEndian(UInt32.self, at: position + 2))
    self.valueHash = bytes.bigEndian(UInt32.self, at: position + 6)
  }

  /// Appends the record of an id, in one step.
  func append(behind hash: Hash128, to bytes: inout [UInt8]) {
    unsafe bytes.appendRoom(IDRecord.bytes) { room in
      unsafe room.storeBytes(of: hash.high.bigEndian, toByteOffset: 0, as: UInt64.self)
      unsafe room.storeBytes(of: hash.low.bigEndian, toByteOffset: 8, as: UInt64.self)
      let high = UInt16(truncatingIfNeeded: offset >> 32)
      unsafe room.storeBytes(of: high.bigEndian, toByteOffset: 16, as: UInt16.self)
      let low = UInt32(truncatingIfNeeded: offset)
      unsafe room.storeBytes(of: low.bigEndian, toByteOffset: 18, as: UInt32.self)
      unsafe room.storeBytes(of: valueHash.bigEndian, toByteOffset: 22, as: UInt32.self)
    }
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(bigEndian: UInt16(truncatingIfNeeded: offset >> 32))
    bytes.append(bigEndian: UInt32(truncatingIfNeeded: offset))
    bytes.append(bigEndian: valueHash)
  }

  var seenID: SeenID {
    SeenID(
      offset: offset == Self.offsetUnknown ? nil : Int64(offset), valueHash: valueHash)
  }
}

/// An id with its place, as sealing sorts them.
struct IDRecord {
  static let bytes = 16 + IDPlace.bytes
  static let timedBytes = bytes + 8

  let hash: Hash128
  let place: IDPlace
  /// Stream time when it was inserted, ``IDTime/none`` without one.
  let time: Int64
  /// Its place in order of arrival within the segment.
  var position: Int32 = 0

  /// Puts records in the order of their hashes, equal ones in order of arrival: first by 16 bits of
  /// them in one pass, which leaves a few together, for hashes are spread evenly.
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
      sorted[Int(starts[bucket])..<Int(ends[bucket])].sort {
        $0.hash != $1.hash ? $0.hash < $1.hash : $0.position < $1.position
      }
    }
    records = sorted
  }
}

/// Times as ids are kept with: milliseconds since the epoch, or none.
enum IDTime {
  static let none = Int64.min

  /// Milliseconds from one time to a later one, as far as 64 bits go; negative where it is earlier.
  static func elapsed(from: Int64, to: Int64) -> Int64 {
    let (difference, overflow) = to.subtractingReportingOverflow(from)
    if overflow { return to > from ? .max : .min }
    return difference
  }
}
