import StateStore
package import StreamCore

/// What becomes of the outputs of a state that did not write the checkpoints beside it.
package enum OutputChoice: String, Hashable, Sendable, CaseIterable {
  /// Goes on where the checkpoints end.
  case `continue`
  /// Sends everything anew.
  case all
  /// Sends nothing: a copy for reading.
  case none
}

/// How a task begins with its outputs, by what its state and its partition of the journal topic say.
///
/// DESIGN's "What leaves a task" is the rule; this is its only place in the code.
package enum OutputStart: Hashable, Sendable {
  /// No checkpoint is to be minded: the state's own numbers are the first, or it stands where it
  /// was to come to.
  case begin(generation: Int64)
  /// The state that wrote the checkpoint.
  case goOn(Checkpoint)
  /// An older copy of it, or one that follows it.
  case catchUp(CatchUp)
  /// Nothing leaves.
  case quiet
}

/// The way of a state to where the checkpoints end: nothing leaves it meanwhile.
package struct CatchUp: Hashable, Sendable {
  package struct Passed: Hashable, Sendable {
    package var offset: Offset
    package var state: Standing
  }

  /// Where to stop.
  package var limits: [TopicPartition: Offset]
  /// The published journal behind the state's own, to be followed; `nil` decides afresh.
  package var journal: [[UInt8]]?
  /// The checkpoint it comes to, by the numbers of which entries are dropped; `nil` drops all.
  package var checkpoint: Checkpoint?
  /// Starts on the way, oldest first.
  package var starts: [Passed] = []

  /// Whether a destination's entries on the way are counted one by one: of all others each one was
  /// sent, so that the number at the end is enough, whatever sinks there were on the way.
  func counts(_ destination: String) -> Bool {
    guard let checkpoint else { return false }
    return checkpoint.sent[destination] ?? 0 < checkpoint.reached.end.numbers[destination] ?? 0
  }
}

/// What a state says of itself when its outputs begin.
package struct OutputFacts: Hashable, Sendable {
  package var task: TaskName
  package var note: OutputsNote
  package var standing: Standing
  package var begun: [TopicPartition: Offset]
  package var lineage: Hash128
  package var journalLast: Int64

  package init(
    task: TaskName, note: OutputsNote, standing: Standing, begun: [TopicPartition: Offset],
    lineage: Hash128, journalLast: Int64
  ) {
    self.task = task
    self.note = note
    self.standing = standing
    self.begun = begun
    self.lineage = lineage
    self.journalLast = journalLast
  }
}

/// A decision, and what the state must have noted, durably, before anything follows from it.
package struct OutputDecision: Hashable, Sendable {
  package var start: OutputStart
  package var note: OutputsNote
  /// Destinations that begin with their first number, for the state follows one where they did.
  package var begins: [String] = []
}

extension OutputStart {
  /// - Parameters:
  ///   - choice: what the operator chose for a state that did not write the checkpoints.
  ///   - hasOtherJournals: the topology has journal topics of sub-topologies that it lacks now.
  /// - Throws: ``StateStore/StoreError`` with `.foreign` and the choices where none was made;
  ///   ``StreamCore/LogError``.
  package static func decide(
    _ facts: OutputFacts, in journal: CheckpointLog, choice: OutputChoice?,
    hasOtherJournals: Bool = false
  ) throws -> OutputDecision {
    var note = facts.note
    if choice == OutputChoice.none { return OutputDecision(start: .quiet, note: note) }
    let last = try journal.last()
    let refusal: String
    switch try ownStart(facts, journal, last) {
    case .decided(let start): return OutputDecision(start: start, note: note)
    case .refused(let why): refusal = why
    }
    guard let choice else {
      if last == nil, !hasOtherJournals, note.start == nil || note.isSought,
        !note.tookWithoutOutputs
      {
        return OutputDecision(start: .begin(generation: max(1, note.generation)), note: note)
      }
      throw choices(facts, journal, refusal)
    }
    // The state is begun anew as far as its outputs go.
    note = OutputsNote()
    if choice == .continue, let last, let followed = try followed(facts, journal, last) {
      note.generation = last.checkpoint.generation
      note.start = followed.offset
      note.takesNewGeneration = true
      var facts = facts
      facts.note = note
      var decision = try decide(facts, in: journal, choice: nil)
      decision.begins = followed.checkpoint.start?.state.numbers.keys.sorted() ?? []
      return decision
    }
    note.generation = max(last?.checkpoint.generation ?? 0, facts.note.generation) + 1
    note.start = try journal.end()
    note.isSought = true
    if choice == .continue, let last {
      note.cut = cut(last.checkpoint, facts)
      if let limits = note.cut, !hasReached(limits, facts.standing) {
        return OutputDecision(start: .catchUp(CatchUp(limits: limits)), note: note)
      }
    }
    return OutputDecision(start: .begin(generation: note.generation), note: note)
  }

  private enum Own {
    case decided(OutputStart)
    case refused(String)
  }

