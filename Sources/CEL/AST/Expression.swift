/// A node of a parsed expression: immutable, shared freely between trees.
///
/// Macros are already expanded; ``macroCall`` keeps what was written.
public final class Expression: Sendable {
  /// What a node is.
  public enum Kind: Sendable {
    /// null, bool, int, uint, double, string, bytes or a decimal.
    case literal(Value)
    /// A name without dots; a leading `.` asks for the root scope.
    case identifier(String)
    /// `operand.field`, `operand.?field`, or `has(operand.field)`.
    case select(operand: Expression, field: String, mode: SelectMode)
    /// `function(arguments)` or `target.function(arguments)`; operators by their names in ``Operator``.
    case call(function: String, target: Expression?, arguments: [Expression])
    case list([ListElement])
    case map([MapEntry])
    /// `TypeName{field: value}`, which no declared type of this library has: always a check error.
    case message(name: String, fields: [MessageField])
    case comprehension(Comprehension)
  }

  public enum SelectMode: Sendable {
    case value
    /// `has(operand.field)`
    case presence
    /// `operand.?field`
    case optional
  }

  /// Unique in its tree, from 1.
  public let id: Int
  /// Where it begins, or where its operator stands: a UTF-8 offset into the source.
  public let offset: Int
  public let kind: Kind
  /// The call as written, where a macro made this node.
  public let macroCall: Expression?
  /// The most nodes on a path from here down, 1 for a leaf.
  let depth: Int

  init(id: Int, offset: Int, kind: Kind, macroCall: Expression? = nil) {
    self.id = id
    self.offset = offset
    self.kind = kind
    self.macroCall = macroCall
    var depth = 0
    Self.forEachChild(of: kind) { depth = max(depth, $0.depth) }
    self.depth = depth + 1
  }
}

/// An element of a list literal.
public struct ListElement: Sendable {
  public let value: Expression
  /// `[?value]`: left out where the optional has no value.
  public let isOptional: Bool
  public init(_ value: Expression, isOptional: Bool = false) {
    self.value = value
    self.isOptional = isOptional
  }
}

/// An entry of a map literal.
public struct MapEntry: Sendable {
  public let key: Expression
  public let value: Expression
  /// `{?key: value}`: left out where the optional has no value.
  public let isOptional: Bool
  public init(key: Expression, value: Expression, isOptional: Bool = false) {
    self.key = key
    self.value = value
    self.isOptional = isOptional
  }
}

/// A field of a message literal.
public struct MessageField: Sendable {
  public let name: String
  public let value: Expression
  public let isOptional: Bool
}

/// A fold over a list or over a map's keys: what all macros that loop become.
///
///     var accumulator = initial
///     for variable in range { if !condition { break }; accumulator = step }
///     return result
///
/// `condition`, `step` see all variables, `result` sees the accumulator only.
public struct Comprehension: Sendable {
  public let range: Expression
  /// The element; with a second variable, the index or key.
  public let variable: String
  /// The element or value beside its index or key.
  public let secondVariable: String?
  public let accumulator: String
  public let initial: Expression
  public let condition: Expression
  public let step: Expression
  public let result: Expression

  public init(
    range: Expression, variable: String, secondVariable: String? = nil, accumulator: String,
    initial: Expression, condition: Expression, step: Expression, result: Expression
  ) {
    self.range = range
    self.variable = variable
    self.secondVariable = secondVariable
    self.accumulator = accumulator
    self.initial = initial
    self.condition = condition
    self.step = step
    self.result = result
  }
}
