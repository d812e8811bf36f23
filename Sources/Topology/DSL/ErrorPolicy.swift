import StateStore

/// What becomes of a record whose decoding, processing or output fails.
public struct ErrorPolicy: Hashable, Sendable, CustomStringConvertible {
  public enum Action: String, Hashable, Sendable, CaseIterable {
    /// Keep the record aside with the reason, and go on.
    case deadLetter
    /// Dead-letter it and let later records of its key wait behind it, in order.
    case parkKey
    /// Stop with the position before the record.
    case fail
    /// Drop it; it is counted with the dead letters of reason `skipped`.
    case skip
  }

  public var action: Action
  /// Further tries before the action.
  public var retries: Int
  /// Wait before each further try; it closes the commit interval before it.
  public var backoff: Duration

  public init(_ action: Action, retries: Int = 0, backoff: Duration = .zero) {
    precondition(retries >= 0 && backoff >= .zero, "retries and backoff are not negative")
    self.action = action
    self.retries = retries
    self.backoff = backoff
  }

  public static let deadLetter = ErrorPolicy(.deadLetter)
  public static let parkKey = ErrorPolicy(.parkKey)
  public static let fail = ErrorPolicy(.fail)
  public static let skip = ErrorPolicy(.skip)

  /// The same action after `times` further tries.
  public func retrying(_ times: Int, backoff: Duration = .zero) -> ErrorPolicy {
    ErrorPolicy(action, retries: times, backoff: backoff)
  }

  public var description: String {
    retries == 0 ? action.rawValue : "retry(\(retries), \(backoff)) then \(action.rawValue)"
  }
}

/// What becomes of an event whose type no handler names.
public enum UnknownTypePolicy: String, Hashable, Sendable, CaseIterable {
  case ignore, warn, deadLetter, fail
}

/// What becomes of an event of a schema version that no handler or upcaster names.
public enum UnknownVersionPolicy: String, Hashable, Sendable, CaseIterable {
  case deadLetter, fail
}

/// What becomes of an update of a row that is not there.
public enum MissingRowPolicy: String, Hashable, Sendable, CaseIterable {
  /// The record waits, with all its effects, until the row is created.
  case holdUntilCreated
  case ignore
  /// The handler's partial row is stored.
  case upsert
  case deadLetter
}

/// What becomes of an event with a sequence number beyond the next one of its aggregate.
public enum SequenceGapPolicy: String, Hashable, Sendable, CaseIterable {
  case warn, ignore
  /// It waits for the missing number.
  case hold
  case parkKey, deadLetter, fail
}

/// What becomes of an event whose sequence number came before, or lies below the aggregate's.
public enum SequenceRegressionPolicy: String, Hashable, Sendable, CaseIterable {
  case warn, ignore, deadLetter, fail
}

/// What becomes of a record without a value on a source of events.
public enum TombstonePolicy: Hashable, Sendable, CustomStringConvertible {
  case deadLetter, ignore, fail
  /// It is an event of this type, without a payload.
  case event(String)

  public var description: String {
    switch self {
    case .deadLetter: "deadLetter"
    case .ignore: "ignore"
    case .fail: "fail"
    case .event(let type): "event \(type)"
    }
  }
}

/// What becomes of an event with the id of an earlier one but another content.
public enum ConflictPolicy: String, Hashable, Sendable, CaseIterable {
  /// A duplicate, counted apart and logged.
  case warn
  /// A duplicate like any other.
  case duplicate
  case deadLetter, fail
}

/// What becomes of a record whose key is not its aggregate id, or is null.
public enum KeyPolicy: String, Hashable, Sendable, CaseIterable {
  case warn, deadLetter, fail
}

/// How long ids of processed events are remembered.
public enum SeenIDRetention: Hashable, Sendable {
  /// For ever: exact.
  case forever
  /// The newest `n` ids of each partition: a redelivery behind them is processed again.
  case count(Int)
  /// Ids of events up to this much older than stream time.
  case age(Duration)

  var stored: SeenIDs.Retention {
    switch self {
    case .forever: .forever
    case .count(let ids): .count(ids)
    case .age(let duration):
      .age(
        milliseconds: duration.components.seconds * 1_000
          + duration.components.attoseconds / 1_000_000_000_000_000)
    }
  }
}

/// What becomes of timers of an operator that fail to fire. They park nothing.
public struct FiringPolicies: Hashable, Sendable {
  public var process: ErrorPolicy
  public var produce: ErrorPolicy

  public init(process: ErrorPolicy = .deadLetter, produce: ErrorPolicy = .deadLetter) {
    self.process = process
    self.produce = produce
  }

  var parameters: [OperatorParameter] {
    [.policy("firingProcess", process), .policy("firingProduce", produce)]
  }
}

/// The policies of one source: what concerns a record, whichever views read it.
public struct SourcePolicies: Hashable, Sendable {
  public var decode: ErrorPolicy
  public var process: ErrorPolicy
  public var produce: ErrorPolicy
  /// `nil`: `deadLetter` for an id composed of aggregate and sequence number, which is a guess,
  /// `warn` for any other.
  public var conflict: ConflictPolicy?
  public var keyMismatch: KeyPolicy
  public var nullKey: KeyPolicy
  public var tombstone: TombstonePolicy
  /// Of events whose sequence number is checked by a view.
  public var sequenceGap: SequenceGapPolicy
  public var sequenceRegression: SequenceRegressionPolicy
  /// An event whose time lies this much after the time the log took its record is processed at the
  /// stream's time, and moves no clock; `nil` for any time.
  public var maxAhead: Duration?

  public init(
    decode: ErrorPolicy = .deadLetter, process: ErrorPolicy = .deadLetter,
    produce: ErrorPolicy = .deadLetter, conflict: ConflictPolicy? = nil,
    keyMismatch: KeyPolicy = .warn, nullKey: KeyPolicy = .deadLetter,
    tombstone: TombstonePolicy = .deadLetter, sequenceGap: SequenceGapPolicy = .warn,
    sequenceRegression: SequenceRegressionPolicy = .warn,
    maxAhead: Duration? = .seconds(24 * 3_600)
  ) {
    self.decode = decode
    self.process = process
    self.produce = produce
    self.conflict = conflict
    self.keyMismatch = keyMismatch
    self.nullKey = nullKey
    self.tombstone = tombstone
    self.sequenceGap = sequenceGap
    self.sequenceRegression = sequenceRegression
    self.maxAhead = maxAhead
  }

  var parameters: [OperatorParameter] {
    [
      .policy("decode", decode), .policy("process", process), .policy("produce", produce),
      .policy("conflict", conflict?.rawValue ?? "warn, deadLetter of a composed id"),
      .policy("keyMismatch", keyMismatch), .policy("nullKey", nullKey),
      .policy("tombstone", tombstone.description), .policy("sequenceGap", sequenceGap),
      .policy("sequenceRegression", sequenceRegression),
      OperatorParameter("maxAhead", maxAhead?.text ?? "off"),
    ]
  }
}
