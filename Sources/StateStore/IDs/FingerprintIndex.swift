/// Which sealed segments may hold an id: 4 bytes an id in memory, in buckets of one cache line.
///
/// A slot is 20 bits of the hash and 12 of the segment. Each id has two buckets and lies in the
/// emptier one; where both are full it goes to an exact set. Eight of the 20 bits can become bits
/// of the bucket's number, so the index doubles up to 256-fold without the hashes themselves; they
/// are read again only for the next doubling.
struct FingerprintIndex {
  private static let slotsPerBucket = 16
  private static let growthBits = 8

  private var slots: [UInt32]
  /// How many bits of growth are part of a bucket's number.
  private var grown = 0
  /// The number of buckets without growth.
  private let base: UInt64
  private var overflow: [Hash128: UInt16] = [:]
  private(set) var count = 0

  /// - Parameter ids: as many as it is to hold at three quarters full.
  init(ids: Int) {
    let buckets = max(16, (ids * 4 / 3 + Self.slotsPerBucket - 1) / Self.slotsPerBucket)
    self.base = UInt64(buckets)
    self.slots = [UInt32](repeating: 0, count: buckets * Self.slotsPerBucket)
  }

  var memoryBytes: Int { slots.count * 4 + overflow.count * 40 }
  var overflowCount: Int { overflow.count }

  /// Whether `ids` more fit at a load where buckets seldom overflow.
  private func hasRoom(for ids: Int) -> Bool { (count + ids) * 5 <= slots.count * 4 }

  /// Doubles until `ids` more fit.
  ///
  /// - Returns: whether it could; if not, it is to be made anew from the hashes.
  mutating func makeRoom(for ids: Int) -> Bool {
    if (count + ids) * 5 > (slots.count << (Self.growthBits - grown)) * 4 { return false }
    while !hasRoom(for: ids) { double() }
    return true
  }

  /// Twelve bits that are never all zero, so that no slot in use is 0.
  @inline(__always)
  private static func tag(_ hash: Hash128) -> UInt32 {
    let tag = UInt32(truncatingIfNeeded: hash.high & 0xFFF)
    return tag == 0 ? 1 : tag
  }

  @inline(__always)
  private static func growth(_ hash: Hash128) -> UInt32 {
    UInt32(truncatingIfNeeded: (hash.high >> 12) & 0xFF)
  }

  @inline(__always)
  private func buckets(_ hash: Hash128) -> (Int, Int) {
    let first = hash.low.multipliedFullWidth(by: base).high
    // Another place in the same half, from bits that the first does not depend on.
    let second = ((hash.high >> 20) &* 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(by: base).high
    let half = UInt64(Self.growth(hash)) & (1 << UInt64(grown) - 1)
    let start = half * base
    return (
      Int(truncatingIfNeeded: start + first) * Self.slotsPerBucket,
      Int(truncatingIfNeeded: start + second) * Self.slotsPerBucket
    )
  }

  @inline(__always)
  private static func fingerprint(_ hash: Hash128) -> UInt32 {
    growth(hash) << 12 | tag(hash)
  }

  @inline(__always)
  private func load(_ bucket: Int) -> SIMD16<UInt32> {
    // SAFETY: buckets(_:) gives starts of whole buckets of `slots`.
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
    let (first, second) = buckets(hash)
    let sought = SIMD16<UInt32>(repeating: Self.fingerprint(hash))
    if try forCandidates(first, sought, body) { return }
    if first != second, try forCandidates(second, sought, body) { return }
    if !overflow.isEmpty, let segment = overflow[hash] { _ = try body(Int(segment)) }
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
    let (first, second) = buckets(hash)
    count += 1
    let firstFree = free(first)
    let secondFree = free(second)
    let emptier = firstFree >= secondFree ? first : second
    guard max(firstFree, secondFree) > 0 else {
      overflow[hash] = UInt16(segment)
      return
    }
    for slot in emptier..<(emptier + Self.slotsPerBucket) where slots[slot] == 0 {
      slots[slot] = Self.fingerprint(hash) << 12 | UInt32(segment)
      return
    }
  }

  private func free(_ bucket: Int) -> Int {
    let zero = SIMD16<UInt32>(repeating: 0)
    let isFree = load(bucket) .== zero
    return Int(SIMD16<UInt32>(repeating: 0).replacing(with: 1, where: isFree).wrappedSum())
  }

  /// Twice the buckets: each slot stays or moves by its next bit of growth.
  private mutating func double() {
    let old = slots
    slots = [UInt32](repeating: 0, count: old.count * 2)
    for position in old.indices where old[position] != 0 {
      let growth = old[position] >> 24
      let isMoved = growth >> UInt32(grown) & 1 == 1
      slots[isMoved ? position + old.count : position] = old[position]
    }
    grown += 1
  }

  /// Forgets a segment.
  mutating func remove(segment: Int) {
    for position in slots.indices
    where slots[position] != 0 && slots[position] & 0xFFF == UInt32(segment) {
      slots[position] = 0
      count -= 1
    }
    let kept = overflow.filter { $0.value != UInt16(segment) }
    count -= overflow.count - kept.count
    overflow = kept
  }
}
