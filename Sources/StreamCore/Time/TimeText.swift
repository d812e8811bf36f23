/// How times without a zone are read.
///
/// Rules of named zones (`Europe/Berlin`) are data that this package does not carry: whoever has
/// them plugs them in here.
public protocol ZoneRules: Sendable {
  /// As `+01:00`, for lineage and `describe`.
  var name: String { get }
  /// Seconds east of UTC at a local date-time, given as if it were UTC; `nil` where there is no
  /// such local time.
  func offset(atLocal seconds: Int64) -> Int?
}

/// A zone that is always the same distance from UTC.
public struct FixedOffset: ZoneRules, Hashable {
  /// East of UTC, within 18 hours.
  public let seconds: Int
  public static let utc = FixedOffset(seconds: 0)

  public init(seconds: Int) {
    precondition(abs(seconds) <= 18 * 3600, "an offset is at most 18 hours")
    self.seconds = seconds
  }

  public var name: String {
    let minutes = abs(seconds) / 60
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return seconds == 0
      ? "Z" : (seconds < 0 ? "-" : "+") + two(minutes / 60) + ":" + two(minutes % 60)
  }

  public func offset(atLocal seconds: Int64) -> Int? { self.seconds }
}

/// Why a text is no time.
public enum TimeError: Error, Hashable, Sendable, CustomStringConvertible {
  case malformed
  /// A local date-time where no default zone is declared.
  case noZone
  /// No day of the calendar, no hour of a day, no local time of the zone, or beyond 0000–9999.
  case outOfRange

  public var description: String {
    switch self {
    case .malformed:
      "not a time: give RFC 3339, epoch milliseconds, or epoch seconds with a fraction"
    case .noZone: "a time without offset: declare a default zone"
    case .outOfRange: "no such time within the years 0000 to 9999"
    }
  }
}

extension Instant {
  /// Reads a time in any of the accepted forms:
  /// RFC 3339 with `Z` or an offset (`+01:00`, `+0100`, `+01`), whose seconds may be missing and
  /// which a zone's name may follow (`[Europe/Berlin]`, not interpreted: the offset decides);
  /// a date-time without offset, if `zone` is given; epoch milliseconds (a whole number);
  /// epoch seconds (a number with a point). Digits beyond the nanosecond are cut off.
  ///
  /// - Throws: ``TimeError``.
  public init(
    parsing bytes: RawSpan, in range: Range<Int>, zone: (any ZoneRules)?
  ) throws(TimeError) {
    let text = unsafe bytes.withUnsafeBytes { unsafe UnsafeRawBufferPointer(rebasing: $0[range]) }
    // SAFETY: `bytes` is borrowed for the whole call, and so is the slice of it.
    try unsafe self.init(parsing: text, zone: zone)
  }

  /// As ``init(parsing:in:zone:)`` without a default zone.
  public init(parsing bytes: RawSpan, in range: Range<Int>) throws(TimeError) {
    let text = unsafe bytes.withUnsafeBytes { unsafe UnsafeRawBufferPointer(rebasing: $0[range]) }
    // SAFETY: `bytes` is borrowed for the whole call, and so is the slice of it.
    try unsafe self.init(parsing: text)
  }

  /// As ``init(parsing:zone:)`` without a default zone.
  public init(parsing text: UnsafeRawBufferPointer) throws(TimeError) {
    if let time = unsafe DateTimeText.usual(text) {
      self = time
    } else {
      try unsafe self.init(parsing: text, zone: (any ZoneRules)?.none)
    }
  }

  /// As ``init(parsing:in:zone:)``, for a caller that holds a pointer.
  public init(
    parsing text: UnsafeRawBufferPointer, zone: (any ZoneRules)?
  ) throws(TimeError) {
    guard text.count > 4, unsafe text[4] == 0x2D, unsafe text[0] != 0x2D else {
      self = try unsafe Self.number(text)
      return
    }
    let time = try unsafe DateTimeText(text)
    var seconds = time.local - Int64(time.offset)
    if time.isLocal {
      guard let zone else { throw .noZone }
      guard let offset = zone.offset(atLocal: time.local) else { throw .outOfRange }
      seconds = time.local - Int64(offset)
    }
    guard CivilDate.writable.contains(seconds) else { throw .outOfRange }
    self.init(seconds: seconds, nanoseconds: time.nanoseconds)
  }

