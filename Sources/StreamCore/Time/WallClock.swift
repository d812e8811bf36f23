/// The only way the engine learns the time of day: a protocol, so that tests own it.
///
/// Nothing that is stored in a view comes from here; wall-clock punctuation does, and what it
/// decides is journaled. How long something takes is measured by the monotonic clock that each
/// wall clock is beside.
public protocol WallClock: MonotonicClock {
  func now() -> Timestamp
}
