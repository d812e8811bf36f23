/// How often each of some hashes occurs; a miss is one look at an open-addressed table.
struct HashCounts {
  private struct Bucket {
    var hash: Hash128
    /// 0: free.
    var count: Int32
  }

  private var buckets = [Bucket](
    repeating: Bucket(hash: Hash128(high: 0, low: 0), count: 0), count: 16)
  private var used = 0

  /// The number of different hashes.
  var distinct: Int { used }
  var memoryBytes: Int { buckets.count * MemoryLayout<Bucket>.stride }

  private func bucket(_ hash: Hash128) -> Int {
    let mask = buckets.count - 1
    var bucket = Int(truncatingIfNeeded: hash.low) & mask
    while buckets[bucket].count != 0 && buckets[bucket].hash != hash {
      bucket = (bucket + 1) & mask
    }
    return bucket
  }

  func count(_ hash: Hash128) -> Int { Int(buckets[bucket(hash)].count) }

  mutating func add(_ hash: Hash128) {
    let place = bucket(hash)
    buckets[place].hash = hash
    buckets[place].count += 1
    if buckets[place].count > 1 { return }
    used += 1
    if used * 2 > buckets.count { grow() }
  }

  private mutating func grow() {
    let old = buckets
    buckets = [Bucket](
      repeating: Bucket(hash: Hash128(high: 0, low: 0), count: 0), count: old.count * 2)
    for entry in old where entry.count != 0 { buckets[bucket(entry.hash)] = entry }
  }

  mutating func remove(_ hash: Hash128) {
    var hole = bucket(hash)
    precondition(buckets[hole].count > 0, "only what was added is removed")
    buckets[hole].count -= 1
    if buckets[hole].count > 0 { return }
    used -= 1
    // Close the hole: move back each follower whose own place lies at or before it.
    let mask = buckets.count - 1
    var next = (hole + 1) & mask
    while buckets[next].count != 0 {
      let home = Int(truncatingIfNeeded: buckets[next].hash.low) & mask
      if (next - home) & mask >= (next - hole) & mask {
        buckets[hole] = buckets[next]
        buckets[next].count = 0
        hole = next
      }
      next = (next + 1) & mask
    }
  }
}