  /// - Throws: ``TimeError``.
  public init(parsing text: String, zone: (any ZoneRules)? = nil) throws(TimeError) {
    let bytes = Array(text.utf8)
    if zone == nil {
      try self.init(parsing: bytes.span.bytes, in: 0..<bytes.count)
    } else {
      try self.init(parsing: bytes.span.bytes, in: 0..<bytes.count, zone: zone)
    }
  }

  /// Epoch milliseconds, or epoch seconds where there is a point.
  private static func number(_ text: UnsafeRawBufferPointer) throws(TimeError) -> Instant {
    let decimal: Decimal
    do {
      decimal = try unsafe Decimal(parsing: text)
    } catch {
      throw error == .overflow ? .outOfRange : .malformed
    }
    let scale = unsafe text.contains(0x2E) ? decimal.scale : decimal.scale + 3
    // Nanoseconds, rounded towards the past.
    var nanoseconds = decimal.coefficient
    for _ in scale..<max(scale, 9) {
      let (product, overflow) = nanoseconds.multipliedReportingOverflow(by: 10)
      guard !overflow else { throw .outOfRange }
      nanoseconds = product
    }
    for _ in 9..<max(scale, 9) {
      let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: 10)
      nanoseconds = remainder < 0 ? quotient - 1 : quotient
    }
    var (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    if rest < 0 { (seconds, rest) = (seconds - 1, rest + 1_000_000_000) }
    guard let whole = Int64(exactly: seconds), CivilDate.writable.contains(whole)
    else { throw .outOfRange }
    return Instant(seconds: whole, nanoseconds: Int32(rest))
  }
}

extension Instant: CustomStringConvertible {
  /// RFC 3339 in UTC, the fraction without trailing zeros: `2026-01-05T09:00:00.5Z`.
  public var description: String {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the text of ``description``; epoch seconds with nine digits behind the point where
  /// the year is not of four digits.
  public func append(to bytes: inout [UInt8]) {
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.textBytesMax) { text in
      guard let start = text.baseAddress else { return }
      let count = unsafe write(to: start)
      unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: start, count: count))
    }
  }

  package static let textBytesMax = Decimal.textBytesMax

  /// Writes what ``append(to:)`` appends to room for ``textBytesMax`` bytes; how many it has.
  package func write(to text: UnsafeMutablePointer<UInt8>) -> Int {
    guard CivilDate.writable.contains(seconds) else {
      let nanoseconds = Int128(seconds) * 1_000_000_000 + Int128(nanoseconds)
      return unsafe Decimal(unchecked: nanoseconds, scale: 9).write(to: text)
    }
    let shifted = Int(seconds - CivilDate.writable.lowerBound)
    let (year, month, day) = CivilDate.date(days: shifted / 86_400 - 719_528)
    let second = shifted % 86_400
    @inline(__always) func put(_ number: Int, _ position: Int, _ separator: UInt8) {
      let number = UInt32(truncatingIfNeeded: number)
      unsafe text[position] = 0x30 + UInt8(truncatingIfNeeded: number / 10)
      unsafe text[position + 1] = 0x30 + UInt8(truncatingIfNeeded: number % 10)
      unsafe text[position + 2] = separator
    }
    put(year / 100, 0, 0)
    put(year % 100, 2, 0x2D)
    put(month, 5, 0x2D)
    put(day, 8, 0x54)
    put(second / 3600, 11, 0x3A)
    put(second / 60 % 60, 14, 0x3A)
    if nanoseconds == 0 {
      put(second % 60, 17, 0x5A)
      return 20
    }
    put(second % 60, 17, 0x2E)
    var position = 20
    var rest = UInt64(truncatingIfNeeded: nanoseconds)
    while rest > 0 {
      rest *= 10
      unsafe text[position] = 0x30 + UInt8(truncatingIfNeeded: rest / 1_000_000_000)
      position += 1
      rest %= 1_000_000_000
    }
    unsafe text[position] = 0x5A
    return position + 1
  }
}

/// Codable formats get the text of ``description``.
extension Instant: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    do {
      try self.init(parsing: container.decode(String.self))
    } catch let error as TimeError {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(error)")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