  /// Whether the state is the one that wrote the checkpoints, or an older copy of it.
  private static func ownStart(
    _ facts: OutputFacts, _ journal: CheckpointLog, _ last: CheckpointLog.Found?
  ) throws -> Own {
    let note = facts.note
    if note.tookWithoutOutputs { return .refused("it took records while nothing left it") }
    guard note.generation > 0, let start = note.start else {
      return .refused(
        facts.standing.units == 0 ? "it is fresh" : "it was never started with outputs")
    }
    if let cut = note.cut, !hasReached(cut, facts.standing) {
      return .decided(.catchUp(CatchUp(limits: cut)))
    }
    guard let last else {
      return note.isSought
        ? .decided(.begin(generation: note.generation))
        : .refused("its own start is not in that topic: it is another log's, or was made anew")
    }
    let later = try starts(in: journal, since: start, isSought: note.isSought, last)
    if later.contains(where: { $0.checkpoint.generation != note.generation }) {
      return .refused("a state of another generation was started since")
    }
    if let first = later.first?.checkpoint.start, facts.standing.isBeyond(first.state) {
      return .refused("it has gone its own way since another copy of it was started")
    }
    if last.checkpoint.generation != note.generation {
      return note.isSought
        ? .decided(.begin(generation: note.generation))
        : .refused("a state of another generation was started since")
    }
    if last.offset < start, !note.isSought {
      return .refused("its own start is not in that topic: it is another log's, or was made anew")
    }
    if last.checkpoint.reached.end.units <= facts.standing.units {
      return .decided(.goOn(last.checkpoint))
    }
    return .decided(.catchUp(try catchUp(facts, journal, last, later, from: start)))
  }

  /// Starts later than the state's own.
  private static func starts(
    in journal: CheckpointLog, since start: Offset, isSought: Bool, _ last: CheckpointLog.Found
  ) throws -> [CheckpointLog.Found] {
    // What was written under the state's own start has none in between.
    let lastStart = last.checkpoint.start == nil ? last.checkpoint.startOffset : last.offset
    if !isSought, lastStart == start { return [] }
    var starts: [CheckpointLog.Found] = []
    try journal.scan(from: isSought ? start : start + 1) { offset, record in
      guard case .checkpoint(let checkpoint) = record, checkpoint.start != nil else { return }
      starts.append(CheckpointLog.Found(offset: offset, checkpoint: checkpoint))
    }
    return starts
  }

  private static func catchUp(
    _ facts: OutputFacts, _ journal: CheckpointLog, _ last: CheckpointLog.Found,
    _ later: [CheckpointLog.Found], from start: Offset
  ) throws -> CatchUp {
    var entries: [Int64: [UInt8]] = [:]
    // A generation's first entries stand before its first start.
    try journal.scan(from: facts.journalLast == 0 ? 0 : start) { _, record in
      guard case .journal(let part) = record,
        part.generation == last.checkpoint.generation
      else { return }
      for entry in part.entries where entry.number > facts.journalLast {
        entries[entry.number] = entry.bytes
      }
    }
    let upTo = last.checkpoint.reached.journalLast
    return CatchUp(
      limits: last.checkpoint.reached.end.positions,
      journal: entries.filter { $0.key <= upTo }.sorted { $0.key < $1.key }.map(\.value),
      checkpoint: last.checkpoint,
      starts: later.compactMap { found in
        found.checkpoint.start.map { CatchUp.Passed(offset: found.offset, state: $0.state) }
      })
  }

  /// What a fresh state can follow the checkpoints from: the first start of their generation, if it
  /// was begun alike and by the same operators.
  private static func followed(
    _ facts: OutputFacts, _ journal: CheckpointLog, _ last: CheckpointLog.Found
  ) throws -> CheckpointLog.Found? {
    guard facts.standing.units == 0, last.checkpoint.lineage == facts.lineage else { return nil }
    var first: CheckpointLog.Found?
    var isBroken = false
    try journal.scan(from: 0) { offset, record in
      guard case .checkpoint(let checkpoint) = record, checkpoint.start != nil else { return }
      if checkpoint.generation != last.checkpoint.generation {
        isBroken = isBroken || first != nil
      } else if first == nil {
        first = CheckpointLog.Found(offset: offset, checkpoint: checkpoint)
      }
    }
    guard !isBroken, let first, first.checkpoint.start?.begun == facts.begun else { return nil }
    return first
  }

  /// The end of the last interval that was sent whole, one record less where something was due.
  private static func cut(
    _ checkpoint: Checkpoint, _ facts: OutputFacts
  ) -> [TopicPartition: Offset] {
    var cut = facts.begun
    for (input, offset) in checkpoint.whole.end.positions {
      guard let begun = facts.begun[input] else { continue }
      cut[input] = max(begun, checkpoint.whole.isDue ? offset - 1 : offset)
    }
    return cut
  }

  static func hasReached(_ limits: [TopicPartition: Offset], _ standing: Standing) -> Bool {
    limits.allSatisfy { input, offset in
      offset == 0 || standing.positions[input].map { $0 >= offset } ?? false
    }
  }

  private static func choices(
    _ facts: OutputFacts, _ journal: CheckpointLog, _ why: String
  ) -> StoreError {
    StoreError(
      .foreign,
      "the outputs of task \(facts.task) were sent before, as \(journal.partition) says, and this "
        + "state is not the one that sent them: \(why); restore that one, or choose: "
        + "`run --outputs continue` goes on behind what was sent, `run --outputs all` sends "
        + "everything anew, `run --outputs none` sends nothing (a copy for reading)",
      store: facts.task.description)
  }
}
