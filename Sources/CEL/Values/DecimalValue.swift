public import StreamCore

/// An exact decimal number inside a ``Value``: those of up to 18 digits lie in it, larger ones behind
/// a reference, so that the usual amount allocates nothing.
public struct DecimalValue: Sendable {
  private final class Box: Sendable {
    let decimal: Decimal
    init(_ decimal: Decimal) { self.decimal = decimal }
  }
  private enum Storage: Sendable {
    case small(coefficient: Int64, scale: UInt8)
    case large(Box)
  }
  private let storage: Storage

  public init(_ decimal: Decimal) {
    if let coefficient = Int64(exactly: decimal.coefficient) {
      storage = .small(coefficient: coefficient, scale: UInt8(decimal.scale))
    } else {
      storage = .large(Box(decimal))
    }
  }

  /// - Precondition: `scale` is 0 ... 38.
  public init(coefficient: Int64, scale: Int) {
    precondition(scale >= 0 && scale <= Decimal.digitsMax, "a scale is 0 ... 38")
    storage = .small(coefficient: coefficient, scale: UInt8(scale))
  }

  public var decimal: Decimal {
    switch storage {
    case .small(let coefficient, let scale):
      Self.small(coefficient, Int(scale))
    case .large(let box): box.decimal
    }
  }

  private static func small(_ coefficient: Int64, _ scale: Int) -> Decimal {
    do {
      return try Decimal(coefficient: Int128(coefficient), scale: scale)
    } catch {
      preconditionFailure("64 bits have at most 19 digits: \(error)")
    }
  }
}
