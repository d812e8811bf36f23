/// Makes the nodes that a macro's call becomes, all at the call's position.
public struct MacroBuilder {
  /// The name of a fold's result, which no expression can write.
  public static let accumulator = "@result"

  let offset: Int
  var nextID: Int

  init(offset: Int, nextID: Int) {
    self.offset = offset
    self.nextID = nextID
  }

  private mutating func node(_ kind: Expression.Kind) -> Expression {
    defer { nextID += 1 }
    return Expression(id: nextID, offset: offset, kind: kind)
  }

  public mutating func literal(_ value: Value) -> Expression { node(.literal(value)) }

  public mutating func identifier(_ name: String) -> Expression { node(.identifier(name)) }

  public mutating func call(_ function: String, _ arguments: Expression...) -> Expression {
    node(.call(function: function, target: nil, arguments: arguments))
  }

  public mutating func call(_ function: String, arguments: [Expression]) -> Expression {
    node(.call(function: function, target: nil, arguments: arguments))
  }

  public mutating func memberCall(
    _ function: String, on target: Expression, _ arguments: Expression...
  ) -> Expression {
    node(.call(function: function, target: target, arguments: arguments))
  }

  public mutating func select(
    _ operand: Expression, _ field: String, mode: Expression.SelectMode = .value
  ) -> Expression {
    node(.select(operand: operand, field: field, mode: mode))
  }

  public mutating func list(_ elements: [Expression]) -> Expression {
    node(.list(elements.map { ListElement($0) }))
  }

  public mutating func map(_ entries: [MapEntry]) -> Expression { node(.map(entries)) }

  public mutating func fold(_ comprehension: Comprehension) -> Expression {
    node(.comprehension(comprehension))
  }

  /// The name that `node` is.
  ///
  /// - Throws: ``MacroError`` where it is anything but a name without dots, or the accumulator's.
  public func variable(_ node: Expression) throws(MacroError) -> String {
    guard case .identifier(let name) = node.kind, !name.hasPrefix("."), name != Self.accumulator
    else { throw MacroError("a variable must be a simple name", at: node) }
    return name
  }

  /// Whether `node` is the name `name`, such as the `math` of `math.greatest(…)`.
  public func isName(_ node: Expression?, _ name: String) -> Bool {
    if case .identifier(name)? = node?.kind { true } else { false }
  }
}
