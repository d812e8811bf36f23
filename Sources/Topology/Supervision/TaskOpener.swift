import StateStore
import StreamCore

/// Opens the tasks of a generation, several at once: each is a directory with files to be made or
/// mapped and a log to be asked.
struct TaskOpener: Sendable {
  /// A task that is to run.
  struct Planned: Hashable, Sendable {
    let name: TaskName
    let sub: SubTopology
    /// Of its topics.
    let partitionCount: Int

    var inputs: [TopicPartition] { sub.topics.map { TopicPartition($0, name.partition) } }
  }

  let topology: Topology
  let generation: Int
  let log: any RecordLog
  let directory: StateDirectory
  let options: RunOptions
  let clock: any WallClock
  let stop: StopSignal
  let report: @Sendable (String) -> Void

  /// Environments and files are opened by so many threads: what takes time is the disk and the log.
  private static let threads = 8

  /// The tasks of a topology on the partitions of a log.
  ///
  /// - Parameter partitions: those to run; `nil` for all.
  /// - Throws: ``StreamCore/LogError`` or ``TaskError``.
  static func plan(
    _ topology: Topology, on log: any RecordLog, partitions: [Int]?
  ) throws -> [Planned] {
    var planned: [Planned] = []
    for sub in topology.subTopologies {
      let count = try partitionCount(of: sub, on: log)
      for partition in partitions ?? Array(0..<count) {
        guard partition >= 0, partition < count else {
          throw LogError(
            .partitionMissing,
            "there is no partition \(partition) of '\(sub.topics[0])', which has \(count)")
        }
        planned.append(
          Planned(
            name: TaskName(subTopology: sub.name, partition: partition), sub: sub,
            partitionCount: count))
      }
    }
    return planned
  }

  private static func partitionCount(of sub: SubTopology, on log: any RecordLog) throws -> Int {
    var counts: [Int] = []
    for topic in sub.topics {
      guard let description = try log.topic(topic) else {
        throw LogError(
          .topicMissing,
          "source topic '\(topic)' does not exist on \(log.url); create it with `projector topics "
            + "create \(topic)` or correct --log")
      }
      counts.append(description.partitions)
    }
    guard let count = counts.first, counts.allSatisfy({ $0 == count }) else {
      let list = zip(sub.topics, counts).map { "'\($0)' \($1)" }.joined(separator: ", ")
      throw TaskError(
        .notCopartitioned, nil, nil,
        "topics read together need the same number of partitions: \(list)")
    }
    return count
  }

  /// Opens the planned tasks and compares their positions with the log.
  ///
  /// - Parameter prepare: given those that have no state yet, before anything is made for them.
  /// - Throws: ``StreamCore/LogError``, ``StateStore/StoreError`` or ``TaskError``, that with
  ///   `.stopped` where it was stopped; nothing was changed.
  func open(
    _ planned: [Planned], preparing prepare: (_ fresh: [Planned]) throws -> Void
  ) throws -> [StreamTask] {
    let held = try HeldTask.all(of: generation, in: directory)
    try topology.checkPlaces(of: held, directory: directory.path)
    let here = Set(try directory.tasks(of: generation))
    try checkNamed(planned, here)
    try prepare(planned.filter { !here.contains($0.name) })
    try OpenFiles.provide(forTasks: planned.count)
    // One question for all: a broker away costs a start's time once, not a thousand times.
    let offsets = try log.offsets(of: planned.flatMap(\.inputs).uniqued())
    let tasks = try EngineThread.map(planned, threads: Self.threads, stop: stop) {
      try open($0, offsets, beginsAtEnds: topology.beginsAtEnds($0.sub, beside: held))
    }.compactMap(\.self)
    let decisions = try directory.inheritedDecisions(of: generation)
    for task in tasks { task.decisions = decisions }
    return tasks
  }

  /// Refuses a generation that says it has a task whose state is not there: begun anew, it would
  /// lack what its records did.
  private func checkNamed(_ planned: [Planned], _ here: Set<TaskName>) throws {
    guard let meta = try GenerationMeta.read(directory.directory(of: generation)) else { return }
    let named = Set(meta.tasks)
    let missing = try planned.map(\.name).first { name in
      guard named.contains(name) else { return false }
      return try !here.contains(name) || !directory.hasState(of: name, in: generation)
    }
    guard let missing else { return }
    throw StoreError(
      .missing,
      "the state of task \(missing) was here and is gone; restore it, or rebuild with "
        + "`rewind --to earliest`", store: directory.task(generation, missing))
  }

