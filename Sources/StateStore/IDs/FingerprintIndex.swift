/// Which sealed segments may hold an id: 4 bytes an id in memory, in buckets of one cache line.
///
/// A slot is 20 bits of the hash and 12 of the segment. Each id has two buckets: it lies in the
/// first while that is not nearly full, else in the emptier one; where both are full it goes to an
/// exact set. However often an id is in a segment, it has one slot for it. The first bucket follows
/// the upper bits of the hash, so that ids in their order, as a segment has them, fill the index from
/// its start to its end. It takes no memory before the first id.
struct FingerprintIndex: ~Copyable {
  private static let slotsPerBucket = 16
  /// Slots of the first bucket that fill before the second one is looked at.
  private static let slotsOfFirst = 12

  private var slots: [UInt32]
  private let buckets: UInt64
  private var overflow: [Hash128: [UInt16]] = [:]
  private(set) var count = 0
  /// Whether slots were emptied. As long as none was, a bucket fills from its first slot to its last.
  private var hasGaps = false

  /// - Parameter ids: as many as it holds before a quarter more, for which there is room.
  init(ids: Int) {
    let wanted = ids + ids / 4
    let buckets =
      ids == 0 ? 0 : max(4, (wanted * 5 / 4 + Self.slotsPerBucket - 1) / Self.slotsPerBucket)
    self.buckets = UInt64(buckets)
    self.slots = [UInt32](repeating: 0, count: buckets * Self.slotsPerBucket)
  }

  var memoryBytes: Int { slots.count * 4 + overflow.count * 40 }

  /// Whether `ids` more fit at a load where buckets seldom overflow; if not, it is to be made anew
  /// from the hashes.
  func hasRoom(for ids: Int) -> Bool { (count + ids) * 5 <= slots.count * 4 }

  /// Twenty bits that are never all zero, so that no slot in use is 0.
  @inline(__always)
  private static func tag(_ hash: Hash128) -> UInt32 {
    let tag = UInt32(truncatingIfNeeded: hash.high & 0xF_FFFF)
    return tag == 0 ? 1 : tag
  }

  @inline(__always)
  private func first(_ hash: Hash128) -> Int {
    Int(truncatingIfNeeded: hash.high.multipliedFullWidth(by: buckets).high) * Self.slotsPerBucket
  }

  @inline(__always)
  private func second(_ hash: Hash128) -> Int {
    Int(truncatingIfNeeded: hash.low.multipliedFullWidth(by: buckets).high) * Self.slotsPerBucket
  }

  @inline(__always)
  private func load(_ bucket: Int) -> SIMD16<UInt32> {
    // SAFETY: first(_:) and second(_:) give starts of whole buckets of `slots`.
    unsafe slots.withUnsafeBytes {
      unsafe $0.loadUnaligned(fromByteOffset: bucket * 4, as: SIMD16<UInt32>.self)
    }
  }

  /// Calls `body` with each segment that may hold the id, by its number modulo 4096, until it
  /// returns `true`.
  @inline(__always)
  func forCandidates(
    _ hash: Hash128, _ body: (Int) throws(StoreError) -> Bool
  ) throws(StoreError) {
    let sought = SIMD16<UInt32>(repeating: Self.tag(hash))
    let first = first(hash)
    if try forCandidates(first, sought, body) { return }
    if !hasGaps && slots[first + Self.slotsOfFirst - 1] == 0 { return }
    let second = second(hash)
    if first != second, try forCandidates(second, sought, body) { return }
    if overflow.isEmpty { return }
    for segment in overflow[hash] ?? [] { if try body(Int(segment)) { return } }
  }

  @inline(__always)
  private func forCandidates(
    _ bucket: Int, _ sought: SIMD16<UInt32>, _ body: (Int) throws(StoreError) -> Bool
  ) throws(StoreError) -> Bool {
    let found = (load(bucket) &>> 12) .== sought
    if !any(found) { return false }
    for slot in 0..<Self.slotsPerBucket where found[slot] {
      if try body(Int(slots[bucket + slot] & 0xFFF)) { return true }
    }
    return false
  }

  mutating func insert(_ hash: Hash128, segment: Int) {
    let value = Self.tag(hash) << 12 | UInt32(segment)
    let first = first(hash)
    if contains(first, value) { return }
    if !hasGaps && slots[first + Self.slotsOfFirst - 1] == 0 {
      count += 1
      var slot = first
      while slots[slot] != 0 { slot += 1 }
      slots[slot] = value
      return
    }
    let second = second(hash)
    if contains(second, value) { return }
    let (firstFree, secondFree) = (free(first), free(second))
    guard max(firstFree, secondFree) > 0 else {
      // Each segment adds its ids in their order.
      if overflow[hash]?.last == UInt16(segment) { return }
      overflow[hash, default: []].append(UInt16(segment))
      count += 1
      return
    }
    count += 1
    var slot = firstFree >= secondFree ? first : second
    while slots[slot] != 0 { slot += 1 }
    slots[slot] = value
  }

  private func contains(_ bucket: Int, _ value: UInt32) -> Bool {
    any(load(bucket) .== SIMD16<UInt32>(repeating: value))
  }

  private func free(_ bucket: Int) -> Int {
    let zero = SIMD16<UInt32>(repeating: 0)
    let isFree = load(bucket) .== zero
    return Int(SIMD16<UInt32>(repeating: 0).replacing(with: 1, where: isFree).wrappedSum())
  }

  /// Forgets a segment.
  mutating func remove(segment: Int) {
    for position in slots.indices
    where slots[position] != 0 && slots[position] & 0xFFF == UInt32(segment) {
      slots[position] = 0
      count -= 1
      hasGaps = true
    }
    for (hash, segments) in overflow {
      let kept = segments.filter { $0 != UInt16(segment) }
      count -= segments.count - kept.count
      overflow[hash] = kept.isEmpty ? nil : kept
    }
  }
}
