/// The fewest digits that are read as a finite double: 0.d₁d₂d₃… × 10^`point`.
struct ShortestDigits {
  private let isNegative: Bool
  private let digits: [UInt8]
  private let point: Int

  /// - Precondition: `value` is finite.
  init(_ value: Double) {
    precondition(value.isFinite, "only finite numbers have digits")
    isNegative = value.sign == .minus
    // Swift writes these digits, as `1.5e-07` or `123.0`; the rest is where the point lies.
    var digits: [UInt8] = []
    var point = 0
    var isFraction = false
    var text = Array(value.magnitude.description.utf8)[...]
    while let byte = text.popFirst(), byte != UInt8(ascii: "e") {
      if byte == UInt8(ascii: ".") {
        isFraction = true
      } else {
        digits.append(byte)
        if !isFraction { point += 1 }
      }
    }
    point += Int(String(decoding: text, as: UTF8.self)) ?? 0
    let zeros = digits.prefix { $0 == UInt8(ascii: "0") }.count
    digits.removeFirst(zeros)
    while digits.last == UInt8(ascii: "0") { digits.removeLast() }
    self.digits = digits
    self.point = digits.isEmpty ? 1 : point - zeros
  }

  private func text(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: (isNegative ? [UInt8(ascii: "-")] : []) + bytes, as: UTF8.self)
  }

  /// Without an exponent: `1500`, `0.00015`.
  var plain: String {
    let zero = UInt8(ascii: "0")
    var whole = Array(digits.prefix(max(point, 0)))
    whole += Array(repeating: zero, count: max(point - digits.count, 0))
    if whole.isEmpty { whole = [zero] }
    let fraction =
      Array(repeating: zero, count: max(-point, 0)) + digits.dropFirst(max(point, 0))
    return text(
      whole + (digits.count > point && !digits.isEmpty ? [UInt8(ascii: ".")] + fraction : []))
  }

  /// With an exponent of two digits or more from a million on and below a ten-thousandth, as C's `%g`
  /// and Go's `strconv` write it: `1e+06`, `1.5e-05`.
  var general: String {
    let exponent = point - 1
    guard exponent < -4 || exponent >= 6 else { return plain }
    let fraction = digits.count > 1 ? [UInt8(ascii: ".")] + digits.dropFirst() : []
    let sign = exponent < 0 ? "-" : "+"
    let tail = "e\(sign)\(exponent.magnitude < 10 ? "0" : "")\(exponent.magnitude)"
    return text(digits.prefix(1) + fraction + tail.utf8)
  }
}
