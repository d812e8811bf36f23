/// Durations as text: `1h30m`, `-1.5h`, `0`, with the units h, m, s, ms, us, ns.
enum DurationText {
  static func value(_ text: String) -> Value {
    var rest = Array(text.utf8)[...]
    let isNegative = rest.first == UInt8(ascii: "-")
    if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    if rest.elementsEqual("0".utf8) { return .duration(.zero) }
    guard !rest.isEmpty else { return Conversions.malformed(text, "duration") }
    var total: Int128 = 0
    while !rest.isEmpty {
      guard let part = component(&rest) else { return Conversions.malformed(text, "duration") }
      total += part
      guard total <= Int128(Int64.max) + 1 else { return TimeArithmetic.durationRange }
    }
    return TimeArithmetic.duration(nanoseconds: isNegative ? -total : total)
  }

  /// A number and its unit, in nanoseconds; beyond what durations hold, the largest number.
  private static func component(_ text: inout ArraySlice<UInt8>) -> Int128? {
    let whole = text.prefix(while: \.isDigit)
    text = text[whole.endIndex...]
    var fraction: ArraySlice<UInt8> = []
    if text.first == UInt8(ascii: ".") {
      fraction = text.dropFirst().prefix(while: \.isDigit)
      text = text[fraction.endIndex...]
    }
    guard !whole.isEmpty || !fraction.isEmpty, let unit = unit(&text) else { return nil }
    var nanoseconds: Int128 = 0
    for digit in whole {
      nanoseconds = min(nanoseconds * 10 + Int128(digit - 0x30), limit)
    }
    nanoseconds = min(nanoseconds * unit, limit)
    var scale = unit
    for digit in fraction.prefix(fractionMax) {
      // Exact until the nanosecond; what is smaller is cut off.
      scale = scale / 10
      nanoseconds += Int128(digit - 0x30) * scale
    }
    return nanoseconds
  }

  private static let limit: Int128 = 1 << 80
  private static let fractionMax = 18

  private static func unit(_ text: inout ArraySlice<UInt8>) -> Int128? {
    let units: [(String, Int128)] = [
      ("ns", 1), ("us", 1000), ("\u{B5}s", 1000), ("\u{3BC}s", 1000), ("ms", 1_000_000),
      ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
    ]
    for (name, nanoseconds) in units where text.starts(with: name.utf8) {
      text = text.dropFirst(name.utf8.count)
      return nanoseconds
    }
    return nil
  }
}
