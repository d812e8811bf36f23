import StreamCore

/// Reads a text into a tree: recursive descent, binary operators by their precedence.
struct Parser {
  let source: Source
  let limits: ParserLimits
  let macros: [String: [Macro]]
  /// Whether `1.5` is a decimal.
  let decimalLiterals: Bool

  private var lexer: Lexer
  var token: Token
  private var nextID = 1
  private var depth = 0

  /// - Throws: the first mistake; a text that is wrong has no tree to go on with.
  static func parse(
    _ source: Source, macros: [String: [Macro]], limits: ParserLimits, decimalLiterals: Bool
  ) throws(Mistake) -> Expression {
    guard source.bytes.count <= limits.lengthMax else {
      throw Mistake(
        limits.lengthMax,
        "an expression of \(source.bytes.count) bytes; the most are \(limits.lengthMax)")
    }
    var parser = Parser(source, macros, limits, decimalLiterals)
    try parser.advance()
    let expression = try parser.expression()
    guard parser.token.kind == .end else { throw parser.unexpected() }
    return expression
  }

  private init(
    _ source: Source, _ macros: [String: [Macro]], _ limits: ParserLimits, _ decimalLiterals: Bool
  ) {
    self.source = source
    self.macros = macros
    self.limits = limits
    self.decimalLiterals = decimalLiterals
    lexer = Lexer(source.bytes)
    token = Token(kind: .end, start: 0, end: 0)
  }

  // MARK: Tokens and nodes

  mutating func advance() throws(Mistake) { token = try lexer.next() }

  mutating func take(_ kind: Token.Kind) throws(Mistake) -> Bool {
    guard token.kind == kind else { return false }
    try advance()
    return true
  }

  mutating func expect(_ kind: Token.Kind, _ what: String) throws(Mistake) {
    guard try take(kind) else { throw unexpected(expecting: what) }
  }

  func text(_ token: Token) -> String {
    String(decoding: source.bytes[token.start..<token.end], as: UTF8.self)
  }

  func unexpected(expecting what: String = "") -> Mistake {
    let expected = what.isEmpty ? "" : ", expecting \(what)"
    guard token.kind != .end else {
      return Mistake(token.start, "the expression ends too early\(expected)")
    }
    let text = text(token)
    let shown = text.unicodeScalars.count > 30 ? String(text.prefix(30)) + "…" : text
    return Mistake(token.start, "unexpected '\(shown)'\(expected)")
  }

  mutating func node(_ offset: Int, _ kind: Expression.Kind) throws(Mistake) -> Expression {
    defer { nextID += 1 }
    return try checked(Expression(id: nextID, offset: offset, kind: kind))
  }

  private func checked(_ node: Expression) throws(Mistake) -> Expression {
    guard node.depth <= limits.depthMax else { throw tooDeep(node.offset) }
    return node
  }

  private func tooDeep(_ offset: Int) -> Mistake {
    Mistake(offset, "the expression is nested deeper than \(limits.depthMax) levels")
  }

  // MARK: Operators

  /// An expression. What nests in text recurses through here, so the functions on the way keep their
  /// frames small: what they do besides is in others.
  mutating func expression() throws(Mistake) -> Expression {
    depth += 1
    defer { depth -= 1 }
    guard depth <= limits.depthMax else { throw tooDeep(token.start) }
    let condition = try operation(1)
    return token.kind == .question ? try conditional(condition) : condition
  }

  @inline(never)
  private mutating func conditional(_ condition: Expression) throws(Mistake) -> Expression {
    let offset = token.start
    try advance()
    let then = try operation(1)
    try expect(.colon, "':'")
    let otherwise = try expression()
    return try call(Operator.conditional, [condition, then, otherwise], at: offset)
  }

  /// Operands joined by binary operators of at least a precedence, each level from left to right.
  private mutating func operation(_ minimum: Int) throws(Mistake) -> Expression {
    var left = try unary()
    while let (function, precedence) = binaryOperator(), precedence >= minimum {
      left = try operation(function, precedence, left)
    }
    return left
  }