  /// - Parameters:
  ///   - offsets: of the inputs in the log.
  ///   - beginsAtEnds: whether inputs that it knows no position of begin at their ends.
  /// - Returns: `nil` for a task of which all waits for a rebuild.
  private func open(
    _ planned: Planned, _ offsets: [TopicPartition: Range<Offset>], beginsAtEnds: Bool
  ) throws -> StreamTask? {
    let path = directory.task(generation, planned.name)
    try DurableFile.makeDirectory(path)
    let sub = topology.runnable(planned.sub, without: options.waiting[planned.name] ?? [])
    let identity = topology.identity(
      sub, partition: planned.name.partition, of: planned.partitionCount, generation: generation)
    let state = try openState(path, identity, planned)
    for store in state.identity.waiting.sorted() {
      report(
        "task \(planned.name) has no store '\(store)': it was added, and what hangs on it waits for "
          + "a rebuild (`projector rewind \(topology.name) --to earliest`)")
    }
    let runnable = topology.runnable(sub, without: state.identity.waiting)
    guard !runnable.topics.isEmpty else { return nil }
    let hasCommitted = state.words.value(named: "commits") ?? 0 > 0
    let stop = stop
    let task = try StreamTask(
      topology, runnable, partition: planned.name.partition, state: state,
      replay: try replay(of: planned.name, state),
      recordBytesMax: TaskPublisher.entryBytesMax(on: log), clock: clock,
      // A wait that is cut short is no try: the unit ends undone.
      retryWait: { stop.sleep($0) },
      traps: options.traps.map { TaskTraps($0, generation: generation, task: planned.name) },
      log: report)
    let addsInputs = beginsAtEnds || hasCommitted
    for input in task.inputs {
      guard let offsets = offsets[input.topicPartition] else {
        preconditionFailure("the log was asked for \(input.topicPartition)")
      }
      try prepare(input, of: task, offsets, addsInputs)
    }
    task.inputsChanged()
    task.endsTime = options.endsTime
    silence(task)
    // Where an added input began is known from now on, whatever becomes of this start.
    if addsInputs, task.inputs.contains(where: { !$0.isKnown }) {
      task.markDirty()
      try task.commit()
    }
    return task
  }

  /// The journal that a task follows: on the way to its checkpoint the state's own, which may still
  /// hold inputs back, and behind it what was published.
  private func replay(of name: TaskName, _ state: TaskState) throws -> FollowedJournal? {
    guard let way = options.ways?[name] else { return options.replay[name] }
    guard let published = way.journal, let checkpoint = way.checkpoint else { return nil }
    var own: [Journal.Entry] = []
    while case let page = try state.journal.committed.entries(
      after: own.last?.number ?? 0, upTo: .max, limit: .max, bytesMax: 1 << 20), !page.isEmpty
    {
      own += page
    }
    return FollowedJournal(
      own.map(\.bytes) + published, units: checkpoint.reached.end.units)
  }

  /// Has a task keep nothing of what is not to be sent.
  private func silence(_ task: StreamTask) {
    if let way = options.ways?[task.name] {
      TaskOutputs.silence(task.state, on: way)
      let counted = topology.outputTopics(of: task.subTopology)
      task.beforeCommit = {
        try TaskOutputs.pass(way, $0.state, at: $0.standing, counted: counted)
      }
    } else if options.dropsOutputs || options.outputs == OutputChoice.none {
      TaskOutputs.silence(task.state)
      if let owed = options.owed[task.name] { task.outbox.owed = owed }
    }
  }

  private func openState(
    _ path: String, _ identity: TaskIdentity, _ planned: Planned
  ) throws -> TaskState {
    do {
      return try TaskState.open(
        directory: path, identity: identity, options: options.storeOptions)
    } catch {
      if error.code == .foreign { try checkPartitionCount(path, planned) }
      throw error
    }
  }

  /// A topic that has more partitions now puts keys elsewhere: what to do is another thing than for a
  /// foreign state.
  private func checkPartitionCount(_ path: String, _ planned: Planned) throws {
    let stored = try StateReader.open(path).identity
    guard stored.topology == topology.name, stored.partitionCount != planned.partitionCount else {
      return
    }
    throw StoreError(
      .lineageChanged,
      "'\(planned.sub.name)' has \(planned.partitionCount) partitions, and the state is of a partition "
        + "count of \(stored.partitionCount): keys lie elsewhere now; rebuild with "
        + "`rewind --to earliest`", store: path)
  }

  /// Sets where an input begins and ends, and compares its position with the log.
  private func prepare(
    _ input: LogInput, of task: StreamTask, _ offsets: Range<Offset>, _ addsInputs: Bool
  ) throws {
    if input.last == nil, input.position == 0 {
      let isAdded = addsInputs && !input.isKnown
      input.begin(
        at: options.start[input.topicPartition]
          ?? (isAdded ? offsets.upperBound : offsets.lowerBound))
      if offsets.lowerBound > 0, !isAdded {
        report(
          "\(input.topicPartition) begins at offset \(offsets.lowerBound): what the log removed "
            + "before is not in the views")
      }
    }
    try ResumeCheck.check(
      offsets, for: input, isCompacted: topology.isCompacted(input.topicPartition.topic),
      allowTruncated: options.allowTruncated)
    let isBehindLog = offsets.lowerBound > input.position
    if let last = input.last, offsets.lowerBound > last.offset {
      // Only later records remain: nothing says that the log is another, nothing that it is not.
      task.counters[.unverified] += 1
      input.skip(to: offsets.lowerBound)
    } else if isBehindLog {
      input.skip(to: offsets.lowerBound)
    }
    if isBehindLog { task.abandonReplay() }
    if let limits = options.limitsByTask[task.name] {
      // Of a partition that is not named nothing was taken, so nothing is.
      input.limit = limits[input.topicPartition] ?? input.position
    } else {
      input.limit = options.limitsByPartition[input.topicPartition]
    }
  }
}
