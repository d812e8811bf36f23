extension Duration {
  public static func minutes(_ minutes: Int) -> Duration { .seconds(minutes * 60) }
  public static func hours(_ hours: Int) -> Duration { .seconds(hours * 3600) }
  public static func days(_ days: Int) -> Duration { .seconds(days * 86_400) }

  /// Whole milliseconds, rounded towards zero; the largest there are where it lies beyond.
  public var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    let total = Int128(seconds) * 1000 + Int128(attoseconds / 1_000_000_000_000_000)
    return Int64(clamping: total)
  }

  /// Reads a whole number and a unit: `250ms`, `10s`, `15m`, `1h`, `7d`.
  ///
  /// - Returns: `nil` for anything else, and beyond what milliseconds in 64 bits hold.
  public init?(text: String) {
    guard let (number, unit) = numberAndUnit(text) else { return nil }
    let milliseconds: Int64
    switch unit {
    case "ms": milliseconds = 1
    case "s": milliseconds = 1000
    case "m": milliseconds = 60_000
    case "h": milliseconds = 3_600_000
    case "d": milliseconds = 86_400_000
    default: return nil
    }
    let (product, overflow) = number.multipliedReportingOverflow(by: milliseconds)
    guard !overflow else { return nil }
    self = .milliseconds(product)
  }

  /// The text that ``init(text:)`` reads, with the largest unit that leaves a whole number.
  public var text: String {
    let milliseconds = milliseconds
    for (unit, size) in [("d", 86_400_000 as Int64), ("h", 3_600_000), ("m", 60_000), ("s", 1000)]
    where milliseconds != 0 && milliseconds % size == 0 { return "\(milliseconds / size)\(unit)" }
    return "\(milliseconds)ms"
  }
}

/// Sizes as text: `64MiB`, `512KiB`, `100B`, `4096`.
public enum ByteSize {
  private static let units: [(String, Int64)] = [
    ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
  ]

  /// Bytes, or `nil` where `text` is no whole number with one of the units, or none.
  public static func parse(_ text: String) -> Int? {
    guard let (number, unit) = numberAndUnit(text) else { return nil }
    guard let size = unit.isEmpty ? 1 : units.first(where: { $0.0 == unit })?.1 else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: size)
    return overflow ? nil : Int(exactly: product)
  }

  /// The text of a size, with the largest unit that leaves a whole number.
  public static func text(_ bytes: Int) -> String {
    for (unit, size) in units where bytes != 0 && Int64(bytes) % size == 0 {
      return "\(Int64(bytes) / size)\(unit)"
    }
    return "\(bytes)B"
  }
}

/// Splits `15m` into 15 and `m`.
private func numberAndUnit(_ text: String) -> (Int64, Substring)? {
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  guard let number = Int64(digits) else { return nil }
  return (number, text[digits.endIndex...])
}
