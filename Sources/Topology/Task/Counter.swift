/// What a task counts, by the names of `status` and metrics.
///
/// At every commit `applied + duplicate + late + ignored + filtered + held + deadLettered` is
/// `consumed`: each record taken from an input has exactly one fate.
public enum Counter: Int, CaseIterable, Sendable {
  case consumed, applied, duplicate, late, ignored, filtered, held, deadLettered
  // Beside the sum.
  case retried, unverified, firings, ahead
  /// Units that went to their policy unrun, for their handler ended the process twice.
  case trapped
  /// Of operators that the topology does not have any more.
  case timersDropped
  // Labels of fates: parts of the ones above.
  case duplicateConflict
  case deadLetteredDecode, deadLetteredUnknownType, deadLetteredUnknownVersion
  case deadLetteredNullKey, deadLetteredKeyMismatch, deadLetteredProcess, deadLetteredMissingRow
  case deadLetteredTombstone, deadLetteredSequenceGap, deadLetteredSequenceRegression
  case deadLetteredConflict, deadLetteredProduce, deadLetteredTrapped, deadLetteredSkipped
  case ignoredType, ignoredMissingRow, ignoredTombstone
  // Warnings: the record went on.
  case sequenceGap, sequenceRegression, sequenceRepeat, sequenceNone, keyMismatch, unknownType

  /// The fates, in the order that decides between them.
  public static let fates: [Counter] = [
    .deadLettered, .held, .duplicate, .applied, .late, .ignored, .filtered,
  ]

  /// As users see it, labels in braces: `deadLettered{decode}`.
  public var name: String {
    switch self {
    case .duplicateConflict: "duplicate{conflict}"
    case .ignoredType: "ignored{unknownType}"
    case .ignoredMissingRow: "ignored{missingRow}"
    case .ignoredTombstone: "ignored{tombstone}"
    case .sequenceGap: "sequence{gap}"
    case .sequenceRegression: "sequence{regression}"
    case .sequenceRepeat: "sequence{repeat}"
    case .sequenceNone: "sequence{none}"
    default:
      if let reason = ProcessingFailure.Reason.allCases.first(where: { Counter($0) == self }) {
        "deadLettered{\(reason.rawValue)}"
      } else {
        "\(self)"
      }
    }
  }

  /// The label of a dead letter's reason.
  package init(_ reason: ProcessingFailure.Reason) {
    self =
      switch reason {
      case .decode: .deadLetteredDecode
      case .unknownType: .deadLetteredUnknownType
      case .unknownVersion: .deadLetteredUnknownVersion
      case .nullKey: .deadLetteredNullKey
      case .keyMismatch: .deadLetteredKeyMismatch
      case .process: .deadLetteredProcess
      case .missingRow: .deadLetteredMissingRow
      case .tombstone: .deadLetteredTombstone
      case .sequenceGap: .deadLetteredSequenceGap
      case .sequenceRegression: .deadLetteredSequenceRegression
      case .conflict: .deadLetteredConflict
      case .produce: .deadLetteredProduce
      case .trapped: .deadLetteredTrapped
      case .skipped: .deadLetteredSkipped
      }
  }
}

/// The counters of one task.
///
/// They live in plain memory while an interval runs and become words of the state at its commit.
/// What a unit counted is taken back with it.
final class TaskCounters {
  // Behind a pointer, because each access to an array of a class is checked at run time; nor is
  // the undo's, for which nothing calls back while it is changed.
  // Invariant: one Int64 a counter, made here and freed in `deinit`; `Counter` is the only index.
  private let values: UnsafeMutablePointer<Int64>
  @exclusivity(unchecked) private var undo: [(counter: Counter, by: Int64)] = []

  init() {
    let count = Counter.allCases.count
    unsafe values = .allocate(capacity: count)
    unsafe values.initialize(repeating: 0, count: count)
  }

  deinit { unsafe values.deallocate() }

  subscript(counter: Counter) -> Int64 {
    get { unsafe values[counter.rawValue] }
    set { unsafe values[counter.rawValue] = newValue }
  }

  /// Counts inside a unit.
  func count(_ counter: Counter, by number: Int64 = 1) {
    self[counter] += number
    undo.append((counter, number))
  }

  func commitUnit() { if !undo.isEmpty { undo.removeAll(keepingCapacity: true) } }

  func rollbackUnit() {
    for (counter, number) in undo { self[counter] -= number }
    undo.removeAll(keepingCapacity: true)
  }

  var fatesAddUp: Bool {
    Counter.fates.reduce(0) { $0 + self[$1] } == self[.consumed]
  }
}