  @inline(never)
  private mutating func operation(
    _ function: String, _ precedence: Int, _ left: Expression
  ) throws(Mistake) -> Expression {
    guard precedence > 2 else { return try logical(function, precedence, left) }
    let offset = token.start
    try advance()
    let right = try operation(precedence + 1)
    return try call(function, [left, right], at: offset)
  }

  /// A chain of `||` or of `&&`, as a balanced tree: it is associative, and so takes little depth.
  private mutating func logical(
    _ function: String, _ precedence: Int, _ first: Expression
  ) throws(Mistake) -> Expression {
    let kind = token.kind
    var terms = [first]
    var offsets: [Int] = []
    while token.kind == kind {
      offsets.append(token.start)
      try advance()
      terms.append(try operation(precedence + 1))
    }
    return try balanced(function, terms[...], offsets[...])
  }

  @inline(never)
  private mutating func call(
    _ function: String, _ arguments: [Expression], at offset: Int
  ) throws(Mistake) -> Expression {
    try node(offset, .call(function: function, target: nil, arguments: arguments))
  }

  private mutating func balanced(
    _ function: String, _ terms: ArraySlice<Expression>, _ offsets: ArraySlice<Int>
  ) throws(Mistake) -> Expression {
    if terms.count == 1 { return terms[terms.startIndex] }
    let middle = offsets.startIndex + (offsets.count - 1) / 2
    let left = try balanced(function, terms[terms.startIndex...middle], offsets[..<middle])
    let right = try balanced(function, terms[(middle + 1)...], offsets[(middle + 1)...])
    return try call(function, [left, right], at: offsets[middle])
  }

  /// The operator that is next, from `||` (1) to products (5).
  private func binaryOperator() -> (function: String, precedence: Int)? {
    switch token.kind {
    case .or: (Operator.or, 1)
    case .and: (Operator.and, 2)
    case .equal: (Operator.equal, 3)
    case .notEqual: (Operator.notEqual, 3)
    case .less: (Operator.less, 3)
    case .lessOrEqual: (Operator.lessOrEqual, 3)
    case .greater: (Operator.greater, 3)
    case .greaterOrEqual: (Operator.greaterOrEqual, 3)
    case .in: (Operator.contained, 3)
    case .plus: (Operator.add, 4)
    case .minus: (Operator.subtract, 4)
    case .star: (Operator.multiply, 5)
    case .slash: (Operator.divide, 5)
    case .percent: (Operator.remainder, 5)
    default: nil
    }
  }

  private mutating func unary() throws(Mistake) -> Expression {
    token.kind == .not || token.kind == .minus ? try prefixed() : try member()
  }

  @inline(never)
  private mutating func prefixed() throws(Mistake) -> Expression {
    let first = token.kind
    var offsets: [Int] = []
    var last = token
    while token.kind == first {
      last = token
      offsets.append(token.start)
      try advance()
    }
    var operand: Expression
    if first == .minus, token.kind == .int || token.kind == .double {
      // The sign belongs to the number: otherwise the least integer could not be written.
      offsets.removeLast()
      operand = try members(of: number(sign: last))
    } else {
      operand = try member()
    }
    let function = first == .not ? Operator.not : Operator.negate
    for offset in offsets.reversed() {
      operand = try call(function, [operand], at: offset)
    }
    return operand
  }

  // MARK: Macros

  /// A call, or what the macro of its name makes of it.
  mutating func call(
    _ function: String, target: Expression?, arguments: [Expression], at offset: Int
  ) throws(Mistake) -> Expression {
    let written = try node(
      offset, .call(function: function, target: target, arguments: arguments))
    for macro in macros[function] ?? []
    where macro.isMember == (target != nil) && macro.arguments ?? arguments.count == arguments.count
    {
      var builder = MacroBuilder(offset: offset, nextID: nextID)
      do {
        guard let expanded = try macro.expand(target, arguments, &builder) else { continue }
        nextID = builder.nextID + 1
        return try checked(
          Expression(
            id: builder.nextID, offset: expanded.offset, kind: expanded.kind, macroCall: written))
      } catch let error as MacroError {
        throw Mistake(error.node?.offset ?? offset, error.message)
      } catch let mistake as Mistake {
        throw mistake
      } catch {
        throw Mistake(offset, "\(error)")
      }
    }
    return written
  }
}
