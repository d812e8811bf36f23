import StreamCore

/// RFC 3339, strictly: date, `T`, time with seconds, and an offset.
enum TimestampText {
  static func value(_ text: String) -> Value {
    guard hasForm(Array(text.utf8)) else { return Conversions.malformed(text, "timestamp") }
    do throws(TimeError) {
      return TimeArithmetic.timestamp(try Instant(parsing: text))
    } catch {
      guard error == .outOfRange else { return Conversions.malformed(text, "timestamp") }
      return .error(.outOfRange, "timestamp: there is no such time, \(text.quoted)")
    }
  }

  /// Whether the shape is right; whether there is such a date is for the reader to say.
  private static func hasForm(_ text: [UInt8]) -> Bool {
    let pattern = Array("0000-00-00T00:00:00".utf8)
    guard text.count > pattern.count else { return false }
    for (byte, wanted) in zip(text, pattern) where !fits(byte, wanted) { return false }
    var rest = text[pattern.count...]
    if rest.first == UInt8(ascii: ".") {
      let digits = rest.dropFirst().prefix(while: \.isDigit)
      guard !digits.isEmpty, digits.count <= 9 else { return false }
      rest = rest[digits.endIndex...]
    }
    if rest.elementsEqual("Z".utf8) || rest.elementsEqual("z".utf8) { return true }
    guard let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"),
      rest.count == 6
    else { return false }
    return zip(rest.dropFirst(), "00:00".utf8).allSatisfy { fits($0, $1) }
  }

  private static func fits(_ byte: UInt8, _ wanted: UInt8) -> Bool {
    switch wanted {
    case UInt8(ascii: "0"): byte.isDigit
    case UInt8(ascii: "T"): byte | 0x20 == UInt8(ascii: "t")
    default: byte == wanted
    }
  }
}
