package import StateStore
package import StreamCore

/// One sub-topology on one partition: takes records by the merge rule, runs each as a unit, and
/// commits views, ids, positions and outbox together.
///
/// A task belongs to the thread that drives it; it does no I/O but that of its state.
package final class StreamTask {
  package let topology: Topology
  package let subTopology: SubTopology
  package let partition: Int
  package var name: TaskName { TaskName(subTopology: subTopology.name, partition: partition) }
  let state: TaskState
  let context: RecordContext
  let counters = TaskCounters()
  let inputs: [TaskInput]
  /// How the records of each input are run.
  private let runs: [UnitRun]
  let kept: KeptRecords
  let journal: TaskJournal
  let outbox: OutboxWriter
  let timers: TaskTimers
  let log: @Sendable (String) -> Void
  private let retryWait: (Duration) -> Void
  private var merge: MergeRule
  private let counterSlots: [Int]
  private let absentSlot: Int
  /// Counts intervals: what their size and cost are told by.
  private let commitsSlot: Int
  /// The batch that the context has loaded: input and number.
  @exclusivity(unchecked) private var loaded = (order: -1, number: -1)
  /// Reads a record again, for the comparison of two with one id; `nil` where it is gone.
  package var readOriginal: (TopicPartition, Offset) throws -> [UInt8]? = { _, _ in nil }
  private var duplicatesNoted = 0
  /// Keys whose parked records may follow once the running unit is done.
  @exclusivity(unchecked) var releasePending: [[UInt8]] = []
  /// Records taken since the last commit.
  package private(set) var intervalRecords = 0
  /// Something is to be committed, be it only a position.
  private var isDirty = false
  private var isOpen = false

  /// - Parameters:
  ///   - state: opened, without an interval.
  ///   - replay: journal entries to follow instead of deciding.
  ///   - clock: tells how long inputs are idle.
  ///   - retryWait: waits before a further try; a test's clock moves instead.
  package init(
    _ topology: Topology, _ subTopology: SubTopology, partition: Int, state: TaskState,
    limits: HeldLimits = HeldLimits(), replay: [[UInt8]]? = nil, clock: any WallClock,
    retryWait: @escaping (Duration) -> Void, log: @escaping @Sendable (String) -> Void
  ) throws {
    self.topology = topology
    self.subTopology = subTopology
    self.partition = partition
    self.state = state
    self.log = log
    self.retryWait = retryWait
    context = RecordContext(counters: counters, ids: state.seenIDs, log: log)
    outbox = try OutboxWriter(
      outbox: state.outbox, context: context, topology: topology.name,
      topics: (subTopology.sinks + (topology.deadLetterTopic.map { [$0] } ?? [])).uniqued())
    timers = try TaskTimers(state.timers, words: state.words)
    let assembly = TaskAssembly(
      state: state, context: context, outbox: outbox, counters: counters, timers: timers, log: log)
    for declaration in topology.declarations where subTopology.stores.contains(declaration.name) {
      try declaration.register(in: assembly)
    }
    for id in subTopology.nodes.reversed() { topology.nodes[id].assemble(assembly) }
    counterSlots = Counter.allCases.map { state.words.register("count/\($0)") }
    absentSlot = state.words.register("merge/absent")
    commitsSlot = state.words.register("commits")
    inputs = try subTopology.topics.enumerated().map { order, topic in
      guard let source = assembly.sources[topic] else {
        preconditionFailure("source '\(topic)' was not assembled")
      }
      return try TaskInput(
        TopicPartition(topic, partition), source: source, order: order,
        idle: topology.idle(of: topic) ?? .zero, words: state.words)
    }
    runs = inputs.map { UnitRun(source: $0.source, input: $0) }
    if let source = inputs.first?.source { state.seenIDs.retention = source.seenIDs.stored }
    kept = KeptRecords(held: state.held, deadLetters: state.deadLetters, limits: limits)
    journal = TaskJournal(state.journal, replay: try replay?.map(TaskJournal.decode))
    merge = MergeRule(journal: journal, clock: clock)
    try restore()
  }

  /// Goes back to the last commit, in memory too.
  func restore() throws {
    for counter in Counter.allCases {
      counters[counter] = state.words[counterSlots[counter.rawValue]]
    }
    counters.commitUnit()
    merge.restore(absent: UInt64(bitPattern: state.words[absentSlot]))
    for input in inputs { input.restore() }
    try kept.restore()
    try timers.refresh()
    context.hasHeldRecords = kept.hasHeld
    loaded = (-1, -1)
    (intervalRecords, isDirty, isOpen) = (0, false, false)
  }

  // MARK: Taking records

  /// Hands over what the log delivered of one of the task's partitions.
  package func offer(_ batch: RecordBatch) throws {
    guard let input = inputs.first(where: { $0.topicPartition == batch.topicPartition }) else {
      preconditionFailure("\(batch.topicPartition) is no input of this task")
    }
    let before = input.position
    input.offer(try ResumeCheck.verified(batch, for: input, counters: counters, topology))
    if input.position != before { isDirty = true }
  }

  /// Whether every input has been processed to the end the log had at the last fetch.
  package var isCaughtUp: Bool { inputs.allSatisfy(\.isAtEnd) }

  /// Whether more records wait than `count`, as far as the log's end is known.
  package func isBehind(by count: Int) -> Bool {
    inputs.contains { input in input.endOffset.map { $0 - input.position > count } ?? false }
  }

  /// Until when its records wait for those of an idle topic, as last looked; `nil` if they do not.
  package var waitsUntil: Timestamp? { merge.waitsUntil }

  /// Processes up to `limit` records.
  ///
  /// - Returns: how many were taken; fewer than `limit` where an input must be waited for.
  /// - Throws: ``TaskError`` or ``StateStore/StoreError``; the task is then closed and restarts
  ///   from disk.
  package func process(limit: Int) throws -> Int {
    var taken = 0
    defer {
      if taken > 0 {
        intervalRecords += taken
        isDirty = true
      }
    }
    while taken < limit {
      if journal.isReplaying { try replayDeadLetters() }
      guard let input = try nextInput() else { break }
      try openInterval()
      do {
        try take(from: input)
      } catch let error as TaskError where error.code == .recordFailed {
        // The position stays before this record, not before its interval.
        rollbackUnit()
        if taken > 0 { isDirty = true }
        try commit()
        throw error
      }
      taken += 1
    }
    return taken
  }

  private func nextInput() throws -> TaskInput? {
    if inputs.count == 1 { return inputs[0].hasRecord ? inputs[0] : nil }
    try openInterval()
    defer { state.commitUnit() }  // What the rule journals is not the record's to take back.
    return try merge.next(inputs)
  }

  func openInterval() throws {
    guard !isOpen else { return }
    try state.begin()
    isOpen = true
  }

  private func take(from input: TaskInput) throws {
    if loaded.order != input.order || loaded.number != input.batchNumber {
      context.load(input.batch)
      loaded = (input.order, input.batchNumber)
    }
    context.select(input.cursor)
    let entry = context.entry
    let last = TaskInput.LastRecord(
      offset: entry.offset, timestamp: entry.timestamp, valueHash: context.valueHash)
    context.streamTime = input.streamTime
    let fate = try runUnit(runs[input.order])
    counters[.consumed] += 1
    counters[fate] += 1
    input.remember(last)
    input.advance()
    if !context.createdRows.isEmpty {
      try releaseHeld(context.createdRows, key: context.waitingKey)
    }
    if !releasePending.isEmpty { try releaseParked() }
    if timers.isPending { try fireTimers() }
  }

  // MARK: Committing

  /// Commits the interval, if there is anything in it.
  ///
  /// - Returns: whether something was committed.
  /// - Throws: ``StateStore/StoreError``; the task is then closed.
  @discardableResult
  package func commit() throws -> Bool {
    guard isDirty else {
      if isOpen {
        state.abort()
        isOpen = false
      }
      return false
    }
    try openInterval()
    guard counters.fatesAddUp else {
      throw TaskError(
        .inconsistent, nil, nil,
        "the fates of task \(name) do not add up to what it consumed; "
          + "nothing of this interval is committed: report this as a defect")
    }
    for counter in Counter.allCases {
      state.words[counterSlots[counter.rawValue]] = counters[counter]
    }
    state.words[absentSlot] = Int64(bitPattern: merge.absent)
    for input in inputs { input.save() }
    state.words[commitsSlot] += 1
    state.commitUnit()
    try state.commit()
    (intervalRecords, isDirty, isOpen) = (0, false, false)
    return true
  }

  /// Bytes that the running interval will write, for the budget over all tasks.
  package var dirtyBytes: Int { isOpen ? state.dirtyBytes : 0 }

  /// Next offsets to process, by partition.
  package var positions: [TopicPartition: Offset] {
    Dictionary(inputs.map { ($0.topicPartition, $0.position) }, uniquingKeysWith: max)
  }

  /// Something besides records is to be committed.
  func markDirty() { isDirty = true }

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

  func wait(_ duration: Duration) { retryWait(duration) }
}
