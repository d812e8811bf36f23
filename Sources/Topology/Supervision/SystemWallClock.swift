import Glibc
public import StreamCore

/// The machine's clock.
public struct SystemWallClock: WallClock {
  public init() {}

  public func now() -> Timestamp {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
  }
}
