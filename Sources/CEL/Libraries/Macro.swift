/// A rewriting of calls before they are checked, such as `has(a.b)` or `list.all(x, x > 0)`.
public struct Macro: Sendable {
  public let name: String
  /// Whether it is called on a target. `cel.bind(…)` is: its target is the name `cel`.
  public let isMember: Bool
  /// How many arguments a call has; `nil` for any number.
  public let arguments: Int?
  /// What the call becomes; `nil` where it is no call of the macro and stays as it is.
  ///
  /// Throws ``MacroError`` for a call that is wrong.
  public let expand: Expansion

  public typealias Expansion =
    @Sendable (
      _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder
    ) throws(MacroError) -> Expression?

  public init(
    _ name: String, isMember: Bool, arguments: Int?, expand: @escaping Expansion
  ) {
    self.name = name
    self.isMember = isMember
    self.arguments = arguments
    self.expand = expand
  }
}

/// A call of a macro that is wrong, such as a loop variable that is no name.
public struct MacroError: Error {
  public let message: String
  /// The node to point to; the call itself where `nil`.
  public let node: Expression?

  public init(_ message: String, at node: Expression? = nil) {
    self.message = message
    self.node = node
  }
}
