/// Milliseconds since 1970-01-01T00:00:00Z, negative before it: the time of records and windows,
/// and stream time.
@frozen
public struct Timestamp: Hashable, Sendable, Comparable {
  public let milliseconds: Int64

  @inlinable
  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  public static let epoch = Timestamp(milliseconds: 0)

  @inlinable
  public static func < (left: Timestamp, right: Timestamp) -> Bool {
    left.milliseconds < right.milliseconds
  }
}
