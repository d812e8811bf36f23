/// The distinct keys of one commit interval, each with a dense number: an arena of bytes beside an
/// open-addressed table, so that a key costs no allocation of its own.
@usableFromInline
struct KeyTable: ~Copyable {
  private var arena: [UInt8] = []
  /// Where each entry ends in the arena; it begins where the one before ends.
  private var ends: [Int] = []
  private var hashes: [UInt64] = []
  /// Entry + 1 in the lower half, half of the hash in the upper, or 0; a power of two, at most half
  /// full.
  private var buckets: [UInt64] = [UInt64](repeating: 0, count: 16)

  /// As many as stay between intervals.
  private static let bucketsKept = 32_768

  /// The entry that was asked for last: operators of one record ask for the same key.
  private var last = -1

  var count: Int { ends.count }
  var bytes: Int { arena.count + ends.count * 24 }

  @inline(__always)
  private func range(_ entry: Int) -> Range<Int> {
    (entry == 0 ? 0 : ends[entry - 1])..<ends[entry]
  }

  /// ``hash64(_:)`` of the key.
  func hash(_ entry: Int) -> UInt64 { hashes[entry] }

  func key(_ entry: Int) -> [UInt8] { [UInt8](arena[range(entry)]) }

  @inline(__always)
  func withKey<Result>(
    _ entry: Int, _ body: (RawSpan) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    try body(arena.raw.extracting(range(entry)))
  }

  @inline(__always)
  func isKey(_ entry: Int, _ key: RawSpan) -> Bool {
    let range = range(entry)
    return range.count == key.byteCount && equal(arena.raw.extracting(range), key)
  }

  /// Appends the key to `bytes`.
  func append(_ entry: Int, to bytes: inout [UInt8]) {
    bytes.append(arena.raw.extracting(range(entry)))
  }

  /// Appends what precedes the content in the value of a key too long for a tree.
  func appendHead(_ entry: Int, to bytes: inout [UInt8]) {
    let range = range(entry)
    if range.count > TreeKey.plainBytesMax {
      TreeKey.appendHead(arena.raw.extracting(range), to: &bytes)
    }
  }

  func find(_ key: RawSpan) -> Int? {
    let hash = hash64(key)
    let mask = buckets.count - 1
    var bucket = Int(truncatingIfNeeded: hash) & mask
    while case let found = buckets[bucket], found != 0 {
      if found >> 32 == hash >> 32 {
        let entry = Int(found & 0xFFFF_FFFF) - 1
        if isKey(entry, key) { return entry }
      }
      bucket = (bucket + 1) & mask
    }
    return nil
  }

  /// The key's entry, made if it is new.
  mutating func intern(_ key: RawSpan) -> (entry: Int, isNew: Bool) {
    if last >= 0 && isKey(last, key) { return (last, false) }
    let found = place(key)
    last = found.entry
    return found
  }

  private mutating func place(_ key: RawSpan) -> (entry: Int, isNew: Bool) {
    let hash = hash64(key)
    let mask = buckets.count - 1
    var bucket = Int(truncatingIfNeeded: hash) & mask
    while case let found = buckets[bucket], found != 0 {
      if found >> 32 == hash >> 32 {
        let entry = Int(found & 0xFFFF_FFFF) - 1
        if isKey(entry, key) { return (entry, false) }
      }
      bucket = (bucket + 1) & mask
    }
    let entry = ends.count
    arena.append(key)
    ends.append(arena.count)
    hashes.append(hash)
    buckets[bucket] = Self.bucket(hash, entry)
    if ends.count * 2 > buckets.count { grow() }
    return (entry, true)
  }

  @inline(__always)
  private static func bucket(_ hash: UInt64, _ entry: Int) -> UInt64 {
    hash & ~0xFFFF_FFFF | UInt64(entry + 1)
  }

  private mutating func grow() {
    let mask = buckets.count * 2 - 1
    buckets = [UInt64](repeating: 0, count: mask + 1)
    for entry in 0..<ends.count {
      var bucket = Int(truncatingIfNeeded: hashes[entry]) & mask
      while buckets[bucket] != 0 { bucket = (bucket + 1) & mask }
      buckets[bucket] = Self.bucket(hashes[entry], entry)
    }
  }

  mutating func removeAll() {
    last = -1
    if ends.isEmpty { return }
    let used = ends.count
    arena.empty()
    hashes.empty()
    ends.empty()
    // As the arrays do: what one task keeps no other task can use.
    let wasSparse = used * 16 < buckets.count
    let count = min(wasSparse ? 16 : buckets.count, Self.bucketsKept)
    if buckets.count > count {
      buckets = [UInt64](repeating: 0, count: count)
    } else {
      for bucket in buckets.indices { buckets[bucket] = 0 }
    }
  }

  /// The entries in the order of their keys.
  func sorted(_ entries: [Int32]) -> [Int32] {
    let ranges = entries.map { entry in
      let range = range(Int(entry))
      return Int32(
        truncatingIfNeeded: range.lowerBound)..<Int32(truncatingIfNeeded: range.upperBound)
    }
    return unsafe KeyOrder.positions(of: ranges, in: arena.raw).map { entries[Int($0)] }
  }
}
