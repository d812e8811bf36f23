/// The names that an expression may use, and the limits that it keeps: compiles expressions.
///
///     let environment = try Environment(variables: ["order": .map(.string, .dyn), "limit": .double])
///     let program = try environment.compile("order.total > limit")
///     try program.evaluate(["order": ["total": 120.0], "limit": 100.0])     // true
public struct Environment: Sendable {
  private let declarations: Declarations
  public let limits: ParserLimits
  private let decimalLiterals: Bool

  /// - Parameters:
  ///   - container: a scope for names: in `a.b`, `x` may mean `a.b.x`, `a.x` or `x`, in this order.
  ///   - variables: names, which may have dots, and their types.
  ///   - types: records whose fields are known, for variables of type `.object(name)`.
  ///   - libraries: what functions and macros there are.
  ///   - decimalLiterals: whether a literal such as `0.1` is an exact decimal; for hosts that give numbers
  ///     of JSON as decimals. Needs ``Library/decimal``.
  /// - Throws: where two declarations contradict each other, or a name is none.
  public init(
    container: String = "", variables: [String: CELType] = [:], types: [ObjectType] = [],
    libraries: [Library] = [.standard], limits: ParserLimits = ParserLimits(),
    decimalLiterals: Bool = false
  ) throws(EnvironmentError) {
    declarations = try Declarations(
      container: container, variables: variables, libraries: libraries, types: types)
    self.limits = limits
    self.decimalLiterals = decimalLiterals
  }

  /// Parses, checks and compiles an expression.
  ///
  /// - Parameters:
  ///   - name: what error messages call the text.
  ///   - expecting: the type that the result must have.
  /// - Throws: all mistakes with their places.
  public func compile(_ text: String, name: String = "", expecting: CELType? = nil)
    throws(CompileError) -> Program
  {
    Program(try check(text, name: name, expecting: expecting))
  }

  /// Compiles an expression without checking it: calls choose their overloads at run time, unknown names are
  /// errors there.
  public func compileUnchecked(_ text: String, name: String = "") throws(CompileError) -> Program {
    let source = Source(text, name: name)
    let root = try parse(source)
    return Program(
      try Checker.check(root, source: source, declarations: declarations, isDynamic: true))
  }

  /// Parses an expression, with macros expanded.
  public func parse(_ text: String, name: String = "") throws(CompileError) -> Expression {
    try parse(Source(text, name: name))
  }

  /// Parses and checks an expression.
  public func check(_ text: String, name: String = "", expecting: CELType? = nil)
    throws(CompileError) -> CheckedExpression
  {
    let source = Source(text, name: name)
    let root = try parse(source)
    let checked = try Checker.check(
      root, source: source, declarations: declarations, isDynamic: false)
    if let expecting {
      var substitution = Substitution()
      guard substitution.assign(checked.resultType, to: expecting) else {
        throw CompileError(
          source: source,
          [
            Mistake(
              root.offset, "the expression is of type \(checked.resultType), expected \(expecting)")
          ])
      }
    }
    return checked
  }

  private func parse(_ source: Source) throws(CompileError) -> Expression {
    do throws(Mistake) {
      return try Parser.parse(
        source, macros: declarations.macros, limits: limits, decimalLiterals: decimalLiterals)
    } catch {
      throw CompileError(source: source, [error])
    }
  }
}
