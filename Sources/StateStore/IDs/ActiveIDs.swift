/// The ids of the newest, unsealed segment, exactly, in order of arrival.
///
/// An open-addressed table of positions; ids leave it only from the end, in reverse order of
/// arrival, so emptying a bucket breaks no probe sequence.
struct ActiveIDs {
  private(set) var hashes: [Hash128] = []
  /// Position + 1, or 0; a power of two, at most half full.
  private var buckets = [Int32](repeating: 0, count: 64)

  var count: Int { hashes.count }
  var memoryBytes: Int { hashes.capacity * 16 + buckets.count * 4 }

  func position(_ hash: Hash128) -> Int? {
    let mask = buckets.count - 1
    var bucket = Int(truncatingIfNeeded: hash.low) & mask
    while buckets[bucket] != 0 {
      let position = Int(buckets[bucket]) - 1
      if hashes[position] == hash { return position }
      bucket = (bucket + 1) & mask
    }
    return nil
  }

  mutating func append(_ hash: Hash128) {
    hashes.append(hash)
    if hashes.count * 2 > buckets.count {
      buckets = [Int32](repeating: 0, count: buckets.count * 2)
      for position in hashes.indices { place(position) }
    } else {
      place(hashes.count - 1)
    }
  }

  private mutating func place(_ position: Int) {
    let mask = buckets.count - 1
    var bucket = Int(truncatingIfNeeded: hashes[position].low) & mask
    while buckets[bucket] != 0 { bucket = (bucket + 1) & mask }
    buckets[bucket] = Int32(position + 1)
  }

  /// Keeps the first `count` ids.
  mutating func cut(to count: Int) {
    let mask = buckets.count - 1
    while hashes.count > count {
      let hash = hashes.removeLast()
      var bucket = Int(truncatingIfNeeded: hash.low) & mask
      while Int(buckets[bucket]) != hashes.count + 1 { bucket = (bucket + 1) & mask }
      buckets[bucket] = 0
    }
  }

  /// Forgets all, and the memory beyond what a small set needs.
  mutating func removeAll() {
    hashes = []
    buckets = [Int32](repeating: 0, count: 64)
  }
}
