import StateStore
import StreamCore

/// Where the record of a unit comes from, and by whose rules it is run.
final class UnitOrigin {
  enum Kind {
    /// The head of its input.
    case record
    /// It waits, and what it waits for may be there.
    case waiting(KeptEntry)
    /// The head of its key's line.
    case line(KeptEntry)
    /// A dead letter that an operator of the process wants tried again; `alone` for one that was
    /// asked for by its id.
    case retried(KeptEntry, alone: Bool)
    /// A record that waits, and that an operator of the process wants run without what it waits for.
    case released(KeptEntry)
  }

  let kind: Kind
  let source: any SourceOperator
  let input: LogInput

  init(_ kind: Kind, source: any SourceOperator, input: LogInput) {
    self.kind = kind
    self.source = source
    self.input = input
  }

  /// The entry that the unit resolves.
  var kept: KeptEntry? {
    switch kind {
    case .record: nil
    case .waiting(let entry), .line(let entry), .retried(let entry, _), .released(let entry): entry
    }
  }

  /// Whether an operator of the process asked for it.
  var isDecided: Bool {
    switch kind {
    case .record, .waiting, .line: false
    case .retried, .released: true
    }
  }

  var isRecord: Bool { if case .record = kind { true } else { false } }

  /// Whether its number is checked: not where it has come already; one that an operator of the process
  /// released runs past what it waits for.
  var checksNumber: Bool {
    switch kind {
    case .record: true
    case .waiting(let entry), .line(let entry), .retried(let entry, _): !entry.record.numberHasCome
    case .released: false
    }
  }

  /// Whether it is of another content under a known id, and runs as an event of its own: somebody
  /// decides so, or did.
  var runsByPosition: Bool {
    if case .retried(let entry, alone: true) = kind, entry.record.reason == .conflict {
      return true
    }
    return kept?.record.runsByPosition ?? false
  }
}

/// How a unit ended: its fate, and the reason of one that died.
struct UnitResult {
  let fate: Counter
  var reason: ProcessingFailure.Reason?
}
