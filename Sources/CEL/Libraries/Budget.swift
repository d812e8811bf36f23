/// What an evaluation may still cost.
public struct Budget: Sendable {
  public private(set) var remaining: Int

  public init(_ limit: Int) { remaining = limit }

  /// Takes `cost` away.
  ///
  /// - Returns: whether there was as much; if not, evaluation ends with ``exceeded``.
  @inline(__always)
  public mutating func charge(_ cost: Int) -> Bool {
    let (rest, overflow) = remaining.subtractingReportingOverflow(cost)
    remaining = overflow || rest < 0 ? -1 : rest
    return remaining >= 0
  }

  /// How deep in nested lists and maps a comparison is.
  private var depth = 0
  /// Values of hosts may be nested beyond any expression; a stack is not.
  private static let depthMax = 2000

  /// Goes one level deeper into a value, for `body`; deeper than 2000 levels the budget is spent.
  mutating func nested(_ body: (inout Budget) -> Bool) -> Bool {
    guard depth < Self.depthMax else {
      remaining = -1
      return false
    }
    depth += 1
    defer { depth -= 1 }
    return body(&self)
  }

  /// The error of an evaluation that cost more than it was allowed.
  public static let exceeded = EvaluationError(
    .costLimitExceeded, "evaluation was stopped: it costs more than its limit")
}
