import StateStore

/// Why one record could not be processed, and what its policy says of it.
public struct ProcessingFailure: Error, Sendable, CustomStringConvertible {
  /// Which policy of the source decides.
  public enum Stage: String, Hashable, Sendable { case decode, process, produce }

  /// The label of the dead letter; counted as `deadLettered{reason}`.
  public enum Reason: String, Hashable, Sendable, CaseIterable {
    case decode, unknownType, unknownVersion, nullKey, keyMismatch, tombstone, process, missingRow
    case sequenceGap, sequenceRegression, conflict, produce, trapped, skipped
  }

  /// What is to become of the record, where that is not left to the stage's policy.
  enum Verdict: Hashable, Sendable {
    /// It waits for rows or numbers.
    case hold
    case policy(ErrorPolicy.Action)

    /// Of several verdicts on one record the gravest counts.
    var gravity: Int {
      switch self {
      case .hold: 0
      case .policy(.skip): 1
      case .policy(.deadLetter): 2
      case .policy(.parkKey): 3
      case .policy(.fail): 4
      }
    }
  }

  public let stage: Stage
  public let reason: Reason
  /// What happened and at which field, without record contents.
  public let message: String
  /// The operator it happened in, or all that hold the record, separated by commas; empty for the
  /// source.
  public private(set) var operatorName: String
  /// A policy of its own, where it overrides that of the stage.
  let verdict: Verdict?

  init(
    _ stage: Stage, _ reason: Reason, _ message: String, operatorName: String = "",
    verdict: Verdict? = nil
  ) {
    self.stage = stage
    self.reason = reason
    self.message = message
    self.operatorName = operatorName
    self.verdict = verdict
  }

  init(
    _ stage: Stage, _ reason: Reason, _ message: String, operatorName: String = "",
    action: ErrorPolicy.Action
  ) {
    self.init(stage, reason, message, operatorName: operatorName, verdict: .policy(action))
  }

  /// The record waits until an operator has the row or number that it lacks.
  static func held(_ reason: Reason, by operatorName: String) -> ProcessingFailure {
    ProcessingFailure(.process, reason, "", operatorName: operatorName, verdict: .hold)
  }

  /// What decides where several operators judged one record, in order of their declaration: the
  /// gravest, then the first; of those that hold it, all are waited for.
  func joined(with other: ProcessingFailure, _ policies: SourcePolicies) -> ProcessingFailure {
    let (own, others) = (verdict(policies), other.verdict(policies))
    if own == .hold, others == .hold {
      // One that waits for a number is not judged by its row yet.
      var both = reason == .sequenceGap ? self : other
      let names = [operatorName, other.operatorName].flatMap { $0.split(separator: ", ") }
      both.operatorName = names.map(String.init).uniqued().joined(separator: ", ")
      return both
    }
    return others.gravity > own.gravity ? other : self
  }

  /// What its own verdict or its stage's policy makes of the record.
  func verdict(_ policies: SourcePolicies) -> Verdict {
    verdict ?? .policy(policies.policy(of: stage).action)
  }

  /// Of a unit that is not run any more.
  static func trapped(operatorName: String = "") -> ProcessingFailure {
    ProcessingFailure(
      .process, .trapped, "its handler ended the process twice", operatorName: operatorName)
  }

  /// What whoever runs the topology is to do where the policy is to stop.
  func todo(_ traps: TaskTraps?) -> String {
    guard reason == .trapped, let traps else {
      return "correct the topology or the record's policy and start again"
    }
    return "correct the handler, remove \(traps.path) so that it is run again, and start again"
  }

  /// A failure of the `process` stage from whatever a user's closure threw.
  @usableFromInline
  static func wrapping(_ error: any Error, operatorName: String) -> any Error {
    if isOurs(error) { return error }
    return ProcessingFailure(.process, .process, "\(error)", operatorName: operatorName)
  }

  /// Whether the engine itself threw it.
  static func isOurs(_ error: any Error) -> Bool {
    error is ProcessingFailure || error is StoreError || error is TaskError
  }

  public var description: String {
    operatorName.isEmpty ? message : "\(message) (in '\(operatorName)')"
  }
}

extension SourcePolicies {
  func policy(of stage: ProcessingFailure.Stage) -> ErrorPolicy {
    switch stage {
    case .decode: decode
    case .process: process
    case .produce: produce
    }
  }
}
