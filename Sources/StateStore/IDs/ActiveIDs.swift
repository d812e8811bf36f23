import CXXHash

/// The ids of the newest, unsealed segment, exactly, in order of arrival; one may be there more than
/// once.
///
/// An open-addressed table of positions; ids leave it only from the end, in reverse order of
/// arrival, so emptying a bucket breaks no probe sequence. A byte a bucket of the hash, apart from
/// the positions, tells nearly all other ids without a look at them: most look-ups find nothing
/// and touch that byte alone.
struct ActiveIDs: ~Copyable {
  private static let bucketsMin = 64

  private(set) var hashes: [Hash128] = []
  /// Seven bits of the hash below a set bit, or 0; a power of two of them, at most half in use.
  private var tags = [UInt8](repeating: 0, count: bucketsMin)
  /// The position of each id.
  private var positions = [Int32](repeating: 0, count: bucketsMin)

  var count: Int { hashes.count }
  var memoryBytes: Int { hashes.capacity * 16 + tags.count * 5 }

  @inline(__always)
  private static func tag(_ hash: Hash128) -> UInt8 {
    0x80 | UInt8(truncatingIfNeeded: hash.high)
  }

  /// Has the memory fetched that ``forPositions(_:_:)`` and ``append(_:)`` will look at.
  func prefetch(_ hash: Hash128) {
    let bucket = Int(truncatingIfNeeded: hash.low) & (tags.count - 1)
    // SAFETY: nothing is read; `bucket` is one of both arrays.
    unsafe tags.withUnsafeBytes {
      unsafe cxxhash_prefetch($0.baseAddress.map { unsafe $0 + bucket })
    }
    unsafe positions.withUnsafeBytes {
      unsafe cxxhash_prefetch($0.baseAddress.map { unsafe $0 + 4 * bucket })
    }
  }

  /// Calls `body` with the positions of an id, in order of arrival.
  @inline(__always)
  func forPositions(_ hash: Hash128, _ body: (Int) throws(StoreError) -> Void) throws(StoreError) {
    let mask = tags.count - 1
    let tag = Self.tag(hash)
    var bucket = Int(truncatingIfNeeded: hash.low) & mask
    while tags[bucket] != 0 {
      if tags[bucket] == tag {
        let position = Int(positions[bucket])
        if hashes[position] == hash { try body(position) }
      }
      bucket = (bucket + 1) & mask
    }
  }

  mutating func append(_ hash: Hash128) {
    hashes.append(hash)
    if hashes.count * 2 > tags.count {
      clear(buckets: tags.count * 2)
      for position in hashes.indices { place(position) }
    } else {
      place(hashes.count - 1)
    }
  }

  private mutating func clear(buckets: Int) {
    tags = [UInt8](repeating: 0, count: buckets)
    positions = [Int32](repeating: 0, count: buckets)
  }

  private mutating func place(_ position: Int) {
    let mask = tags.count - 1
    var bucket = Int(truncatingIfNeeded: hashes[position].low) & mask
    while tags[bucket] != 0 { bucket = (bucket + 1) & mask }
    tags[bucket] = Self.tag(hashes[position])
    positions[bucket] = Int32(position)
  }

  /// Keeps the first `count` ids.
  mutating func cut(to count: Int) {
    let mask = tags.count - 1
    while hashes.count > count {
      let hash = hashes.removeLast()
      var bucket = Int(truncatingIfNeeded: hash.low) & mask
      while tags[bucket] == 0 || Int(positions[bucket]) != hashes.count {
        bucket = (bucket + 1) & mask
      }
      tags[bucket] = 0
    }
  }

  /// Forgets all, and the memory beyond what a small set needs.
  mutating func removeAll() {
    hashes = []
    clear(buckets: Self.bucketsMin)
  }
}
