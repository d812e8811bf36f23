/// A point in time of a payload, exact to the nanosecond.
@frozen
public struct Instant: Hashable, Sendable, Comparable {
  /// Whole seconds since the epoch, rounded towards the past.
  public let seconds: Int64
  /// 0 ..< 1,000,000,000 after ``seconds``.
  public let nanoseconds: Int32

  @inlinable
  public init(seconds: Int64, nanoseconds: Int32 = 0) {
    precondition(nanoseconds >= 0 && nanoseconds < 1_000_000_000, "0 ..< 1e9 nanoseconds")
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  @inlinable
  public static func < (left: Instant, right: Instant) -> Bool {
    (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
  }
}
