/// A value that may be absent: `optional.of(value)` or `optional.none()`.
public struct OptionalValue: Sendable {
  /// A class, as a value cannot contain itself.
  private final class Box: Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
  }
  private let box: Box?

  public static let none = OptionalValue(nil)

  public init(_ value: Value?) { box = value.map(Box.init) }

  /// The value, or `nil` where there is none.
  public var value: Value? { box?.value }
}
