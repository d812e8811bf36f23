/// Milliseconds since 1970-01-01T00:00:00Z, negative before it: the time of records and windows,
/// and stream time.
@frozen
public struct Timestamp: Hashable, Sendable, Comparable {
  public let milliseconds: Int64

  @inlinable
  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  public static let epoch = Timestamp(milliseconds: 0)
  /// The first millisecond of the year 0000.
  public static let earliest = Timestamp(milliseconds: CivilDate.writable.lowerBound * 1_000)
  /// The last millisecond of the year 9999.
  public static let latest = Timestamp(milliseconds: CivilDate.writable.upperBound * 1_000 - 1)

  /// Whether it lies within the years 0000 to 9999: an event's time that does not cannot be
  /// decoded.
  public var isOfCalendar: Bool { self >= .earliest && self <= .latest }

  @inlinable
  public static func < (left: Timestamp, right: Timestamp) -> Bool {
    left.milliseconds < right.milliseconds
  }
}
