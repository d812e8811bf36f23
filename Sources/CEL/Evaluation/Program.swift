/// A compiled expression: immutable, usable by several threads at once.
///
/// Evaluation depends on the given values only: nothing reads a clock, a locale, randomness or I/O.
public struct Program: Sendable {
  /// The tree with its types.
  public let checked: CheckedExpression
  /// What it reads: numbered from 0, the numbers by which ``Bindings`` answers.
  public let reads: [FieldRead]
  private let code: Code
  private let localCount: Int

  init(_ checked: CheckedExpression) {
    var compiler = Compiler(checked)
    code = compiler.compile(checked.root)
    self.checked = checked
    reads = compiler.reads
    localCount = compiler.localCount
  }

  /// The type that results have; ``CELType/dyn`` where it shows only at run time.
  public var resultType: CELType { checked.resultType }
  public var source: Source { checked.source }

  /// The most that an evaluation may cost if nothing else is said: well below a second.
  public static let costMax = 10_000_000

  /// Evaluates, with errors as values.
  ///
  /// - Parameter costLimit: beyond it the result is an error with `costLimitExceeded`. A loop's
  ///   round costs the nodes of its body, a call 1 and the size of its arguments.
  public func result(_ bindings: some Bindings, costLimit: Int = costMax) -> Value {
    var frame = frame(bindings, costLimit)
    guard code.isCondition else { return code.value(&frame) }
    let truth = code.truth(&frame)
    return frame.value(truth)
  }

  /// Evaluates a condition: a value is made of it only where it fails.
  public func holds(_ bindings: some Bindings, costLimit: Int = costMax) throws(EvaluationError)
    -> Bool
  {
    var frame = frame(bindings, costLimit)
    switch code.truth(&frame) {
    case .yes: return true
    case .no: return false
    case .failed: throw frame.failure ?? Budget.exceeded
    }
  }

  public func evaluate(_ bindings: some Bindings, costLimit: Int = costMax) throws(EvaluationError)
    -> Value
  {
    let value = result(bindings, costLimit: costLimit)
    if case .error(let error) = value { throw error }
    return value
  }

  /// Evaluates with variables given by name.
  public func result(_ variables: [String: Value] = [:], costLimit: Int = costMax) -> Value {
    result(VariableBindings(variables, reads), costLimit: costLimit)
  }

  /// Evaluates with variables given by name.
  public func evaluate(_ variables: [String: Value] = [:], costLimit: Int = costMax)
    throws(EvaluationError) -> Value
  {
    try evaluate(VariableBindings(variables, reads), costLimit: costLimit)
  }

  /// Evaluates to a Swift type, such as `Int64` or `[String]`.
  public func evaluate<Result: ValueConvertible>(
    _ variables: [String: Value] = [:], as type: Result.Type, costLimit: Int = costMax
  ) throws(EvaluationError) -> Result {
    try Result.converted(evaluate(variables, costLimit: costLimit))
  }

  /// Evaluates to a Swift type, such as `Int64` or `[String]`.
  public func evaluate<Result: ValueConvertible>(
    _ bindings: some Bindings, as type: Result.Type, costLimit: Int = costMax
  ) throws(EvaluationError) -> Result {
    try Result.converted(evaluate(bindings, costLimit: costLimit))
  }

  @inline(__always)
  private func frame(_ bindings: some Bindings, _ costLimit: Int) -> Frame {
    Frame(
      bindings: bindings,
      locals: localCount == 0 ? [] : Array(repeating: .null, count: localCount),
      budget: Budget(costLimit), failure: nil)
  }
}
