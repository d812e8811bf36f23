import StateStore

/// Why one record could not be processed, and what its policy says of it.
public struct ProcessingFailure: Error, Sendable, CustomStringConvertible {
  /// Which policy of the source decides.
  public enum Stage: String, Hashable, Sendable { case decode, process, produce }

  /// The label of the dead letter; counted as `deadLettered{reason}`.
  public enum Reason: String, Hashable, Sendable, CaseIterable {
    case decode, unknownType, unknownVersion, nullKey, keyMismatch, process, missingRow, sequence
    case conflict, heldLimit, produce, skipped
  }

  public let stage: Stage
  public let reason: Reason
  /// What happened and at which field, without record contents.
  public let message: String
  /// The operator it happened in; empty for the source.
  public let operatorName: String
  /// A policy of the operator, where it overrides the source's.
  let action: ErrorPolicy?

  init(
    _ stage: Stage, _ reason: Reason, _ message: String, operatorName: String = "",
    action: ErrorPolicy? = nil
  ) {
    self.stage = stage
    self.reason = reason
    self.message = message
    self.operatorName = operatorName
    self.action = action
  }

  /// A failure of the `process` stage from whatever a user's closure threw.
  @usableFromInline
  static func wrapping(_ error: any Error, operatorName: String) -> any Error {
    if isOurs(error) { return error }
    return ProcessingFailure(.process, .process, "\(error)", operatorName: operatorName)
  }

  /// Whether the engine itself threw it.
  static func isOurs(_ error: any Error) -> Bool {
    error is ProcessingFailure || error is HoldSignal || error is StoreError || error is TaskError
  }

  public var description: String {
    operatorName.isEmpty ? message : "\(message) (in '\(operatorName)')"
  }
}

/// Thrown by an operator whose row is not there yet: the whole record waits for it.
struct HoldSignal: Error {
  let operatorName: String
}
