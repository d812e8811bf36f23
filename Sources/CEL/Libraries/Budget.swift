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

  /// The error of an evaluation that cost more than it was allowed.
  public static let exceeded = EvaluationError(
    .costLimitExceeded, "evaluation was stopped: it costs more than its limit")
}
