/// Gives each node a type and each name a meaning, and collects all mistakes.
struct Checker {
  let declarations: Declarations
  /// Without types: all is `dyn`, calls choose at run time, and unknown names fail there.
  let isDynamic: Bool
  var substitution = Substitution()
  var mistakes: [Mistake] = []
  private(set) var types: [CELType]
  private(set) var references: [Reference?]
  /// Variables of the loops around a node, the innermost last.
  private var locals: [(name: String, type: CELType)] = []

  /// - Parameter nodes: the largest identity of a node in the tree.
  private init(_ declarations: Declarations, isDynamic: Bool, nodes: Int) {
    self.declarations = declarations
    self.isDynamic = isDynamic
    types = Array(repeating: .dyn, count: nodes + 1)
    references = Array(repeating: nil, count: nodes + 1)
  }

  static func check(
    _ root: Expression, source: Source, declarations: Declarations, isDynamic: Bool
  ) throws(CompileError) -> CheckedExpression {
    var nodes = 0
    root.walk {
      nodes = max(nodes, $0.id)
      return true
    }
    var checker = Checker(declarations, isDynamic: isDynamic, nodes: nodes)
    _ = checker.check(root)
    guard checker.mistakes.isEmpty else {
      throw CompileError(source: source, checker.mistakes)
    }
    return CheckedExpression(
      source: source, root: root,
      types: checker.types.map { checker.substitution.apply($0, isFinal: true) },
      references: checker.references, declarations: declarations)
  }

  /// More mistakes than a reader mends at once are not looked for.
  private static let mistakesMax = 100

  mutating func report(_ node: Expression, _ message: String) {
    guard mistakes.count < Self.mistakesMax else { return }
    mistakes.append(Mistake(node.offset, message))
  }

  /// `; did you mean 'x'?`, while mistakes are still reported.
  func suggestion(_ name: String, among names: some Sequence<String>) -> String {
    mistakes.count < Self.mistakesMax ? Suggestion.text(name, among: names) : ""
  }

  mutating func set(_ node: Expression, _ reference: Reference) { references[node.id] = reference }

  /// The type of a node and, on the way, of all below it.
  mutating func check(_ node: Expression) -> CELType {
    var type = infer(node)
    if substitution.isTooLarge(type) {
      report(node, "the type of the expression is too large")
      type = .error
    }
    types[node.id] = type
    return type
  }

  private mutating func infer(_ node: Expression) -> CELType {
    switch node.kind {
    case .literal(let value): return isDynamic ? .dyn : value.type
    case .identifier(let name): return identifier(node, name)
    case .select(let operand, let field, let mode):
      return select(node, operand, field, mode)
    case .call(let function, let target, let arguments):
      return call(node, function, target, arguments)
    case .list(let elements): return list(elements)
    case .map(let entries): return map(entries)
    case .message(let name, let fields):
      for field in fields { _ = check(field.value) }
      report(node, "there are no message types here: '\(name)' cannot be built")
      return .error
    case .comprehension(let fold): return comprehension(fold)
    }
  }

  // MARK: Names

  private func local(_ name: String) -> CELType? {
    locals.last { $0.name == name }?.type
  }

  func isLocal(_ name: String) -> Bool { local(name) != nil }

  @inline(never)
  private mutating func identifier(_ node: Expression, _ name: String) -> CELType {
    if let type = local(name) {
      set(node, .local)
      return type
    }
    if let type = resolve(node, name) { return type }
    if isDynamic {
      set(node, .undeclared(name))
      return .dyn
    }
    let names = locals.map(\.name) + Array(declarations.variables.keys)
    let near = suggestion(
      name, among: names.filter { !$0.hasPrefix("@") } + Array(declarations.constants.keys))
    report(node, "undeclared reference to '\(name)'\(near)")
    return .error
  }

  /// Looks a name up among variables and constants, in the container's scopes.
  private mutating func resolve(_ node: Expression, _ name: String) -> CELType? {
    for name in declarations.candidates(name) {
      if let type = declarations.variables[name] {
        set(node, .variable(name))
        return isDynamic ? .dyn : type
      }
      if let constant = declarations.constants[name] {
        set(node, .constant(constant.value))
        return isDynamic ? .dyn : constant.type
      }
    }
    return nil
  }

  /// `a.b.c` as one name; `nil` where a loop's variable is at its root, or it is more than names.
  func qualifiedName(_ node: Expression) -> String? {
    switch node.kind {
    case .identifier(let name): return isLocal(name) ? nil : name
    case .select(let operand, let field, .value):
      return qualifiedName(operand).map { "\($0).\(field)" }
    default: return nil
    }
  }

  // MARK: Fields

