/// A value of a type that a library or the host declares, such as an IP address or a record.
///
/// A class, so that a ``Value`` stays small; immutable, as expressions have no side effects.
public protocol ObjectValue: AnyObject, Sendable, CustomStringConvertible {
  /// ``CELType/object(_:)`` for records with fields, ``CELType/opaque(_:_:)`` for the rest.
  var type: CELType { get }

  /// Whether `other`, of the same type, is an equal value.
  func isEqual(to other: any ObjectValue) -> Bool

  /// The value of a field, or `nil` where the record has no such field or it is absent.
  func field(_ name: String) -> Value?
}

extension ObjectValue {
  public func field(_ name: String) -> Value? { nil }
}
