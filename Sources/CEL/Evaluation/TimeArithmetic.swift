import StreamCore

/// Times and durations within CEL's ranges: years 1 to 9999, and 64 bits of nanoseconds.
enum TimeArithmetic {
  static let timestampRange = Value.error(
    .outOfRange, "timestamp out of range: it must lie within the years 1 to 9999")
  static let durationRange = Value.error(
    .outOfRange, "duration out of range: it must fit 64 bits of nanoseconds")
  private static let seconds: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

  static func timestamp(_ instant: Instant) -> Value {
    seconds.contains(instant.seconds) ? .timestamp(instant) : timestampRange
  }

  static func timestamp(seconds: Int64) -> Value {
    Self.seconds.contains(seconds) ? .timestamp(Instant(seconds: seconds)) : timestampRange
  }

  static func duration(nanoseconds: Int128) -> Value {
    Int64(exactly: nanoseconds).map { .duration(.nanoseconds($0)) } ?? durationRange
  }

  static func nanoseconds(_ duration: Duration) -> Int128 {
    let (seconds, attoseconds) = duration.components
    return Int128(seconds) * 1_000_000_000 + Int128(attoseconds / 1_000_000_000)
  }

  private static func nanoseconds(_ instant: Instant) -> Int128 {
    Int128(instant.seconds) * 1_000_000_000 + Int128(instant.nanoseconds)
  }

  static func instant(_ instant: Instant, plus duration: Int128) -> Value {
    let sum = nanoseconds(instant) + duration
    let (quotient, remainder) = sum.quotientAndRemainder(dividingBy: 1_000_000_000)
    guard let seconds = Int64(exactly: remainder < 0 ? quotient - 1 : quotient) else {
      return timestampRange
    }
    let nanoseconds = Int32(remainder < 0 ? remainder + 1_000_000_000 : remainder)
    return timestamp(Instant(seconds: seconds, nanoseconds: nanoseconds))
  }

  static func duration(from start: Instant, to end: Instant) -> Value {
    duration(nanoseconds: nanoseconds(end) - nanoseconds(start))
  }
}
