extension Expression {
  /// The nodes directly below, in the order of their evaluation.
  public var children: [Expression] {
    var children: [Expression] = []
    Self.forEachChild(of: kind) { children.append($0) }
    return children
  }

  /// Visits this node and all below it, parents before their children.
  ///
  /// - Parameter visit: returns whether to go below the node it is given.
  public func walk(_ visit: (Expression) throws -> Bool) rethrows {
    guard try visit(self) else { return }
    for child in children { try child.walk(visit) }
  }

  static func forEachChild(of kind: Kind, _ body: (Expression) -> Void) {
    switch kind {
    case .literal, .identifier: break
    case .select(let operand, _, _): body(operand)
    case .call(_, let target, let arguments):
      if let target { body(target) }
      for argument in arguments { body(argument) }
    case .list(let elements):
      for element in elements { body(element.value) }
    case .map(let entries):
      for entry in entries {
        body(entry.key)
        body(entry.value)
      }
    case .message(_, let fields):
      for field in fields { body(field.value) }
    case .comprehension(let fold):
      body(fold.range)
      body(fold.initial)
      body(fold.condition)
      body(fold.step)
      body(fold.result)
    }
  }
}
