package import StreamCore

/// Says what a task does next: one lowest time first, then input, then position; what is due goes
/// before a record of that time or a later one.
///
/// A task asks for the next step, begins it, runs its unit, and ends it; it tells of every input
/// whose standing changed otherwise. A task with one input pays for no tree; with n inputs a step
/// costs O(log n). What a live task does otherwise than the rule is journalled with the unit, and a
/// replay follows its journal, both here.
package struct UnitOrder {
  package enum Step: Hashable, Sendable {
    /// The first of what is due goes, at this time or at stream time, where that is later.
    ///
    /// - Parameter isBeyondClock: stream time has not come to it by itself.
    case fire(Timestamp, isBeyondClock: Bool)
    /// The head of an input goes.
    case take(input: Int, OrderTime)
    /// A unit that the journal asks for, or someone who asks for it now.
    case decided(JournalEntry.Content)
    /// Nothing, for an input must be waited for: until this time, or until more of it comes.
    case wait(until: MonotonicTime?)
    /// Nothing: all inputs are at their ends.
    case rest
  }

  package let inputs: [any InputPort]
  package let journal: TaskJournal
  private let clock: any MonotonicClock
  private let span: Int64
  private var tree: MergeTree
  private var watch: DepartureWatch
  /// Inputs that a replay leaves out of the rule for the time being.
  private var isBarred: [Bool]

  package init(
    _ inputs: [any InputPort], journal: TaskJournal, clock: any MonotonicClock, span: Int64? = nil
  ) {
    self.inputs = inputs
    self.journal = journal
    self.clock = clock
    self.span = span ?? DepartureWatch.span
    tree = MergeTree(count: inputs.count)
    watch = DepartureWatch(lastUnits: [], at: 0)
    isBarred = []
    restore()
  }

  /// Takes the inputs as they are after a start or an abort.
  package mutating func restore() {
    watch = DepartureWatch(lastUnits: inputs.map(\.lastUnit), at: journal.unit, span: span)
    isBarred = inputs.map { _ in false }
    for input in inputs.indices { refresh(input) }
  }

  /// The standing of an input changed.
  package mutating func refresh(_ input: Int) {
    guard inputs.count > 1, !isBarred[input] else { return }
    let standing = inputs[input].standing
    tree.set(standing, of: input)
    guard journal.replay == nil else { return }
    if case .head(let time) = standing {
      watch.changed(input, head: time, at: journal.unit)
    } else {
      watch.changed(input, head: nil, at: journal.unit)
    }
  }

  // MARK: The next step

  /// - Parameters:
  ///   - due: when the first timer, window or row is due; `nil` where nothing is.
  ///   - streamTime: the task's clock; `nil` before it has one.
  /// - Throws: ``TaskError`` with `.diverged` where a replay cannot go on by its journal.
  package mutating func next(due: Timestamp?, streamTime: Timestamp?) throws -> Step {
    if let replay = journal.replay {
      // An interval may end among firings: what is beyond its last unit is not the replay's.
      guard journal.unit < replay.limit else { return .rest }
      if let content = try replay.contents(at: journal.unit).first(where: \.beginsUnit) {
        return try step(of: content, replay)
      }
    }
    if let due, let streamTime, due <= streamTime { return .fire(due, isBeyondClock: false) }
    while true {
      let extremes =
        inputs.count == 1
        ? MergeTree.Extremes(inputs[0].standing, of: 0) : tree.extremes
      if let replay = journal.replay {
        if extremes.first >= 0, try bar(Int(extremes.first), replay) { continue }
        if extremes.first < 0, extremes.promise == .never { return try lastSteps(due, replay) }
      }
      let goesOff = due.map { isReached(OrderTime($0), extremes) } ?? false
      let goes = extremes.first >= 0 && extremes.promise >= .time(extremes.firstTime)
      guard goesOff || goes else {
        return extremes.first < 0 && extremes.promise == .never ? .rest : .wait(until: nil)
      }
      if let until = extremes.waitUntil, !hasPassed(until) { return .wait(until: until) }
      if goesOff, let due { return .fire(due, isBeyondClock: true) }
      return .take(input: Int(extremes.first), extremes.firstTime)
    }
  }

  /// Each input has come to `time` or is at its end, and one of them has come to it.
  private func isReached(_ time: OrderTime, _ extremes: MergeTree.Extremes) -> Bool {
    extremes.lowest >= .time(time) && extremes.reached >= time
  }

  /// Whether inputs at their ends are waited for no longer; so that the clock is asked once.
  private mutating func hasPassed(_ until: MonotonicTime) -> Bool {
    guard clock.monotonicNow() >= until else { return false }
    if inputs.count > 1 {
      for input in inputs.indices where tree.waitUntil(of: input) != nil {
        tree.clear(waitOf: input)
      }
    }
    return true
  }

  // MARK: Following a journal

  private func step(of content: JournalEntry.Content, _ replay: JournalReplay) throws -> Step {
    guard case .departure(let id, let position, _) = content else { return .decided(content) }
    guard let input = inputs.firstIndex(where: { InputID(name: $0.name) == id }) else {
      throw replay.diverged(at: journal.unit, "it names an input that the topology does not have")
    }
    switch inputs[input].standing {
    case .head(let time):
      guard inputs[input].headPosition == position else {
        throw replay.diverged(
          at: journal.unit, "it takes position \(position) there", input: inputs[input])
      }
      return .take(input: input, time)
    case .open: return .wait(until: nil)
    case .ended:
      throw replay.diverged(
        at: journal.unit, "it takes position \(position), and nothing more is there",
        input: inputs[input])
    }
  }

  /// Leaves an input out of the rule whose head went later.
  private mutating func bar(_ input: Int, _ replay: JournalReplay) throws -> Bool {
    guard inputs.count > 1, try replay.isBarred(input, at: journal.unit) else { return false }
    isBarred[input] = true
    tree.set(.ended(reached: .none, waitedForUntil: nil), of: input)
    return true
  }

  /// All inputs are at their limits: the units that are left are of what was due because of records
  /// that lie beyond them.
  private func lastSteps(_ due: Timestamp?, _ replay: JournalReplay) throws -> Step {
    if let due { return .fire(due, isBeyondClock: true) }
    if let input = isBarred.firstIndex(of: true) {
      throw replay.diverged(
        at: journal.unit, "it lets this input wait for units that nothing is left for",
        input: inputs[input])
    }
    throw replay.diverged(
      at: journal.unit,
      "its state has \(replay.limit) units, and nothing is left to make another one of")
  }

  /// Decides from here on: the replay has come to its end.
  ///
  /// - Throws: ``TaskError`` with `.diverged` where it has not.
  package mutating func finishReplay() throws {
    try journal.finishReplay()
    restore()
  }

  /// Decides itself instead of following a journal whose units count otherwise.
  package mutating func abandonReplay() {
    journal.abandonReplay()
    restore()
  }

  // MARK: A step

  /// Begins a step's unit: what has to be journalled of it is noted.
  ///
  /// - Throws: ``TaskError`` with `.diverged`.
  package func begin(_ step: Step) throws {
    switch step {
    case .take(let input, _):
      if journal.replay != nil {
        for content in try journal.replayed() {
          if case .departure = content { try journal.follow(content) }
        }
      } else if inputs.count > 1, let since = watch.departure(of: input) {
        journal.note(
          .departure(
            input: InputID(name: inputs[input].name), position: inputs[input].headPosition,
            since: since))
      }
    case .decided(let content): try journal.follow(content)
    case .fire, .wait, .rest: break
    }
  }

  /// Ends a step's unit, with or without effects; the input that it took from has moved on.
  ///
  /// - Throws: ``TaskError`` with `.diverged` where it was not what a replayed journal says.
  package mutating func end(_ step: Step) throws {
    let unit = journal.unit
    switch step {
    case .take(let input, let time):
      inputs[input].lastUnit = unit
      if inputs.count > 1 { watch.took(input, time, in: unit) }
    case .fire(let time, true): watch.fired(at: OrderTime(time), in: unit)
    case .fire, .decided, .wait, .rest: break
    }
    try endUnit()
    guard case .take(let input, _) = step else { return }
    if inputs.count > 1 {
      isBarred[input] = false
      refresh(input)
    }
  }

  /// Ends a unit that a step's unit brought with it, as a record that waited for its row.
  ///
  /// - Throws: ``TaskError`` with `.diverged` where it was not what a replayed journal says.
  package mutating func endUnit() throws {
    if inputs.count > 1, journal.replay == nil {
      for (input, since) in watch.absences(at: journal.unit) {
        journal.note(.absent(input: InputID(name: inputs[input].name), since: since))
      }
    }
    try journal.endUnit()
  }
}
