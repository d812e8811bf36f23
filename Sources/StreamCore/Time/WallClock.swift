/// The only way the engine learns the time of day: a protocol, so that tests own it.
///
/// Nothing that is stored in a view comes from here; idle times, wall-clock punctuation and
/// deadlines of requests do, and what they decide is journaled.
public protocol WallClock: Sendable {
  func now() -> Timestamp
}
