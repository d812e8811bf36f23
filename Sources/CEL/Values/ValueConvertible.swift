public import StreamCore

/// A Swift type that values are turned into, and made of.
public protocol ValueConvertible {
  /// `nil` where `value` is of another type.
  init?(_ value: Value)
  var celValue: Value { get }
}

extension ValueConvertible {
  static func converted(_ value: Value) throws(EvaluationError) -> Self {
    guard let result = Self(value) else {
      throw EvaluationError(
        .noSuchOverload, "the result is of type \(value.type), which is no \(Self.self)")
    }
    return result
  }
}

extension Value: ValueConvertible {
  public init(_ value: Value) { self = value }
  public var celValue: Value { self }
}

extension Bool: ValueConvertible {
  public init?(_ value: Value) {
    guard case .bool(let value) = value else { return nil }
    self = value
  }
  public var celValue: Value { .bool(self) }
}

extension Int64: ValueConvertible {
  public init?(_ value: Value) {
    guard case .int(let value) = value else { return nil }
    self = value
  }
  public var celValue: Value { .int(self) }
}

extension UInt64: ValueConvertible {
  public init?(_ value: Value) {
    guard case .uint(let value) = value else { return nil }
    self = value
  }
  public var celValue: Value { .uint(self) }
}

extension Double: ValueConvertible {
  public init?(_ value: Value) {
    guard case .double(let value) = value else { return nil }
    self = value
  }
  public var celValue: Value { .double(self) }
}

extension String: ValueConvertible {
  public init?(_ value: Value) {
    guard case .string(let value) = value else { return nil }
    self = value
  }
  public var celValue: Value { .string(self) }
}

extension Instant: ValueConvertible {
  public init?(_ value: Value) {
    guard case .timestamp(let value) = value else { return nil }
    self = value
  }
  public var celValue: Value { .timestamp(self) }
}

extension Duration: ValueConvertible {
  public init?(_ value: Value) {
    guard case .duration(let value) = value else { return nil }
    self = value
  }
  public var celValue: Value { .duration(self) }
}

extension Decimal: ValueConvertible {
  public init?(_ value: Value) {
    guard case .decimal(let value) = value else { return nil }
    self = value.decimal
  }
  public var celValue: Value { .decimal(self) }
}

extension Array: ValueConvertible where Element: ValueConvertible {
  public init?(_ value: Value) {
    guard case .list(let list) = value else { return nil }
    var elements: [Element] = []
    for item in list {
      guard let element = Element(item) else { return nil }
      elements.append(element)
    }
    self = elements
  }
  public var celValue: Value { .list(map(\.celValue)) }
}

extension Optional: ValueConvertible where Wrapped: ValueConvertible {
  /// Null is `nil`, as is an optional without a value.
  public init?(_ value: Value) {
    switch value {
    case .null: self = .none
    case .optional(let optional):
      guard let inner = optional.value else {
        self = .none
        return
      }
      guard let wrapped = Wrapped(inner) else { return nil }
      self = .some(wrapped)
    default:
      guard let wrapped = Wrapped(value) else { return nil }
      self = .some(wrapped)
    }
  }
  public var celValue: Value { map(\.celValue) ?? .null }
}
