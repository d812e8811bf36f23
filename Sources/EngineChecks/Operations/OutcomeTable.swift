/// What DESIGN promises of each thing that operators and the world do.
package enum OutcomeTable {
  /// One of three promises, and nothing else.
  package enum Outcome: Hashable, Sendable {
    /// Views, fates, kept records and sinks end as those of a run that was left alone.
    case undisturbed
    /// Ends with an exit status and changes nothing; then an operator chooses.
    case refused(exit: Int, choices: [String])
    /// They end as those of a run that was left alone but for the same action at the same place.
    case sameActionThere(String)
  }

  package struct Row: Sendable, CustomStringConvertible {
    package let circumstance: Circumstance
    package let outcome: Outcome
    /// The sentence of the design that it follows from.
    package let sentence: String

    package var description: String {
      let promise =
        switch outcome {
        case .undisturbed: "as an undisturbed run"
        case .refused(let exit, let choices):
          "refused (\(exit)), state untouched; then \(choices.joined(separator: " or "))"
        case .sameActionThere(let effect): "as an undisturbed run with it there: \(effect)"
        }
      return "| \(circumstance.rawValue) | \(promise) | \(sentence) |"
    }
  }

  package enum Circumstance: String, Hashable, Sendable, CaseIterable {
    case restart = "stop, or restart with other threads, batches, intervals, memory"
    case kill = "kill at any disk operation, run or rebuild"
    case fault = "an error that is no unit's own, requests beside it"
    case failPolicy = "a record whose policy is `fail`"
    case repaired = "`fail`, then the repair"
    case retryMended = "retry, the cause mended"
    case retryBroken = "retry, the cause still there"
    case skip = "skip of a dead letter"
    case release = "release of a waiting record"
    case rewind = "rewind to anywhere, also from a snapshot"
    case rewindGivenUp = "rewind stopped, failed or killed before it is recorded"
    case rewindFromEmpty = "rewind --from-empty"
    case rewindTrimmed = "rewind or verify of records that the log removed"
    case rewindBroken = "rewind or verify where what was applied fails now"
    case snapshot = "snapshot while running"
    case olderCopy = "an older copy of the state"
    case foreignCopy = "a copy of before a rebuild"
    case removedState = "removed state beside written sinks"
    case outputsContinue = "removed state, --outputs continue"
    case outputsAll = "removed state, --outputs all"
    case outputsNone = "removed state, --outputs none"
    case sinkAdded = "a sink more"
    case sinkRemoved = "a sink less, and back again"
    case viewAdded = "a view more"
    case otherDirectories = "a second state directory with the other partitions"
    case trimmedBehind = "the log trimmed behind the positions"
    case redelivered = "redelivered records"
    case conflicting = "the same id with other content"
    case late = "late records"
    case future = "records of the far future"
  }

  package static func outcome(_ circumstance: Circumstance) -> Outcome {
    guard let row = rows.first(where: { $0.circumstance == circumstance }) else {
      preconditionFailure("the table has a row for each circumstance")
    }
    return row.outcome
  }

  package static let rows: [Row] = [
    Row(
      circumstance: .restart, outcome: .undisturbed,
      sentence: "Nothing depends on a hash seed, a cache size, a commit boundary or thread timing."),
    Row(
      circumstance: .kill, outcome: .undisturbed,
      sentence: "Whatever instant the process dies, the next start continues from the last "
        + "committed interval."),
    Row(
      circumstance: .fault, outcome: .undisturbed,
      sentence: "Any error but a unit's own failure closes the task: no letter, request, retry or "
        + "commit touches it again; it restarts from disk."),
    Row(
      circumstance: .failPolicy,
      outcome: .refused(exit: 1, choices: ["mending the cause", "another policy"]),
      sentence: "`fail` stops with the position before the record."),
    Row(
      circumstance: .repaired, outcome: .undisturbed,
      sentence: "A record that `fail` or a stop leaves untaken moves nothing."),
    Row(
      circumstance: .retryMended,
      outcome: .sameActionThere("the record and its line are applied now"),
      sentence: "A retry or skip runs the line from the head as if its records came now."),
    Row(
      circumstance: .retryBroken, outcome: .undisturbed,
      sentence: "The unit is all or nothing; it dies again as the same dead letter."),
    Row(
      circumstance: .skip,
      outcome: .sameActionThere("it is applied nowhere, its number has come, its line goes on"),
      sentence: "`skip` resolves it without processing: its fate stays deadLettered."),
    Row(
      circumstance: .release,
      outcome: .sameActionThere("a row that still misses makes it a dead letter"),
      sentence: "`held release` runs an entry past what it waits for."),
    Row(
      circumstance: .rewind, outcome: .undisturbed,
      sentence: "Rewinding to P means state as of P, then everything from P on; a replay of the "
        + "lineage follows the journal, its outputs are dropped."),
    Row(
      circumstance: .rewindGivenUp, outcome: .undisturbed,
      sentence: "Given up before that, the old goes on; a start that finds the record half-made "
        + "finishes it."),
    Row(
      circumstance: .rewindFromEmpty,
      outcome: .sameActionThere("only records from there on, no output twice"),
      sentence: "`--from-empty` is the explicit other wish."),
    Row(
      circumstance: .rewindTrimmed,
      outcome: .refused(exit: 6, choices: ["a snapshot that holds them", "--allow-truncated"]),
      sentence: "Equal rebuilds are promised for inputs that still hold all they held."),
    Row(
      circumstance: .rewindBroken,
      outcome: .refused(exit: 6, choices: ["mending the cause", "--from-empty"]),
      sentence: "A replay whose unit cannot do what the journal says stops as `diverged` (6) and "
        + "names the record."),
    Row(
      circumstance: .snapshot, outcome: .undisturbed,
      sentence: "A snapshot is taken while running."),
    Row(
      circumstance: .olderCopy, outcome: .undisturbed,
      sentence: "It follows the published journal in silence and drops what was sent."),
    Row(
      circumstance: .foreignCopy,
      outcome: .refused(exit: 5, choices: ["--outputs continue", "all", "none"]),
      sentence: "Any other state (fresh, of another generation, gone its own way) is refused."),
    Row(
      circumstance: .removedState,
      outcome: .refused(exit: 5, choices: ["--outputs continue", "all", "none"]),
      sentence: "Any other state (fresh, of another generation, gone its own way) is refused."),
    Row(
      circumstance: .outputsContinue, outcome: .undisturbed,
      sentence: "In the checkpoint's lineage it follows the published journal and drops by number."),
    Row(
      circumstance: .outputsAll,
      outcome: .sameActionThere("everything is sent anew"), sentence: "`all` (everything anew)."),
    Row(
      circumstance: .outputsNone,
      outcome: .sameActionThere("nothing leaves"),
      sentence: "`none` (a copy for reading: nothing leaves, no checkpoint is written)."),
    Row(
      circumstance: .sinkAdded,
      outcome: .sameActionThere("it gets what is applied from there on"),
      sentence: "A sink that was added begins behind the state's position in its source."),
    Row(
      circumstance: .sinkRemoved,
      outcome: .sameActionThere("it gets what is applied while it is there, once"),
      sentence: "Destinations it does not know now are carried on."),
    Row(
      circumstance: .viewAdded,
      outcome: .sameActionThere("the others go on, it waits for a rebuild"),
      sentence:
        "A store that the state lacks is never filled from the middle: the topology starts, "
        + "what was there goes on."),
    Row(
      circumstance: .otherDirectories, outcome: .undisturbed,
      sentence: "A generation covers all tasks of a topology on this state directory; nothing is "
        + "inferred from topics of other processes."),
    Row(
      circumstance: .trimmedBehind, outcome: .undisturbed,
      sentence: "Only later records remain: `unverified`, counted."),
    Row(
      circumstance: .redelivered,
      outcome: .sameActionThere("duplicates for as long as ids are kept, by the entry itself"),
      sentence: "A retention is decided by the entry itself at the look-up."),
    Row(
      circumstance: .conflicting,
      outcome: .sameActionThere(
        "a duplicate, counted apart; while the first is kept a dead letter"),
      sentence: "Where the first is still kept, that is always a dead letter that parks nothing: "
        + "nothing is applied unasked, neither is lost."),
    Row(
      circumstance: .late,
      outcome: .sameActionThere("it moves no clock back; its timer goes at once where it is due"),
      sentence: "Each record that is taken moves its task's stream time forward to the time it was "
        + "ordered by."),
    Row(
      circumstance: .future,
      outcome: .sameActionThere("it is applied at the stream's time and moves no clock"),
      sentence: "`ahead`: for the engine its time is then the task's stream time."),
  ]
}
