package import StateStore
package import StreamCore

/// One sub-topology on one partition: takes records by the merge rule, runs each as a unit, and
/// commits views, ids, positions and outbox together.
///
/// A task belongs to the thread that drives it; it does no I/O but that of its state. An error that
/// is not a unit's own closes it.
package final class StreamTask {
  package let topology: Topology
  package let subTopology: SubTopology
  package let partition: Int
  package var name: TaskName { TaskName(subTopology: subTopology.name, partition: partition) }
  package let state: TaskState
  let context: RecordContext
  let counters = TaskCounters()
  let interval: TaskInterval
  let inputs: [LogInput]
  /// How the records of each input are run.
  private let origins: [UnitOrigin]
  let kept: KeptRecords
  let sequences: SequenceNumbers
  /// What an operator has of a key; what waits for one that keys by something else than text is tried.
  let rowProbes: [String: (_ key: [UInt8]) throws -> RowProbe]
  let journal: TaskJournal
  let outbox: OutboxWriter
  let timers: TaskTimers
  /// By input.
  let seenIDs: [SeenIDs]
  let log: @Sendable (String) -> Void
  let retryWait: (Duration) -> Bool
  private let clock: any MonotonicClock
  /// How stream time goes on while nothing comes; `nil` where it stands still.
  private var idle: IdleAdvance?
  /// When records came last.
  private var lastOffered: MonotonicTime?
  /// `nil` for a task of one who only reads.
  let traps: TaskTraps?
  /// What operators of the process decided in the generations before.
  var decisions = OperatorDecisions()
  private var order: UnitOrder
  /// What the running unit began by; `nil` for one that another brought with it.
  private var running: UnitOrder.Step?
  /// What its records wait for, as last looked.
  private var waiting = UnitOrder.Step.rest
  /// Called inside each interval that is about to be committed.
  var beforeCommit: ((StreamTask) throws -> Void)?
  /// The batch that the context has loaded: input and number.
  @exclusivity(unchecked) private var loaded = (order: -1, number: -1)
  private var duplicatesNoted = 0
  /// Further tries of the running unit, which count whatever becomes of it.
  var retried: Int64 = 0
  /// Time ends once all its inputs are at their limits, or at their ends where they have none.
  package var endsTime = false
  /// Operators whose timers were dropped, each of which is named once.
  var droppedTimers: Set<String> = []
  /// Keys whose kept records are to be gone through before the next record.
  @exclusivity(unchecked) var cascade: KeptCascade

  /// - Parameters:
  ///   - state: opened, without an interval.
  ///   - replay: a journal to follow instead of deciding.
  ///   - recordBytesMax: the largest record that the log takes.
  ///   - clock: tells how long inputs are idle.
  ///   - retryWait: waits before a further try; says whether to go on, and not to stop.
  ///   - traps: of the owner.
  init(
    _ topology: Topology, _ subTopology: SubTopology, partition: Int, state: TaskState,
    replay: FollowedJournal? = nil, recordBytesMax: Int, clock: any WallClock,
    retryWait: @escaping (Duration) -> Bool, traps: TaskTraps? = nil,
    log: @escaping @Sendable (String) -> Void
  ) throws {
    self.topology = topology
    self.subTopology = subTopology
    self.partition = partition
    self.state = state
    self.log = log
    self.retryWait = retryWait
    self.clock = clock
    idle = topology.idleAdvance.map { IdleAdvance(after: $0) }
    self.traps = traps
    context = RecordContext(counters: counters, log: log)
    outbox = OutboxWriter(
      outbox: state.outbox, context: context, topology: topology.name,
      topics: topology.outputTopics(of: subTopology), recordBytesMax: recordBytesMax)
    timers = try TaskTimers(
      state.timers, words: state.words,
      order: subTopology.operators.map { topology.operators[$0].name })
    sequences = SequenceNumbers(
      state.sequences, context, views: topology.sequenceViews(subTopology))
    let assembly = TaskAssembly(
      state: state, context: context, outbox: outbox, counters: counters, timers: timers,
      sequences: sequences, log: log)
    for declaration in topology.declarations where subTopology.stores.contains(declaration.name) {
      try declaration.register(in: assembly)
    }
    topology.assemble(subTopology, in: assembly)
    rowProbes = assembly.rowProbes
    sequences.probe = { [rowProbes] in try rowProbes[$0]?($1) }
    interval = TaskInterval(state, counters)
    inputs = try subTopology.topics.enumerated().map { order, topic in
      guard let source = assembly.sources[topic] else {
        preconditionFailure("source '\(topic)' was not assembled")
      }
      return try LogInput(
        TopicPartition(topic, partition), source: source, order: order,
        idle: topology.idle(of: topic) ?? .zero, clock: clock, positions: state.positions)
    }
    origins = inputs.map { UnitOrigin(.record, source: $0.source, input: $0) }
    seenIDs = try inputs.map {
      try state.seenIDs(scope: $0.source.idScope, retention: $0.source.seenIDs.stored)
    }
    kept = KeptRecords(
      state,
      numberedTopics: Set(
        inputs.filter { $0.source.policies.sequenceGap == .hold }.map(\.topicPartition.topic)))
    cascade = KeptCascade(inputs: inputs.count, try kept.marked())
    for input in inputs {
      input.restore()
      input.isReplayed = replay != nil
    }
    let units = interval.unitNumber
    journal = TaskJournal(
      at: units,
      replay: try replay.map { [inputs] replay in
        try JournalReplay(
          ListedJournal(replay.entries), from: units, to: replay.units, inputs: inputs.map(\.name))
      }
    ) { [journal = state.journal] bytes in _ = journal.append(bytes.span.bytes) }
    order = UnitOrder(inputs, journal: journal, clock: clock)
    try traps?.begin(inputs: inputs.map(\.name), units: units)
    try timers.refresh()
    context.hasHeldRecords = kept.hasHeld
  }

  // MARK: Taking records

  /// Hands over what the log delivered of one of the task's partitions.
  package func offer(_ batch: RecordBatch) throws {
    try interval.checkOpenable()
    guard let input = inputs.first(where: { $0.topicPartition == batch.topicPartition }) else {
      preconditionFailure("\(batch.topicPartition) is no input of this task")
    }
    let before = input.position
    input.offer(try ResumeCheck.verified(batch, for: input, counters: counters))
    order.refresh(input.order)
    if input.position != before { interval.touch() }
    if idle != nil, batch.count > 0 {
      idle?.reset()
      lastOffered = clock.monotonicNow()
    }
  }

  /// Whether it goes by what the log says of its inputs' ends, by ``noteEnds(_:)``: nothing comes, and
  /// its stream time may go on to what is due.
  package var wantsEnds: Bool {
    idle != nil && waiting == .rest && journal.replay == nil && timers.earliest != nil
      && timers.clock != nil && !timers.hasEnded && inputs.allSatisfy { $0.limit == nil }
  }

  /// The log has answered where its inputs end.
  package func noteEnds(_ answer: EndsAnswer) {
    // Records that came since may be what it does not know of.
    if let lastOffered, answer.asked < lastOffered { return }
    var isKnown = true
    for input in inputs {
      guard let end = answer.ends?[input.topicPartition] else {
        isKnown = false
        continue
      }
      input.noteEnd(end)
      order.refresh(input.order)
    }
    idle?.note(
      isAtEnd: isKnown && isCaughtUp, asked: answer.asked, answered: answer.answered)
  }

  /// Where its inputs begin and end was set.
  func inputsChanged() { for input in inputs { order.refresh(input.order) } }

  /// Whether every input has been processed to the end the log had at the last fetch.
  package var isCaughtUp: Bool { inputs.allSatisfy(\.isAtEnd) }

  /// Whether more records wait than `count`, as far as the log's end is known.
  package func isBehind(by count: Int) -> Bool {
    inputs.contains { input in input.endOffset.map { $0 - input.position > count } ?? false }
  }

  /// Until when its records wait for those of an idle topic, as last looked; `nil` if they do not.
  package var waitsUntil: MonotonicTime? {
    if case .wait(let until) = waiting { until } else { nil }
  }

  /// Runs up to `limit` units: records, and what follows from them.
  ///
  /// - Returns: how many were run; fewer than `limit` where an input must be waited for, or where
  ///   the process stops during a wait.
  /// - Throws: ``TaskError``, ``StateStore/StoreError`` or what user code should not throw; the
  ///   task is then closed and starts again from disk.
  package func process(limit: Int) throws -> Int { try run(limit: limit) { try step() } }

  /// Runs up to `limit` units that follow from what was decided or taken before, and takes no record.
  ///
  /// - Returns: how many were run; fewer than `limit` once nothing follows any more.
  /// - Throws: as ``process(limit:)``.
  package func runCascade(limit: Int) throws -> Int {
    try run(limit: limit) {
      guard let item = cascade.first else { return false }
      try goThrough(item)
      return true
    }
  }

  private func run(limit: Int, _ step: () throws -> Bool) throws -> Int {
    try interval.checkOpenable()
    var done = 0
    do {
      while done < limit, try step() { done += 1 }
      return done
    } catch let error as TaskError where error.code == .stopped {
      dropUnit()
      return done
    } catch let error as TaskError where error.code == .recordFailed {
      // What came before the record is whole; the position stays before it, not before its interval.
      dropUnit()
      try commit()
      interval.close(error)
      throw error
    } catch {
      interval.close(error)
      throw error
    }
  }

  /// Runs the next unit.
  ///
  /// - Returns: whether there was one.
  private func step() throws -> Bool {
    // Somebody may have decided something while kept records were gone through.
    if journal.replay != nil, let content = try journal.replayed().first(where: \.beginsUnit) {
      if case .decision(let decision, let entry) = content {
        try follow(decision, entry: entry)
        return true
      }
    }
    if let item = cascade.first {
      try goThrough(item)
      return true
    }
    let step = try nextStep()
    waiting = step
    switch step {
    case .rest where endsTime && !timers.hasEnded && inputs.allSatisfy(\.hasReachedLimit):
      try endTime()
    case .rest: return try advanceIdly()
    case .wait: return false
    case .fire(let due, _): try fire(step, due: due)
    case .take(let input, _):
      try begin(step)
      try take(from: inputs[input])
    case .decided(.endOfTime): try endTime()
    case .decided(.idleAdvance(let time)): try advance(.idleAdvance(to: time), to: time)
    case .decided(.clockAtCut(let time)): try advance(.clockAtCut(time), to: time)
    case .decided(let content): throw Self.unknown(content)
    }
    return true
  }

  /// Moves the clock on by the time for which nothing came, if that makes something due.
  private func advanceIdly() throws -> Bool {
    guard idle != nil else { return false }
    guard wantsEnds else {
      idle?.reset()
      return false
    }
    guard let time = idle?.reach(from: timers.clock), try timers.due(upTo: time) != nil else {
      return false
    }
    idle?.take()
    try advance(.idleAdvance(to: time), to: time)
    return true
  }

  /// Moves the clock on, as a unit of its own.
  private func advance(_ content: JournalEntry.Content, to time: Timestamp) throws {
    try begin(.decided(content))
    timers.advance(to: OrderTime(time))
    try endUnit()
  }

  private func nextStep() throws -> UnitOrder.Step {
    // With one input and nothing due no time decides, and none is looked for in the record.
    if inputs.count == 1, timers.earliest == nil, journal.replay == nil, inputs[0].hasRecord {
      return .take(input: 0, .none)
    }
    return try order.next(due: timers.earliest, streamTime: timers.horizon)
  }

  /// Brings the clock of a task that is at its limits to that of the state it takes the place of, and
  /// fires what is due by it.
  ///
  /// - Throws: what stopped the task.
  func bringClock(to time: Timestamp) throws {
    guard OrderTime(timers.clock) < OrderTime(time) else { return }
    // What fires at the end of time goes at its own time, and what that sets stays set.
    if time == .latest { try endTime() } else { try advance(.clockAtCut(time), to: time) }
    repeat { try commit() } while try process(limit: 1_000) > 0
  }

  /// Begins a unit that is not brought by another.
  func begin(_ step: UnitOrder.Step) throws {
    try interval.open()
    try order.begin(step)
    running = step
  }

  /// The unit that was begun is left untaken.
  func dropUnit() {
    journal.dropUnit()
    running = nil
  }

  /// Ends a replay that has come to its limit.
  ///
  /// - Throws: ``TaskError`` with `.diverged` where the journal was not followed to its end.
  package func finishReplay() throws {
    guard journal.replay != nil else { return }
    try order.finishReplay()
    for input in inputs { input.isReplayed = false }
  }

  /// Decides itself instead of following a journal: records that it was written with are gone.
  package func abandonReplay() {
    order.abandonReplay()
    for input in inputs { input.isReplayed = false }
  }

  private func take(from input: LogInput) throws {
    if loaded.order != input.order || loaded.number != input.batchNumber {
      context.load(input.batch)
      loaded = (input.order, input.batchNumber)
    }
    context.select(input.cursor)
    context.streamTime = timers.clock
    let entry = context.entry
    let last = LogInput.LastRecord(
      offset: entry.offset, timestamp: entry.timestamp ?? .unknown, valueHash: context.valueHash)
    let result = try run(origins[input.order])
    count(result)
    counters[.consumed] += 1
    input.remember(last)
    input.advance()
    try endUnit()
    followUp(result)
  }

  /// Adds what a unit ended as to the totals.
  func count(_ result: UnitResult) {
    counters[result.fate] += 1
    if let reason = result.reason { counters[Counter(reason)] += 1 }
    if retried > 0 {
      counters[.retried] += retried
      retried = 0
    }
  }

  /// The unit is whole.
  func endUnit() throws {
    if let step = running {
      running = nil
      try order.end(step)
    } else {
      try order.endUnit()
    }
    interval.keepUnit()
    context.hasHeldRecords = kept.hasHeld
  }

  // MARK: Committing

  /// Commits the interval, if there is anything in it.
  ///
  /// - Returns: whether something was committed.
  /// - Throws: whatever went wrong; the task is then closed.
  @discardableResult
  package func commit() throws -> Bool {
    let committed = try interval.commit {
      for input in inputs { input.save() }
      try kept.mark(cascade.left)
      if state.outbox.hasAppended { state.outbox.seal(try outputInterval.sealed()) }
      try beforeCommit?(self)
    }
    if committed {
      journal.commit()
      try traps?.committed(state)
    }
    return committed
  }

  /// Whether an error closed it: nothing touches it any more.
  package var isClosed: Bool { interval.failure != nil }

  /// Units since the last commit.
  package var intervalRecords: Int { interval.units }

  /// What the running interval takes of the budget over all tasks.
  package var intervalBytes: IntervalBytes { interval.bytes }

  /// Next offsets to process, by partition.
  package var positions: [TopicPartition: Offset] {
    Dictionary(inputs.map { ($0.topicPartition, $0.position) }, uniquingKeysWith: max)
  }

  /// Where it stands, the running interval included.
  var standing: Standing {
    Standing(
      units: interval.unitNumber,
      positions: Dictionary(
        inputs.map { ($0.topicPartition, $0.last.map { $0.offset + 1 } ?? $0.start) },
        uniquingKeysWith: max), numbers: state.outbox.numbers)
  }

  private var outputInterval: OutputInterval {
    get throws {
      OutputInterval(
        end: standing, isDue: try !cascade.isEmpty || timers.due(upTo: timers.horizon) != nil,
        journalLast: state.journal.lastNumber)
    }
  }

  /// Whether there is something to commit.
  var isDirty: Bool { interval.isDirty }

  func openInterval() throws { try interval.open() }

  /// Something besides records is to be committed.
  func markDirty() { interval.touch() }

  /// The context points at another batch than the loop believes.
  func forgetLoadedBatch() { loaded = (-1, -1) }

  /// Names a duplicate in the log: the first ones, then every thousandth, for there may be many.
  func noteDuplicate() {
    duplicatesNoted += 1
    guard duplicatesNoted <= 10 || duplicatesNoted % 1_000 == 0 else { return }
    let more = duplicatesNoted == 10 ? "; from now on every 1,000th is named, all are counted" : ""
    log(
      "duplicate event '\(context.eventID)' at \(context.topicPartition)@\(context.offset)\(more)")
  }
}

/// A journal that a task follows instead of deciding, and how many units the state has that wrote it.
package struct FollowedJournal: Sendable {
  package let entries: [[UInt8]]
  package let units: Int64

  package init(_ entries: [[UInt8]], units: Int64) {
    self.entries = entries
    self.units = units
  }
}
