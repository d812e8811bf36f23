/// How the engine learns how long something took: a clock that is never put back or forward.
public protocol MonotonicClock: Sendable {
  func monotonicNow() -> MonotonicTime
}

/// A reading of a ``MonotonicClock``, in nanoseconds since a start of its own: it says nothing in
/// another process, so it is never stored.
@frozen
public struct MonotonicTime: Hashable, Sendable, Comparable {
  public let nanoseconds: Int64

  @inlinable
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  @inlinable
  public static func < (left: MonotonicTime, right: MonotonicTime) -> Bool {
    left.nanoseconds < right.nanoseconds
  }

  /// The time `duration` later; the last there is where it lies beyond.
  public static func + (time: MonotonicTime, duration: Duration) -> MonotonicTime {
    let (seconds, attoseconds) = duration.components
    let sum =
      Int128(time.nanoseconds) + Int128(seconds) * 1_000_000_000
      + Int128(attoseconds / 1_000_000_000)
    return MonotonicTime(nanoseconds: Int64(clamping: sum))
  }

  /// How long after `earlier` this is.
  public static func - (time: MonotonicTime, earlier: MonotonicTime) -> Duration {
    .nanoseconds(Int128(time.nanoseconds) - Int128(earlier.nanoseconds))
  }
}

extension Duration {
  static func nanoseconds(_ nanoseconds: Int128) -> Duration {
    Duration(
      secondsComponent: Int64(clamping: nanoseconds / 1_000_000_000),
      attosecondsComponent: Int64(nanoseconds % 1_000_000_000) * 1_000_000_000)
  }
}
