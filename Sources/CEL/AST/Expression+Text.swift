import StreamCore

extension Expression: CustomStringConvertible {
  /// The expression as text that is parsed to the same meaning: macros as they were written, parentheses only
  /// where they are needed, one space around binary operators.
  public var description: String {
    var unparser = Unparser()
    unparser.write(self)
    return unparser.text
  }
}

/// Writes a tree as text.
private struct Unparser {
  private(set) var text = ""

  /// How tightly a node's text holds together: from `?:` to what needs no parentheses anywhere.
  private enum Precedence {
    static let conditional = 0
    static let or = 1
    static let unary = 6
    static let member = 7
  }

  private func precedence(_ node: Expression) -> Int {
    guard case .call(let function, nil, _) = (node.macroCall ?? node).kind
    else { return Precedence.member }
    switch function {
    case Operator.conditional: return Precedence.conditional
    case Operator.not, Operator.negate: return Precedence.unary
    default: return Operator.binary[function]?.precedence ?? Precedence.member
    }
  }

  /// Writes a node, in parentheses where it holds together less than `minimum`.
  mutating func write(_ node: Expression, atLeast minimum: Int = 0) {
    guard precedence(node) < minimum else {
      write(kind: (node.macroCall ?? node).kind)
      return
    }
    text += "("
    write(kind: (node.macroCall ?? node).kind)
    text += ")"
  }

  private mutating func write(kind: Expression.Kind) {
    switch kind {
    case .literal(let value): text += Self.literal(value)
    case .identifier(let name): text += name
    case .select(let operand, let field, .presence):
      text += "has("
      write(operand, atLeast: Precedence.member)
      text += ".\(Self.field(field)))"
    case .select(let operand, let field, let mode):
      write(operand, atLeast: Precedence.member)
      if case .optional = mode { text += ".?" } else { text += "." }
      text += Self.field(field)
    case .call(let function, let target, let arguments): write(function, target, arguments)
    case .list(let elements):
      separated("[", elements, "]") { unparser, element in
        if element.isOptional { unparser.text += "?" }
        unparser.write(element.value)
      }
    case .map(let entries):
      separated("{", entries, "}") { unparser, entry in
        if entry.isOptional { unparser.text += "?" }
        unparser.write(entry.key)
        unparser.text += ": "
        unparser.write(entry.value)
      }
    case .message(let name, let fields):
      separated("\(name){", fields, "}") { unparser, field in
        unparser.text += (field.isOptional ? "?" : "") + Self.field(field.name) + ": "
        unparser.write(field.value)
      }
    case .comprehension(let fold): write(fold)
    }
  }

  private mutating func separated<Element>(
    _ open: String, _ elements: [Element], _ close: String,
    _ body: (inout Unparser, Element) -> Void
  ) {
    text += open
    for (index, element) in elements.enumerated() {
      if index > 0 { text += ", " }
      body(&self, element)
    }
    text += close
  }

  private mutating func write(
    _ function: String, _ target: Expression?, _ arguments: [Expression]
  ) {
    if target == nil, writeOperator(function, arguments) { return }
    if let target {
      write(target, atLeast: Precedence.member)
      text += "."
    }
    text += function
    separated("(", arguments, ")") { $0.write($1) }
  }

  private mutating func writeOperator(_ function: String, _ arguments: [Expression]) -> Bool {
    if let (symbol, precedence) = Operator.binary[function], arguments.count == 2 {
      write(arguments[0], atLeast: precedence)
      text += " \(symbol) "
      // `&&` and `||` are associative, the others go from left to right.
      write(arguments[1], atLeast: precedence <= 2 ? precedence : precedence + 1)
      return true
    }
    switch (function, arguments.count) {
    case (Operator.conditional, 3):
      write(arguments[0], atLeast: Precedence.or)
      text += " ? "
      write(arguments[1], atLeast: Precedence.or)
      text += " : "
      write(arguments[2])
    case (Operator.not, 1), (Operator.negate, 1):
      text += function == Operator.not ? "!" : "-"
      write(arguments[0], atLeast: isLiteral(arguments[0]) ? .max : Precedence.member)
    case (Operator.index, 2), (Operator.optionalIndex, 2):
      write(arguments[0], atLeast: Precedence.member)
      text += function == Operator.index ? "[" : "[?"
      write(arguments[1])
      text += "]"
    default: return false
    }
    return true
  }

  /// A number behind a sign would take the sign for its own.
  private func isLiteral(_ node: Expression) -> Bool {
    if case .literal = node.kind { true } else { false }
  }

  /// A fold that no macro wrote, which the language cannot say: for readers only.
  private mutating func write(_ fold: Comprehension) {
    text += "@fold(\(fold.variable)\(fold.secondVariable.map { ", \($0)" } ?? "") in "
    write(fold.range)
    text += ", \(fold.accumulator) = "
    for (index, part) in [fold.initial, fold.condition, fold.step, fold.result].enumerated() {
      if index > 0 { text += ", " }
      write(part)
    }
    text += ")"
  }

  private static func literal(_ value: Value) -> String {
    switch value {
    // Too large a number is read as an infinity; it has no literal of its own.
    case .double(let number) where number.isInfinite: number > 0 ? "1e999" : "-1e999"
    case .decimal(let number):
      number.decimal.description.contains(".")
        ? number.decimal.description : number.decimal.description + ".0"
    default: value.description
    }
  }

  private static func field(_ name: String) -> String {
    let keywords: Set<String> = ["true", "false", "null", "in"]
    let isPlain =
      name.utf8.first?.isLetter ?? false && name.utf8.allSatisfy { $0.isLetter || $0.isDigit }
    return isPlain && !keywords.contains(name) ? name : "`\(name)`"
  }
}
