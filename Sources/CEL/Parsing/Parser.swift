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

  mutating func expression() throws(Mistake) -> Expression {
    depth += 1
    defer { depth -= 1 }
    guard depth <= limits.depthMax else { throw tooDeep(token.start) }
    let condition = try logical(.or)
    guard token.kind == .question else { return condition }
    let offset = token.start
    try advance()
    let then = try logical(.or)
    try expect(.colon, "':'")
    let otherwise = try expression()
    return try node(
      offset,
      .call(
        function: Operator.conditional, target: nil, arguments: [condition, then, otherwise]))
  }

  /// A chain of `||` or of `&&`, as a balanced tree: it is associative, and so takes little depth.
  private mutating func logical(_ kind: Token.Kind) throws(Mistake) -> Expression {
    let first = kind == .or ? try logical(.and) : try binary(3)
    guard token.kind == kind else { return first }
    var terms = [first]
    var offsets: [Int] = []
    while token.kind == kind {
      offsets.append(token.start)
      try advance()
      terms.append(kind == .or ? try logical(.and) : try binary(3))
    }
    return try balanced(kind == .or ? Operator.or : Operator.and, terms[...], offsets[...])
  }

  private mutating func balanced(
    _ function: String, _ terms: ArraySlice<Expression>, _ offsets: ArraySlice<Int>
  ) throws(Mistake) -> Expression {
    if terms.count == 1 { return terms[terms.startIndex] }
    let middle = offsets.startIndex + (offsets.count - 1) / 2
    let left = try balanced(function, terms[terms.startIndex...middle], offsets[..<middle])
    let right = try balanced(function, terms[(middle + 1)...], offsets[(middle + 1)...])
    return try node(
      offsets[middle], .call(function: function, target: nil, arguments: [left, right]))
  }

  /// Relations (3), sums (4) and products (5), each from left to right.
  private mutating func binary(_ precedence: Int) throws(Mistake) -> Expression {
    guard precedence <= 5 else { return try unary() }
    var left = try binary(precedence + 1)
    while let function = binaryOperator(precedence) {
      let offset = token.start
      try advance()
      let right = try binary(precedence + 1)
      left = try node(offset, .call(function: function, target: nil, arguments: [left, right]))
    }
    return left
  }

  private func binaryOperator(_ precedence: Int) -> String? {
    switch (precedence, token.kind) {
    case (3, .equal): Operator.equal
    case (3, .notEqual): Operator.notEqual
    case (3, .less): Operator.less
    case (3, .lessOrEqual): Operator.lessOrEqual
    case (3, .greater): Operator.greater
    case (3, .greaterOrEqual): Operator.greaterOrEqual
    case (3, .in): Operator.contained
    case (4, .plus): Operator.add
    case (4, .minus): Operator.subtract
    case (5, .star): Operator.multiply
    case (5, .slash): Operator.divide
    case (5, .percent): Operator.remainder
    default: nil
    }
  }

  private mutating func unary() throws(Mistake) -> Expression {
    guard token.kind == .not || token.kind == .minus else { return try member() }
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
      operand = try node(offset, .call(function: function, target: nil, arguments: [operand]))
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
