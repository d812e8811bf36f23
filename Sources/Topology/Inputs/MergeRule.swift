import StateStore
import StreamCore

/// Decides which input of a task goes next, and journals what the records alone do not decide.
///
/// When each input has a record or is at its end, the lowest event time goes first, then input,
/// then offset; an input at its end is waited for as long as its source declares. That an input was
/// at its end, and for how long, depends on when one looked: each change of the set of inputs that
/// were passed at their ends is an entry of the journal, under the positions at which it held, and a
/// replay follows it.
struct MergeRule {
  /// Inputs that are passed, as bits by order.
  private(set) var absent: UInt64 = 0
  /// Until when an input at its end is waited for, although another has a record; `nil` where none
  /// is.
  private(set) var waitsUntil: Timestamp?
  private let journal: TaskJournal
  private let clock: any WallClock
  /// A replayed decision that no record was taken by yet.
  private var isFollowing = false

  init(journal: TaskJournal, clock: any WallClock) {
    self.journal = journal
    self.clock = clock
  }

  /// Takes the set that held at the last commit.
  mutating func restore(absent: UInt64) {
    (self.absent, isFollowing, waitsUntil) = (absent, false, nil)
  }

  /// The input whose record goes next; `nil` where one must be waited for or none has a record.
  ///
  /// - Throws: ``TaskError`` with `.diverged` where a replay cannot go on by its journal.
  mutating func next(_ inputs: [TaskInput]) throws -> TaskInput? {
    if let replayed = journal.replayedAbsence(at: inputs) {
      (absent, isFollowing) = (replayed, true)
    }
    waitsUntil = nil
    var idleUntil: Timestamp?
    var chosen: (input: TaskInput, time: Timestamp?)?
    var ended: UInt64 = 0
    for input in inputs {
      let bit = UInt64(1) << UInt64(input.order)
      if journal.isReplaying, absent & bit != 0 { continue }
      guard input.hasRecord else {
        guard input.isAtEnd, !journal.isReplaying || input.isAtLimit else { return nil }
        if let deadline = input.idleDeadline(clock) {
          idleUntil = max(idleUntil ?? deadline, deadline)
        }
        ended |= bit
        continue
      }
      let time = input.headTime
      if let best = chosen, !comesFirst(time, before: best.time) { continue }
      chosen = (input, time)
    }
    guard let chosen else {
      if journal.isReplaying { try checkStall(inputs) }
      return nil
    }
    if let idleUntil {
      waitsUntil = idleUntil
      return nil
    }
    let isDecision = journal.isReplaying ? isFollowing : ended != absent
    if isDecision {
      if !journal.isReplaying { absent = ended }
      isFollowing = false
      // A replay writes what it follows: the state it makes has the journal it was made by.
      journal.record(.absent(absent, positions: inputs.map(\.recordPosition)))
    }
    return chosen.input
  }

  /// Nothing is waited for and nothing chosen: inputs passed by the journal must have no record.
  private func checkStall(_ inputs: [TaskInput]) throws {
    guard let input = inputs.first(where: { $0.hasRecord }) else { return }
    throw TaskError(
      .diverged, input.topicPartition, input.position,
      "the journal does not say how to go on here: the log is not the one it was written beside; "
        + "check --log, or rebuild without the journal with `rewind --to earliest --from-empty`")
  }

  /// Unknown time lies below every timestamp; at equal times the earlier input goes first.
  private func comesFirst(_ time: Timestamp?, before other: Timestamp?) -> Bool {
    guard let other else { return false }
    guard let time else { return true }
    return time < other
  }
}
