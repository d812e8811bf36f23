extension Decimal {
  /// What becomes of digits behind the last one kept.
  public enum Rounding: Sendable, CaseIterable {
    /// To the nearest; a half to the even neighbour.
    case halfEven
    /// To the nearest; a half away from zero.
    case halfUp
    /// Towards zero.
    case down
    /// Away from zero.
    case up
  }

  /// The sum, with the larger scale of the two.
  ///
  /// - Throws: ``DecimalError/overflow``.
  public static func + (left: Decimal, right: Decimal) throws(DecimalError) -> Decimal {
    if left.scale == right.scale {
      // Two magnitudes below 10^38 cannot overflow 128 bits.
      return try Decimal(coefficient: left.coefficient + right.coefficient, scale: left.scale)
    }
    let scale = max(left.scale, right.scale)
    let (sum, overflow) = try left.coefficient(at: scale).addingReportingOverflow(
      right.coefficient(at: scale))
    guard !overflow else { throw .overflow }
    return try Decimal(coefficient: sum, scale: scale)
  }

  /// The difference, with the larger scale of the two.
  ///
  /// - Throws: ``DecimalError/overflow``.
  public static func - (left: Decimal, right: Decimal) throws(DecimalError) -> Decimal {
    try left + (-right)
  }

  public static prefix func - (number: Decimal) -> Decimal {
    Decimal(unchecked: -number.coefficient, scale: number.scale)
  }

  /// The exact product; its scale is the sum of the scales.
  ///
  /// - Throws: ``DecimalError/overflow``.
  public static func * (left: Decimal, right: Decimal) throws(DecimalError) -> Decimal {
    let scale = left.scale + right.scale
    let (product, overflow) = left.coefficient.multipliedReportingOverflow(by: right.coefficient)
    guard !overflow, scale <= digitsMax else {
      // Trailing zeros may be all that does not fit.
      let (shortLeft, shortRight) = (left.canonical, right.canonical)
      guard shortLeft.scale + shortRight.scale < scale else { throw .overflow }
      return try shortLeft * shortRight
    }
    return try Decimal(coefficient: product, scale: scale)
  }

  /// The quotient to `scale` digits behind the point, rounded once.
  ///
  /// - Throws: ``DecimalError/divisionByZero`` or ``DecimalError/overflow``.
  /// - Precondition: `scale` is 0 ... 38.
  public func divided(
    by divisor: Decimal, scale: Int, rounding: Rounding = .halfEven
  ) throws(DecimalError) -> Decimal {
    precondition(scale >= 0 && scale <= Self.digitsMax, "a scale is 0 ... 38")
    guard divisor.coefficient != 0 else { throw .divisionByZero }
    return try Self.quotient(
      coefficient.magnitude, divisor.coefficient.magnitude,
      exponent: scale + divisor.scale - self.scale,
      negative: (coefficient < 0) != (divisor.coefficient < 0), scale: scale, rounding)
  }

  /// The number with exactly `scale` digits behind the point.
  ///
  /// - Throws: ``DecimalError/overflow``.
  /// - Precondition: `scale` is 0 ... 38.
  public func rounded(
    scale: Int, rounding: Rounding = .halfEven
  ) throws(DecimalError) -> Decimal {
    precondition(scale >= 0 && scale <= Self.digitsMax, "a scale is 0 ... 38")
    return try Self.quotient(
      coefficient.magnitude, 1, exponent: scale - self.scale, negative: coefficient < 0,
      scale: scale, rounding)
  }

  private func coefficient(at scale: Int) throws(DecimalError) -> Int128 {
    guard scale > self.scale else { return coefficient }
    let (scaled, overflow) = coefficient.multipliedReportingOverflow(
      by: Int128(Self.powersOfTen[scale - self.scale]))
    guard !overflow else { throw .overflow }
    return scaled
  }

  /// `dividend` × 10^`exponent` ÷ `divisor`, rounded to a whole coefficient of `scale`.
  private static func quotient(
    _ dividend: UInt128, _ divisor: UInt128, exponent: Int, negative: Bool, scale: Int,
    _ rounding: Rounding
  ) throws(DecimalError) -> Decimal {
    var divisor = divisor
    var quotient: UInt128
    var remainder: UInt128
    if exponent >= 0 {
      let first = dividend.multipliedFullWidth(by: powersOfTen[min(exponent, digitsMax)])
      guard first.high < divisor else { throw .overflow }
      (quotient, remainder) = divisor.dividingFullWidth(first)
      // Beyond 10^38, a digit at a time.
      for _ in 0..<max(0, exponent - digitsMax) {
        guard quotient < limit else { throw .overflow }
        let digit = divisor.dividingFullWidth(remainder.multipliedFullWidth(by: 10))
        quotient = quotient * 10 + digit.quotient
        remainder = digit.remainder
        guard quotient < limit else { throw .overflow }
      }
    } else {
      let (scaled, overflow) = divisor.multipliedReportingOverflow(
        by: powersOfTen[min(-exponent, digitsMax)])
      if overflow || -exponent > digitsMax {
        // The divisor is beyond 2 × 10^38, so the quotient is less than a half.
        (quotient, remainder, divisor) = (0, dividend == 0 ? 0 : 1, 3)
      } else {
        divisor = scaled
        (quotient, remainder) = dividend.quotientAndRemainder(dividingBy: scaled)
      }
    }
    guard quotient < limit else { throw .overflow }
    let up: Bool
    if remainder == 0 {
      up = false
    } else {
      let rest = divisor - remainder
      switch rounding {
      case .down: up = false
      case .up: up = true
      case .halfUp: up = remainder >= rest
      case .halfEven: up = remainder == rest ? quotient % 2 == 1 : remainder > rest
      }
    }
    if up { quotient += 1 }
    return try Decimal(
      coefficient: negative ? -Int128(quotient) : Int128(quotient), scale: scale)
  }
}
