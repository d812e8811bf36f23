import StreamCore

/// A source of one task: decodes a record and sends it through the operators behind it.
protocol SourceOperator: AnyObject {
  var topic: String { get }
  var policies: SourcePolicies { get }
  var seenIDs: SeenIDRetention { get }
  /// Sources of one scope share their ids.
  var idScope: String { get }
  /// The time that drives stream time and the merge rule, without processing the record; `nil`
  /// where it cannot be decoded.
  func eventTime(_ batch: RecordBatch, _ index: Int) -> Timestamp?
  /// Whether a record's envelope must be read for its time.
  var readsEnvelopeForTime: Bool { get }
  /// Processes the record that `context` points at, once `admit` has let its event in.
  ///
  /// - Throws: ``ProcessingFailure`` or ``StateStore/StoreError``.
  func process(_ context: RecordContext, admit: () throws -> Bool) throws
  /// Finds the id of a record whose envelope could not be read, by its headers and key alone.
  func identify(_ context: RecordContext) throws
}

/// A processor whose timers may fire.
protocol TimerOperator: AnyObject {
  /// What becomes of a firing that fails: those for `process` and `produce`.
  var policies: SourcePolicies { get }
  /// - Throws: as ``SourceOperator/process(_:admit:)``.
  func fire(key: [UInt8], time: Timestamp) throws
}

/// Whose time an input's records bear.
public enum EventTime: String, Hashable, Sendable {
  /// The record's own timestamp.
  case recordTimestamp
  /// The envelope's `occurredAt`, where a record has one.
  case occurredAt
}
