/// An exact decimal number: `coefficient` × 10^-`scale`, at most 38 digits.
///
/// The scale is kept as written (`0.10` has scale 2); numbers are compared and hashed by value.
/// What does not fit is an error, never a wrong number.
@frozen
public struct Decimal: Sendable {
  /// Below 10^38 in magnitude.
  public let coefficient: Int128
  /// Digits after the point, 0 ... 38.
  public let scale: Int

  public static let zero = Decimal(unchecked: 0, scale: 0)
  /// The most digits of a coefficient, and of a scale.
  public static let digitsMax = 38

  @inlinable
  init(unchecked coefficient: Int128, scale: Int) {
    self.coefficient = coefficient
    self.scale = scale
  }

  /// - Throws: ``DecimalError/overflow`` beyond 38 digits.
  /// - Precondition: `scale` is 0 ... 38.
  public init(coefficient: Int128, scale: Int) throws(DecimalError) {
    precondition(scale >= 0 && scale <= Self.digitsMax, "a scale is 0 ... 38")
    guard coefficient.magnitude < Self.limit else { throw .overflow }
    self.init(unchecked: coefficient, scale: scale)
  }

  @inlinable
  public init(_ value: some FixedWidthInteger & SignedInteger) {
    precondition(Int64.bitWidth >= value.bitWidth, "use init(coefficient:scale:)")
    self.init(unchecked: Int128(truncatingIfNeeded: value), scale: 0)
  }

  /// 10^38, the first magnitude that does not fit.
  static var limit: UInt128 { powersOfTen[38] }

  /// 10^0 ... 10^38.
  static let powersOfTen: [UInt128] = {
    var powers: [UInt128] = [1]
    for _ in 0..<digitsMax { powers.append(powers[powers.count - 1] * 10) }
    return powers
  }()

  /// The whole number, where there is no fraction and it fits.
  public var int64: Int64? {
    let number = canonical
    return number.scale == 0 ? Int64(exactly: number.coefficient) : nil
  }

  /// The nearest double: for display and comparison with other systems only.
  public var double: Double { Double(description) ?? .nan }

  /// The same value without trailing zeros behind the point.
  public var canonical: Decimal {
    guard scale > 0 else { return self }
    if coefficient == 0 { return .zero }
    var coefficient = coefficient
    var scale = scale
    while scale > 0 {
      let (quotient, remainder) = coefficient.quotientAndRemainder(dividingBy: 10)
      guard remainder == 0 else { break }
      coefficient = quotient
      scale -= 1
    }
    return Decimal(unchecked: coefficient, scale: scale)
  }
}

/// Why there is no such decimal.
public enum DecimalError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The text is no number.
  case malformed
  /// The number has more than 38 digits, or more than 38 behind the point.
  case overflow
  case divisionByZero

  public var description: String {
    switch self {
    case .malformed: "not a decimal number"
    case .overflow: "a decimal number has at most 38 digits, at most 38 of them behind the point"
    case .divisionByZero: "division by zero"
    }
  }
}

extension Decimal: Comparable, Hashable {
  public static func == (left: Decimal, right: Decimal) -> Bool {
    left.scale == right.scale
      ? left.coefficient == right.coefficient : compare(left, right) == 0
  }

  public static func < (left: Decimal, right: Decimal) -> Bool {
    left.scale == right.scale
      ? left.coefficient < right.coefficient : compare(left, right) < 0
  }

  public func hash(into hasher: inout Hasher) {
    let number = canonical
    hasher.combine(number.coefficient)
    hasher.combine(number.scale)
  }

  /// Negative, zero or positive, as `left` is below, equal to or above `right`.
  private static func compare(_ left: Decimal, _ right: Decimal) -> Int {
    if left.scale > right.scale { return -compare(right, left) }
    // A product beyond 128 bits is larger than any coefficient, so its sign decides.
    let (scaled, overflow) = left.coefficient.multipliedReportingOverflow(
      by: Int128(powersOfTen[right.scale - left.scale]))
    if overflow { return left.coefficient < 0 ? -1 : 1 }
    return scaled == right.coefficient ? 0 : scaled < right.coefficient ? -1 : 1
  }
}
