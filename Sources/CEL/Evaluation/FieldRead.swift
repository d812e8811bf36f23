/// What an expression reads of a variable: the whole of it, or a field at the end of a path.
public struct FieldRead: Hashable, Sendable, CustomStringConvertible {
  public let variable: String
  /// Names of fields from the variable inwards; empty for the variable itself.
  public let path: [String]
  /// As declared; ``CELType/dyn`` inside what is not declared.
  public let type: CELType

  /// As an expression writes it: `event.amount`.
  public var description: String { ([variable] + path).joined(separator: ".") }
}
