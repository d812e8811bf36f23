/// A tree with the type of each node and what each name means.
public struct CheckedExpression: Sendable {
  public let source: Source
  public let root: Expression
  let types: [CELType]
  let references: [Reference?]
  let declarations: Declarations

  /// The type of the whole expression.
  public var resultType: CELType { type(of: root) }

  /// The type of a node of this tree.
  public func type(of node: Expression) -> CELType {
    types.indices.contains(node.id) ? types[node.id] : .dyn
  }

  func reference(_ node: Expression) -> Reference? { references[node.id] }
}
