/// A record type that the host declares: which fields an expression may select, and their types.
///
/// Values of it are maps with these keys, or an ``ObjectValue`` whose type is
/// `.object(name)`; a field may be absent.
public struct ObjectType: Sendable, Hashable {
  public let name: String
  public let fields: [String: CELType]

  public init(_ name: String, fields: [String: CELType]) {
    self.name = name
    self.fields = fields
  }
}
