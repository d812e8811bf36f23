extension Instant {
  /// Exact: a millisecond has a nanosecond.
  public init(_ timestamp: Timestamp) {
    let (seconds, rest) = timestamp.milliseconds.quotientAndRemainder(dividingBy: 1000)
    self.init(
      seconds: rest < 0 ? seconds - 1 : seconds,
      nanoseconds: Int32(rest < 0 ? rest + 1000 : rest) * 1_000_000)
  }
}

extension Timestamp: CustomStringConvertible {
  /// The millisecond that holds `instant`, rounded towards the past; the first or last one there
  /// is where `instant` lies beyond.
  public init(_ instant: Instant) {
    let (product, overflow) = instant.seconds.multipliedReportingOverflow(by: 1000)
    let (sum, carry) = product.addingReportingOverflow(Int64(instant.nanoseconds / 1_000_000))
    self.init(
      milliseconds: overflow || carry ? (instant.seconds < 0 ? Int64.min : Int64.max) : sum)
  }

  /// Reads any form that ``Instant/init(parsing:in:zone:)`` reads.
  ///
  /// - Throws: ``TimeError``.
  public init(
    parsing bytes: RawSpan, in range: Range<Int>, zone: (any ZoneRules)? = nil
  ) throws(TimeError) {
    self.init(try Instant(parsing: bytes, in: range, zone: zone))
  }

  /// - Throws: ``TimeError``.
  public init(parsing text: String, zone: (any ZoneRules)? = nil) throws(TimeError) {
    self.init(try Instant(parsing: text, zone: zone))
  }

  /// RFC 3339 in UTC, the fraction without trailing zeros; epoch milliseconds where the year is
  /// not of four digits.
  public var description: String {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the text of ``description``.
  public func append(to bytes: inout [UInt8]) {
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.textBytesMax) { text in
      guard let start = text.baseAddress else { return }
      let count = unsafe write(to: start)
      unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: start, count: count))
    }
  }

  package static let textBytesMax = Decimal.textBytesMax

  /// Writes the text of ``description`` to room for ``textBytesMax`` bytes; how many it has.
  package func write(to text: UnsafeMutablePointer<UInt8>) -> Int {
    let instant = Instant(self)
    if CivilDate.writable.contains(instant.seconds) { return unsafe instant.write(to: text) }
    return unsafe Decimal(unchecked: Int128(milliseconds), scale: 0).write(to: text)
  }

  /// The time `duration` later, in whole milliseconds; the last there is where it lies beyond.
  public static func + (timestamp: Timestamp, duration: Duration) -> Timestamp {
    let (sum, overflow) = timestamp.milliseconds.addingReportingOverflow(duration.milliseconds)
    return Timestamp(
      milliseconds: overflow ? (duration < .zero ? Int64.min : Int64.max) : sum)
  }

  /// The time `duration` earlier, in whole milliseconds; the first there is where it lies beyond.
  public static func - (timestamp: Timestamp, duration: Duration) -> Timestamp {
    let (sum, overflow) = timestamp.milliseconds.subtractingReportingOverflow(
      duration.milliseconds)
    return Timestamp(
      milliseconds: overflow ? (duration < .zero ? Int64.max : Int64.min) : sum)
  }

  /// How long after `other` this is.
  public static func - (timestamp: Timestamp, other: Timestamp) -> Duration {
    .milliseconds(Int128(timestamp.milliseconds) - Int128(other.milliseconds))
  }
}

/// Codable formats get the text of ``description``.
extension Timestamp: Codable {
  public init(from decoder: any Decoder) throws { self.init(try Instant(from: decoder)) }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
