import StreamCore

/// The exact decimal digits of a finite number: 0.d₁d₂d₃… × 10^`point`, without a locale.
///
/// A double is m × 2^e; for e < 0 that is m × 5^-e × 10^e, a whole number with a moved point, so
/// its digits are finite (at most 767) and rounding them is exact.
struct ExactDigits {
  /// Digits 0 ... 9, the first of them not zero; empty for zero.
  private(set) var digits: [UInt8]
  /// How many digits stand before the point; negative for zeros behind it.
  private(set) var point: Int
  let isNegative: Bool

  /// - Precondition: `value` is finite.
  init(_ value: Double) {
    precondition(value.isFinite, "only finite numbers have digits")
    isNegative = value.sign == .minus
    guard value != 0 else {
      (digits, point) = ([], 0)
      return
    }
    var exponent = Int(value.exponentBitPattern) - 1075
    var significand = value.significandBitPattern
    if value.isNormal { significand |= 1 << 52 } else { exponent += 1 }
    let zeros = significand.trailingZeroBitCount
    exponent += zeros
    var number = LongNumber(significand >> UInt64(zeros))
    for _ in 0..<abs(exponent) { number.multiply(by: exponent < 0 ? 5 : 2) }
    digits = number.decimalDigits()
    point = digits.count + min(exponent, 0)
  }

  init(magnitude: UInt64, isNegative: Bool) {
    self.isNegative = isNegative
    digits = magnitude == 0 ? [] : String(magnitude).utf8.map { $0 - 0x30 }
    point = digits.count
  }

  init(_ value: Decimal) {
    isNegative = value.coefficient < 0
    digits =
      value.coefficient == 0 ? [] : String(value.coefficient.magnitude).utf8.map { $0 - 0x30 }
    point = digits.count - value.scale
  }

  /// Keeps `count` digits, rounding a half to the even neighbour.
  private mutating func round(to count: Int) {
    guard count < digits.count else { return }
    guard count >= 0 else {
      (digits, point) = ([], 0)
      return
    }
    let next = digits[count]
    let isHalf = next == 5 && digits[(count + 1)...].allSatisfy { $0 == 0 }
    let isOdd = count > 0 && digits[count - 1] % 2 == 1
    digits.removeSubrange(count...)
    guard next > 5 || (next == 5 && (!isHalf || isOdd)) else { return }
    var index = count - 1
    while index >= 0, digits[index] == 9 {
      digits[index] = 0
      index -= 1
    }
    if index >= 0 {
      digits[index] += 1
    } else {
      digits.insert(1, at: 0)
      point += 1
    }
  }

  private func digit(_ index: Int) -> UInt8 {
    index >= 0 && index < digits.count ? 0x30 + digits[index] : 0x30
  }

  /// `-123.450`: at least one digit before the point, `precision` behind it.
  func fixed(precision: Int) -> String {
    var rounded = self
    rounded.round(to: point + precision)
    var text: [UInt8] = isNegative ? [UInt8(ascii: "-")] : []
    let whole = max(rounded.point, 0)
    if whole == 0 || rounded.digits.isEmpty { text.append(UInt8(ascii: "0")) }
    if !rounded.digits.isEmpty {
      for index in 0..<whole { text.append(rounded.digit(index)) }
    }
    if precision > 0 {
      text.append(UInt8(ascii: "."))
      for place in 0..<precision { text.append(rounded.digit(rounded.point + place)) }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// `-1.2345e+02`: one digit before the point, `precision` behind it.
  func scientific(precision: Int) -> String {
    var rounded = self
    rounded.round(to: precision + 1)
    var text: [UInt8] = isNegative ? [UInt8(ascii: "-")] : []
    text.append(rounded.digit(0))
    if precision > 0 {
      text.append(UInt8(ascii: "."))
      for place in 1...precision { text.append(rounded.digit(place)) }
    }
    let exponent = rounded.digits.isEmpty ? 0 : rounded.point - 1
    let magnitude = exponent.magnitude
    text += [UInt8(ascii: "e"), exponent < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")]
    if magnitude < 10 { text.append(UInt8(ascii: "0")) }
    text += Array(String(magnitude).utf8)
    return String(decoding: text, as: UTF8.self)
  }
}

/// A whole number of any length, in words of 32 bits, the lowest first.
private struct LongNumber {
  private var words: [UInt32]

  init(_ value: UInt64) {
    words = [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
  }

  mutating func multiply(by factor: UInt32) {
    var carry: UInt64 = 0
    for index in words.indices {
      let product = UInt64(words[index]) * UInt64(factor) + carry
      words[index] = UInt32(truncatingIfNeeded: product)
      carry = product >> 32
    }
    if carry > 0 { words.append(UInt32(carry)) }
  }

  /// Its digits, the highest first, without leading zeros.
  func decimalDigits() -> [UInt8] {
    var words = words
    var reversed: [UInt8] = []
    while let last = words.last {
      guard last != 0 else {
        words.removeLast()
        continue
      }
      var rest: UInt64 = 0
      for index in words.indices.reversed() {
        let part = rest << 32 | UInt64(words[index])
        words[index] = UInt32(part / 1_000_000_000)
        rest = part % 1_000_000_000
      }
      for _ in 0..<9 {
        reversed.append(UInt8(rest % 10))
        rest /= 10
      }
    }
    while reversed.last == 0 { reversed.removeLast() }
    return reversed.reversed()
  }
}
