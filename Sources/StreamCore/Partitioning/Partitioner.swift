/// The partition of `key` among `count`, as Kafka's Java client chooses it by default.
///
/// Source: `BuiltInPartitioner.partitionForKey`, `toPositive(murmur2(key)) % numPartitions`.
///
/// - Precondition: `count` is positive.
public func partition(forKey key: RawSpan, count: Int) -> Int {
  precondition(count > 0, "a topic has at least one partition")
  return Int(murmur2(key) & 0x7fff_ffff) % count
}

/// As ``partition(forKey:count:)`` of the bytes.
public func partition(forKey key: [UInt8], count: Int) -> Int {
  partition(forKey: key.span.bytes, count: count)
}

/// 32-bit MurmurHash2 as `org.apache.kafka.common.utils.Utils.murmur2` computes it.
public func murmur2(_ bytes: RawSpan) -> UInt32 {
  let multiplier: UInt32 = 0x5bd1_e995
  let count = bytes.byteCount
  var hash: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: count)
  var position = 0
  while position + 4 <= count {
    var word = UInt32(
      littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt32.self))
    word = word &* multiplier
    word ^= word >> 24
    word = word &* multiplier
    hash = hash &* multiplier ^ word
    position += 4
  }
  if position < count {
    for index in position..<count {
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
      hash ^= UInt32(byte) << (8 * UInt32(index - position))
    }
    hash = hash &* multiplier
  }
  hash ^= hash >> 13
  hash = hash &* multiplier
  hash ^= hash >> 15
  return hash
}
