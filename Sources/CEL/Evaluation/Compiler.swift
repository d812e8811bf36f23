/// Turns a checked tree into closures, once a program.
struct Compiler {
  let checked: CheckedExpression
  private(set) var reads: [FieldRead] = []
  /// Loops' variables around a node, with their places in ``Frame/locals``; the innermost last.
  var scope: [(name: String, place: Int)] = []
  private(set) var localCount = 0

  init(_ checked: CheckedExpression) { self.checked = checked }

  /// What nests recurses through here: the functions for the kinds of nodes are not inlined, so that each
  /// level takes the stack of its own kind only.
  mutating func compile(_ node: Expression) -> Code {
    switch node.kind {
    case .literal(let value): return Code(constant: value)
    case .identifier(let name): return identifier(node, name)
    case .select(let operand, let field, let mode): return select(node, operand, field, mode)
    case .call(let function, let target, let arguments):
      return call(node, function, target, arguments)
    case .list(let elements): return list(elements)
    case .map(let entries): return map(entries)
    case .message(let name, _):
      return Code(
        failing: EvaluationError(.undeclaredReference, "there are no message types here: '\(name)'")
      )
    case .comprehension(let fold): return comprehension(fold)
    }
  }

  // MARK: Names and fields

  mutating func enter(_ name: String) -> Int {
    let place = scope.count
    scope.append((name, place))
    localCount = max(localCount, scope.count)
    return place
  }

  @inline(never)
  private mutating func identifier(_ node: Expression, _ name: String) -> Code {
    switch checked.reference(node) {
    case .local?:
      guard let place = scope.last(where: { $0.name == name })?.place else {
        preconditionFailure("the checker found a variable of a loop that is not around it")
      }
      return Code { frame in frame.locals[place] }
    case .constant(let value)?: return Code(constant: value)
    case .undeclared(let name)?: return undeclared(name)
    default: return read(node) ?? undeclared(name)
    }
  }

  private func undeclared(_ name: String) -> Code {
    Code(failing: EvaluationError(.undeclaredReference, "undeclared reference to '\(name)'"))
  }

  /// The variable and the names of fields that a node is, if it is nothing else.
  private func path(_ node: Expression) -> (variable: String, path: [String])? {
    if case .variable(let name)? = checked.reference(node) { return (name, []) }
    let operand: Expression
    let field: String
    switch node.kind {
    case .select(let inner, let name, .value): (operand, field) = (inner, name)
    case .call(Operator.index, nil, let arguments):
      guard arguments.count == 2, case .literal(.string(let name)) = arguments[1].kind
      else { return nil }
      (operand, field) = (arguments[0], name)
    default: return nil
    }
    guard hasFields(operand), let outer = path(operand) else { return nil }
    return (outer.variable, outer.path + [field])
  }

  private func hasFields(_ node: Expression) -> Bool {
    switch checked.type(of: node) {
    case .dyn, .map, .object: true
    default: false
    }
  }

  private mutating func slot(_ variable: String, _ path: [String], _ type: CELType) -> Int {
    if let slot = reads.firstIndex(where: { $0.variable == variable && $0.path == path }) {
      return slot
    }
    reads.append(FieldRead(variable: variable, path: path, type: type))
    return reads.count - 1
  }

  /// Code that asks the host, where a node is a variable or fields of one.
  @inline(never)
  mutating func read(_ node: Expression) -> Code? {
    guard let (variable, path) = path(node) else { return nil }
    let type = checked.type(of: node)
    let slot = slot(variable, path, type)
    let missing =
      path.last.map { Selection.missing($0) }
      ?? .error(.host, "variable '\(variable)' has no value")
    let filter = ArgumentFilter(type)
    guard !filter.acceptsAll else {
      return Code(slot: slot, missing: missing) { frame in
        frame.bindings.value(at: slot) ?? missing
      }
    }
    let name = reads[slot].description
    return Code { frame in
      guard let value = frame.bindings.value(at: slot) else { return missing }
      if filter.accepts(value) || value.isError { return value }
      return .error(.host, "\(name) is declared as \(type), its value is of type \(value.type)")
    }
  }

  @inline(never)
  private mutating func select(
    _ node: Expression, _ operand: Expression, _ field: String, _ mode: Expression.SelectMode
  ) -> Code {
    switch checked.reference(node) {
    case .constant(let value)?: return Code(constant: value)
    case .undeclared(let name)?: return undeclared(name)
    default: break
    }
    switch mode {
    case .value:
      if let code = read(node) { return code }
      let operand = compile(operand).value
      let missing = Selection.missing(field)
      return Code { frame in Selection.value(of: operand(&frame), field) ?? missing }
    case .presence:
      if hasFields(operand), let (variable, path) = path(operand) {
        let slot = slot(variable, path + [field], .dyn)
        return Code { frame in frame.bindings.presence(at: slot) }
      }
      let operand = compile(operand).value
      return Code { frame in Selection.presence(in: operand(&frame), field) }
    case .optional:
      let operand = compile(operand).value
      return Code { frame in Selection.optional(of: operand(&frame), field) }
    }
  }

  // MARK: Literals

  @inline(never)
  private mutating func list(_ elements: [ListElement]) -> Code {
    let items = elements.map { (code: compile($0.value), isOptional: $0.isOptional) }
    let constants = items.compactMap { $0.isOptional ? nil : $0.code.constant }
    if constants.count == items.count { return Code(constant: .list(constants)) }
    let codes = items.map { (value: $0.code.value, isOptional: $0.isOptional) }
    return Code { frame in
      var values: [Value] = []
      values.reserveCapacity(codes.count)
      for (code, isOptional) in codes {
        let value = code(&frame)
        if value.isError { return value }
        guard isOptional else {
          values.append(value)
          continue
        }
        guard case .optional(let optional) = value else { return Self.notOptional(value) }
        if let inner = optional.value { values.append(inner) }
      }
      return .list(values)
    }
  }

  private static func notOptional(_ value: Value) -> Value {
    .error(
      .noSuchOverload, "'?' stands before a value of type \(value.type), which is not optional")
  }

  @inline(never)
  private mutating func map(_ entries: [MapEntry]) -> Code {
    let items = entries.map {
      (key: compile($0.key), value: compile($0.value), isOptional: $0.isOptional)
    }
    let codes = items.map { (key: $0.key.value, value: $0.value.value, isOptional: $0.isOptional) }
    let build: ValueCode = { frame in
      var map = MapBuilder()
      for (keyCode, valueCode, isOptional) in codes {
        let key = keyCode(&frame)
        if key.isError { return key }
        var value = valueCode(&frame)
        if value.isError { return value }
        if isOptional {
          guard case .optional(let optional) = value else { return Self.notOptional(value) }
          guard let inner = optional.value else { continue }
          value = inner
        }
        if let error = map.insert(value, forKey: key) { return .error(error) }
      }
      return .map(map.finish())
    }
    let isConstant = items.allSatisfy {
      !$0.isOptional && $0.key.constant != nil && $0.value.constant != nil
    }
    return isConstant ? Self.folded(build) : Code(build)
  }

  /// Code that depends on nothing, as its value; as it is, where that is an error.
  static func folded(_ code: @escaping ValueCode) -> Code {
    var frame = Frame(bindings: NoBindings(), locals: [], budget: Budget(foldingMax))
    let value = code(&frame)
    return value.isError ? Code(code) : Code(constant: value)
  }

  /// What may be spent on a constant while a program is compiled.
  private static let foldingMax = 1000
}

/// For code that reads nothing.
private final class NoBindings: Bindings {
  func value(at slot: Int) -> Value? { nil }
}
