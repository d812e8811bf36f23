/// The contract of ``StreamCore/RecordLog`` as runs that any test target can make.
public enum LogConformance {
  /// What every log does.
  public static let base: [ConformanceSuite] = [reading, appending, listing, times]
  /// What a log does that has the capability; one without it passes.
  public static let capabilities: [ConformanceSuite] = [
    administration, groupOffsets, idempotentAppends, expectedSequenceAppends, transactions,
  ]
  /// All cases, named by suite and rule.
  public static let allCases: [ConformanceCase] = (base + capabilities).flatMap { $0.cases }
}
