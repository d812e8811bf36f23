import CXXHash

/// XXH3-128 with seed 0, so that other tools compute the same.
@frozen
public struct Hash128: Hashable, Sendable, Comparable {
  public let high: UInt64
  public let low: UInt64

  @inlinable
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// The hash of some bytes.
  public init(_ bytes: RawSpan) {
    let hash = unsafe bytes.withUnsafeBytes { unsafe XXH3_128bits($0.baseAddress, $0.count) }
    self.init(high: hash.high64, low: hash.low64)
  }

  /// The hash of some bytes within a scope: equal bytes of two scopes differ.
  ///
  /// The scope is the seed, for which XXH3 mixes another secret.
  public init(_ bytes: RawSpan, scope: UInt64) {
    let hash = unsafe bytes.withUnsafeBytes {
      unsafe XXH3_128bits_withSeed($0.baseAddress, $0.count, scope)
    }
    self.init(high: hash.high64, low: hash.low64)
  }

  @inlinable
  public static func < (left: Hash128, right: Hash128) -> Bool {
    left.high != right.high ? left.high < right.high : left.low < right.low
  }
}

/// XXH3-64 with seed 0.
public func hash64(_ bytes: RawSpan) -> UInt64 {
  unsafe bytes.withUnsafeBytes { unsafe XXH3_64bits($0.baseAddress, $0.count) }
}
