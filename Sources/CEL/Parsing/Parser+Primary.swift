import StreamCore

extension Parser {
  /// A primary with the selections, calls and indexes behind it.
  mutating func member() throws(Mistake) -> Expression {
    if token.kind == .openParenthesis {
      try advance()
      let inner = try expression()
      try expect(.closeParenthesis, "')'")
      return try members(of: inner)
    }
    let first = try primary()
    return try members(of: first)
  }

  @inline(never)
  mutating func members(of first: Expression) throws(Mistake) -> Expression {
    var operand = first
    while true {
      let offset = token.start
      switch token.kind {
      case .dot:
        try advance()
        let isOptional = try take(.question)
        let offset = token.start
        let (name, isQuoted) = try selector()
        if token.kind == .openParenthesis, !isOptional, !isQuoted {
          try advance()
          let arguments = try expressions(until: .closeParenthesis, "')'")
          operand = try call(name, target: operand, arguments: arguments, at: offset)
        } else {
          operand = try node(
            offset, .select(operand: operand, field: name, mode: isOptional ? .optional : .value))
        }
      case .openBracket:
        try advance()
        let isOptional = try take(.question)
        let key = try expression()
        try expect(.closeBracket, "']'")
        operand = try node(
          offset,
          .call(
            function: isOptional ? Operator.optionalIndex : Operator.index, target: nil,
            arguments: [operand, key]))
      case .openBrace:
        guard let name = qualifiedName(operand) else { throw unexpected() }
        operand = try message(name, at: operand.offset)
      default: return operand
      }
    }
  }

  /// A field's name: keywords cannot be one, other reserved words can.
  private mutating func selector() throws(Mistake) -> (name: String, isQuoted: Bool) {
    let token = token
    switch token.kind {
    case .identifier:
      try advance()
      return (text(token), false)
    case .quotedIdentifier:
      try advance()
      return (String(text(token).dropFirst().dropLast()), true)
    default: throw unexpected(expecting: "a name")
    }
  }

  @inline(never)
  private mutating func primary() throws(Mistake) -> Expression {
    let token = token
    switch token.kind {
    case .identifier: return try identifier("")
    case .dot:
      try advance()
      guard self.token.kind == .identifier else { throw unexpected(expecting: "a name") }
      return try identifier(".")
    case .openBracket: return try list()
    case .openBrace: return try map()
    case .int, .uint, .double: return try number(sign: nil)
    case .string, .bytes, .true, .false, .null: return try literal()
    default: throw unexpected(expecting: "an expression")
    }
  }

  @inline(never)
  private mutating func literal() throws(Mistake) -> Expression {
    let token = token
    try advance()
    switch token.kind {
    case .true, .false: return try node(token.start, .literal(.bool(token.kind == .true)))
    case .null: return try node(token.start, .literal(.null))
    default:
      var literal = TextLiteral(source.bytes, token)
      let contents = try literal.contents()
      return try node(
        token.start,
        .literal(
          token.kind == .bytes
            ? .bytes(contents) : .string(String(decoding: contents, as: UTF8.self))))
    }
  }

  @inline(never)
  private mutating func identifier(_ prefix: String) throws(Mistake) -> Expression {
    let token = token
    let name = text(token)
    guard !Self.reserved.contains(name) else {
      throw Mistake(token.start, "'\(name)' is a reserved word and cannot be a name")
    }
    try advance()
    guard try take(.openParenthesis) else {
      return try node(token.start, .identifier(prefix + name))
    }
    let arguments = try expressions(until: .closeParenthesis, "')'")
    return try call(prefix + name, target: nil, arguments: arguments, at: token.start)
  }

  private static let reserved: Set<String> = [
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop",
    "package", "namespace", "return", "var", "void", "while",
  ]

  private mutating func expressions(until end: Token.Kind, _ what: String) throws(Mistake)
    -> [Expression]
  {
    var expressions: [Expression] = []
    guard try !take(end) else { return expressions }
    repeat { expressions.append(try expression()) } while try take(.comma)
    try expect(end, "',' or \(what)")
    return expressions
  }

  private mutating func list() throws(Mistake) -> Expression {
    let offset = token.start
    try advance()
    var elements: [ListElement] = []
    while token.kind != .closeBracket {
      let isOptional = try take(.question)
      elements.append(ListElement(try expression(), isOptional: isOptional))
      guard try take(.comma) else { break }
    }
    try expect(.closeBracket, "',' or ']'")
    return try node(offset, .list(elements))
  }

  private mutating func map() throws(Mistake) -> Expression {
    let offset = token.start
    try advance()
    var entries: [MapEntry] = []
    while token.kind != .closeBrace {
      let isOptional = try take(.question)
      let key = try expression()
      try expect(.colon, "':'")
      entries.append(MapEntry(key: key, value: try expression(), isOptional: isOptional))
      guard try take(.comma) else { break }
    }
    try expect(.closeBrace, "',' or '}'")
    return try node(offset, .map(entries))
  }

  private mutating func message(_ name: String, at offset: Int) throws(Mistake) -> Expression {
    try advance()
    var fields: [MessageField] = []
    while token.kind != .closeBrace {
      let isOptional = try take(.question)
      let (field, _) = try selector()
      try expect(.colon, "':'")
      fields.append(MessageField(name: field, value: try expression(), isOptional: isOptional))
      guard try take(.comma) else { break }
    }
    try expect(.closeBrace, "',' or '}'")
    return try node(offset, .message(name: name, fields: fields))
  }

  /// `a.b.C` as one name, where `expression` is nothing but names.
  private func qualifiedName(_ expression: Expression) -> String? {
    var parts: [String] = []
    var node = expression
    while case .select(let operand, let field, .value) = node.kind, node.macroCall == nil {
      parts.append(field)
      node = operand
    }
    guard case .identifier(let name) = node.kind else { return nil }
    return ([name] + parts.reversed()).joined(separator: ".")
  }

  /// The number that is next, with the minus sign before it.
  mutating func number(sign: Token?) throws(Mistake) -> Expression {
    let token = token
    try advance()
    let offset = sign?.start ?? token.start
    let text = (sign == nil ? "" : "-") + self.text(token)
    guard let value = token.kind == .double ? real(text) : integer(text, token.kind) else {
      throw Mistake(offset, "\(text) is outside the range of \(Self.typeName(token.kind))")
    }
    return try node(offset, .literal(value))
  }

  private static func typeName(_ kind: Token.Kind) -> String {
    switch kind {
    case .int: "int"
    case .uint: "uint"
    default: "decimal"
    }
  }

  private func integer(_ text: String, _ kind: Token.Kind) -> Value? {
    let sign = text.hasPrefix("-") ? "-" : ""
    var digits = text.dropFirst(sign.count)
    if kind == .uint { digits = digits.dropLast() }
    let isHexadecimal = digits.hasPrefix("0x") || digits.hasPrefix("0X")
    if isHexadecimal { digits = digits.dropFirst(2) }
    let radix = isHexadecimal ? 16 : 10
    return kind == .uint
      ? UInt64(digits, radix: radix).map(Value.uint)
      : Int64(sign + digits, radix: radix).map(Value.int)
  }

  private func real(_ text: String) -> Value? {
    guard decimalLiterals else { return Double(text).map(Value.double) }
    return Decimal(text).map { .decimal($0) }
  }
}