  @inline(never)
  private mutating func select(
    _ node: Expression, _ operand: Expression, _ field: String, _ mode: Expression.SelectMode
  ) -> CELType {
    if case .value = mode, declarations.hasQualifiedNames, let name = qualifiedName(node),
      let type = resolve(node, name)
    {
      return type
    }
    let isDynamic = isDynamic
    // Two steps: in one, the table would be read before the check adds to it.
    let operandType = check(operand)
    let type = substitution.shallow(operandType)
    var wasOptional = false
    var fieldType: CELType
    if case .opaque(CELType.optionalName, let wrapped) = type, wrapped.count == 1 {
      wasOptional = true
      fieldType = self.field(node, of: substitution.shallow(wrapped[0]), field)
    } else {
      fieldType = self.field(node, of: type, field)
    }
    if isDynamic { return .dyn }
    switch mode {
    case .presence: return .bool
    case .optional: return .optional(fieldType)
    case .value:
      if wasOptional { fieldType = .optional(fieldType) }
      return fieldType
    }
  }

  private mutating func field(_ node: Expression, of type: CELType, _ field: String) -> CELType {
    switch type {
    case .map(let key, let value):
      if !substitution.assign(.string, to: key) {
        report(
          node,
          "a map with keys of type \(substitution.apply(key, isFinal: true)) has no field '\(field)'"
        )
      }
      return value
    case .object(let name):
      guard let object = declarations.types[name] else {
        report(node, "type '\(name)' is not declared")
        return .error
      }
      guard let fieldType = object.fields[field] else {
        let near = suggestion(field, among: object.fields.keys)
        report(node, "\(name) has no field '\(field)'\(near)")
        return .error
      }
      return fieldType
    case .dyn, .error: return type
    case .variable:
      _ = substitution.assign(type, to: .dyn)
      return .dyn
    default:
      report(node, "type \(substitution.apply(type, isFinal: true)) has no fields")
      return .error
    }
  }

  // MARK: Literals

  @inline(never)
  private mutating func list(_ elements: [ListElement]) -> CELType {
    var element: CELType?
    for item in elements {
      let type = unwrapped(item.value, check(item.value), isOptional: item.isOptional)
      element = element.map { substitution.join($0, type) } ?? type
    }
    return isDynamic ? .dyn : .list(element ?? substitution.fresh())
  }

  @inline(never)
  private mutating func map(_ entries: [MapEntry]) -> CELType {
    var key: CELType?
    var value: CELType?
    for entry in entries {
      let keyType = check(entry.key)
      key = key.map { substitution.join($0, keyType) } ?? keyType
      let type = unwrapped(entry.value, check(entry.value), isOptional: entry.isOptional)
      value = value.map { substitution.join($0, type) } ?? type
    }
    return isDynamic ? .dyn : .map(key ?? substitution.fresh(), value ?? substitution.fresh())
  }

  /// The type inside the optional that `?value` stands for.
  private mutating func unwrapped(_ node: Expression, _ type: CELType, isOptional: Bool) -> CELType
  {
    guard isOptional, !isDynamic else { return type }
    let wrapped = substitution.fresh()
    guard substitution.assign(type, to: .optional(wrapped)) else {
      report(
        node,
        "'?' stands before a value of type \(substitution.apply(type, isFinal: true)), which is not optional"
      )
      return .error
    }
    if case .dyn = substitution.shallow(type) { return .dyn }
    return wrapped
  }

  // MARK: Folds

  @inline(never)
  private mutating func comprehension(_ fold: Comprehension) -> CELType {
    let rangeType = check(fold.range)
    let range = substitution.shallow(rangeType)
    let accumulator = check(fold.initial)
    var first: CELType
    var second: CELType = .dyn
    switch range {
    case .list(let element):
      (first, second) = fold.secondVariable == nil ? (element, .dyn) : (.int, element)
    case .map(let key, let value): (first, second) = (key, value)
    case .dyn, .error: first = .dyn
    case .variable:
      _ = substitution.assign(range, to: .dyn)
      first = .dyn
    default:
      report(
        fold.range,
        "a value of type \(substitution.apply(range, isFinal: true)) has no elements; a list or map does"
      )
      first = .error
    }
    let depth = locals.count
    locals.append((fold.accumulator, accumulator))
    locals.append((fold.variable, first))
    if let name = fold.secondVariable { locals.append((name, second)) }
    expect(fold.condition, check(fold.condition), .bool)
    expect(fold.step, check(fold.step), accumulator)
    locals.removeSubrange((depth + 1)...)
    let result = check(fold.result)
    locals.removeSubrange(depth...)
    return result
  }

  private mutating func expect(_ node: Expression, _ type: CELType, _ wanted: CELType) {
    guard !isDynamic, !substitution.assign(type, to: wanted) else { return }
    report(
      node,
      "expected type \(substitution.apply(wanted, isFinal: true)), found \(substitution.apply(type, isFinal: true))"
    )
  }
}
