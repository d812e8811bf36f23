/// An exact decimal number: `coefficient` × 10^-`scale`, at most 38 digits.
@frozen
public struct Decimal: Sendable {
  public let coefficient: Int128
  /// Digits after the point, 0 ... 38; kept as written (`0.10` has scale 2).
  public let scale: Int
}
