import StateStore
package import StreamCore
import Synchronization

/// The tasks of one generation of a topology on a log, from their opening to their end.
///
/// One thread owns it, and hands its tasks to the threads of its loops for as long as they run.
package final class GenerationRun {
  /// The life of its tasks.
  enum State: Equatable {
    case assigned, opening, running, draining, closed, failed
  }

  /// What its threads did so far.
  private struct Progress {
    var loops = 0
    var atLimits = 0
    var ended = 0
    var failure: (any Error)?
  }

  package let topology: Topology
  package let generation: Int
  package private(set) var tasks: [StreamTask] = []
  private(set) var state = State.assigned
  let log: any RecordLog
  let directory: StateDirectory
  let options: RunOptions
  let clock: any WallClock
  let report: @Sendable (String) -> Void
  let stopSignal: StopSignal
  private let progress = Monitor(Progress())
  private var loops: [TaskLoop] = []
  private var threads: [EngineThread] = []
  let outputs: RunOutputs
  private var groups: GroupProgress?
  private var ends: EndsWatch?

  package convenience init(
    _ topology: Topology, generation: Int, log: any RecordLog, directory: StateDirectory,
    options: RunOptions, clock: any WallClock, report: @escaping @Sendable (String) -> Void
  ) {
    self.init(
      topology, generation: generation, log: log, directory: directory, options: options,
      clock: clock, stop: StopSignal(), report: report)
  }

  /// - Parameter stop: ends it as ``stop()`` does.
  init(
    _ topology: Topology, generation: Int, log: any RecordLog, directory: StateDirectory,
    options: RunOptions, clock: any WallClock, stop: StopSignal,
    report: @escaping @Sendable (String) -> Void
  ) {
    self.topology = topology
    self.generation = generation
    self.log = log
    self.directory = directory
    self.options = options
    self.clock = clock
    self.report = report
    stopSignal = StopSignal(below: stop)
    outputs = RunOutputs(
      topology, log: log, choice: options.outputs, bound: options.outbox, report: report)
  }

  // MARK: Opening

  /// Opens the tasks and compares their positions with the log, and their outputs with what was
  /// sent.
  ///
  /// - Parameter make: makes the generation where there is none yet, once nothing speaks against
  ///   tasks without state: a start that is refused leaves nothing behind.
  /// - Throws: ``StreamCore/LogError``, ``StateStore/StoreError`` or ``TaskError``; no record was
  ///   taken, and nothing sent.
  package func open(making make: () throws -> Void = {}) throws {
    state = .opening
    do {
      let opener = TaskOpener(
        topology: topology, generation: generation, log: log, directory: directory,
        options: options, clock: clock, stop: stopSignal, report: report)
      let planned = try TaskOpener.plan(topology, on: log, partitions: options.partitions)
        .filter { options.tasks?.contains($0.name) ?? true }
      tasks = try opener.open(try running(planned)) { fresh in
        if options.publishes { try outputs.checkFresh(fresh, stop: stopSignal) }
        try make()
      }
      if options.publishes { try outputs.open(tasks) }
      try nameTasks()
    } catch {
      state = .failed
      throw error
    }
  }

  /// Leaves out what a generation in service lacks: a sub-topology that was added is filled by a
  /// rebuild, never from the middle.
  private func running(_ planned: [TaskOpener.Planned]) throws -> [TaskOpener.Planned] {
    guard let meta = try GenerationMeta.read(directory.directory(of: generation)),
      meta.phase == .serving, !meta.tasks.isEmpty
    else { return planned }
    let known = Set(meta.tasks.map(\.subTopology))
    var reported: Set<String> = []
    return planned.filter { task in
      if known.contains(task.name.subTopology) || task.sub.stores.isEmpty { return true }
      if reported.insert(task.name.subTopology).inserted {
        let stores = task.sub.stores.joined(separator: ", ")
        report(
          "'\(task.name.subTopology)' was added and waits for a rebuild, with \(stores): "
            + "`rewind --to earliest` fills it")
      }
      return false
    }
  }

  /// The generation says which tasks it has before one of them takes a record, so that one that is
  /// lost is missed.
  private func nameTasks() throws {
    let path = directory.directory(of: generation)
    guard var meta = try GenerationMeta.read(path) else { return }
    let named = Set(meta.tasks)
    let new = tasks.map(\.name).filter { !named.contains($0) }
    guard !new.isEmpty else { return }
    try DurableFile.syncDirectory(of: path + "/meta.json")
    meta.tasks = (meta.tasks + new).sorted()
    try meta.write(to: path)
  }

  // MARK: Running

  /// Runs until ``stop()`` or until every task reached its limits; then everything is committed.
  ///
  /// - Throws: what stopped a task.
  package func run() throws {
    try start {}
    _ = progress.wait(atMost: nil) { progress in
      progress.ended == progress.loops || progress.atLimits == progress.loops ? true : nil
    }
    let isWhole = isAtLimits
    stop()
    try join()
    if isWhole { for task in tasks { try task.finishReplay() } }
  }

  /// Runs on threads of its own; ``stop()`` and ``join(atMost:)`` end it.
  ///
  /// - Parameter whenChanged: called by any of the threads when one of its loops has come to its
  ///   limits, failed or ended.
  /// - Throws: ``StreamCore/LogError`` or ``StateStore/StoreError`` where nothing was begun.
  func start(whenChanged: @escaping @Sendable () -> Void) throws {
    do {
      if options.publishes { try startOutputs() }
      try startThreads(whenChanged)
      state = .running
    } catch {
      state = .failed
      throw error
    }
  }

  private func startThreads(_ whenChanged: @escaping @Sendable () -> Void) throws {
    ProcessMemory.keepFreed()
    // What opening many tasks took besides.
    if ProcessMemory.anonymousBytes > options.budget.memory / 2 { ProcessMemory.trim() }
    let inputs = tasks.reduce(0) { $0 + $1.inputs.count }
    let buffers = FetchBuffers(bytesMax: options.bufferBytes(inputs: inputs))
    let ends = topology.idleAdvance.map { _ in EndsWatch(log, clock: clock) }
    self.ends = ends
    let fetch = FetchLoop(
      reader: try log.makeReader(options.reader(inputs: inputs)), buffers: buffers, report: report,
      whenTroubled: { ends?.noteTrouble() })
    let count = max(1, min(options.threads, tasks.count))
    let budget = options.budget
    let memory = IntervalMemory(budget, loops: count)
    let (progress, stop) = (progress, stopSignal)
    progress.withLock { $0.loops = count }
    let positions = tasks.flatMap(\.inputs).map { ($0.topicPartition, $0.fetchPosition) }
    let start = Dictionary(positions, uniquingKeysWith: min)
    let groups =
      options.publishes && options.outputs != OutputChoice.none
      ? log.groupOffsets.map { GroupProgress(topology.group, log: $0, report: report) } : nil
    self.groups = groups
    let parts = (0..<count).map { number in
      tasks.indices.filter { $0 % count == number }.map { tasks[$0] }
    }
    loops = parts.enumerated().map { number, mine in
      let loop = TaskLoop(
        mine.map { ($0, outputs[$0.name]) }, buffers: buffers, fetch: fetch, budget: budget,
        share: IntervalShare(memory, loop: number), clock: clock, ends: ends,
        onCommit: { task in
          try groups?.check()
          groups?.note(task.positions, of: task.state)
        })
      loop.stop = stop
      return loop
    }
    let looks = loops.map(\.lookAtOutputs)
    let wakes = loops.map(\.wake)
    outputs.publish(
      parts.map { $0.map(\.name) }, onServed: { wakes[$0].signal() }, onFailure: { looks[$0]() })
    stop.onStop(outputs.stopper)
    groups?.start()
    ends?.start()
    for loop in loops {
      let wake = loop.wake
      stop.onStop { wake.signal() }
      let driven = ThreadBound(loop)
      threads.append(
        EngineThread {
          let loop = driven.value
          Self.drive(
            loop, stop,
            whenAtLimits: {
              progress.change { $0.atLimits += 1 }
              whenChanged()
            },
            whenFailed: { error in
              progress.change { if $0.failure == nil { $0.failure = error } }
              stop.stop()
              whenChanged()
            })
          let failure = progress.withLock { $0.failure }
          loop.endWork(
            failure ?? TaskError(.stopped, nil, nil, "the process was stopped; ask again"))
          progress.change { $0.ended += 1 }
          whenChanged()
        })
    }
    stop.onStop { fetch.stop() }
    threads.append(
      EngineThread {
        do { try fetch.run(start) } catch {
          progress.change { if $0.failure == nil { $0.failure = error } }
          stop.stop()
          whenChanged()
        }
      })
  }

  private static func drive(
    _ loop: TaskLoop, _ stop: StopSignal, whenAtLimits: () -> Void, whenFailed: (any Error) -> Void
  ) {
    var saidSo = false
    do {
      while !stop.isStopped {
        if try loop.turn() { continue }
        // It goes on taking work until it is told to end.
        if loop.isAtLimits, !saidSo {
          try loop.commitAll()
          if try loop.hasSentAll() {
            saidSo = true
            whenAtLimits()
            continue
          }
        }
        loop.wake.sleep(atMost: loop.pause)
      }
    } catch {
      // A stop that cut a wait short is no failure.
      if !stop.isStopped || (error as? TaskError)?.code != .stopped { whenFailed(error) }
    }
    do { try loop.finish() } catch { whenFailed(error) }
  }

  /// Whether each task stands at the positions it was to reach, committed.
  var isAtLimits: Bool { progress.withLock { $0.atLimits == $0.loops } }
  /// Whether all loops have ended: by ``stop()``, or by what one of them failed by.
  var hasEnded: Bool { progress.withLock { $0.ended == $0.loops } }
  /// What stopped the first of its tasks that stopped by itself.
  var failure: (any Error)? { progress.withLock { $0.failure } }

  /// Ends it after a commit.
  package func stop() {
    if state == .running { state = .draining }
    stopSignal.stop()
  }

  /// Waits for the end of its threads.
  ///
  /// - Parameter limit: how long at most; `nil` for ever.
  /// - Throws: what stopped a task; ``TaskError`` with `.stopped` where time ran out: the threads
  ///   are left, and keep nothing of what they still do.
  package func join(atMost limit: Duration? = nil) throws {
    let end = limit.map { clockNow + $0 }
    for thread in threads {
      guard thread.join(atMost: end.map { max(.zero, $0 - clockNow) }) else {
        stopSignal.abandon()
        state = .failed
        throw TaskError(
          .stopped, nil, nil,
          "topology '\(topology.name)' did not end within \(options.stopTimeout.text) of its stop: "
            + "what it was at is dropped, and taken again at the next start; a longer "
            + "--stop-timeout waits for it")
      }
    }
    threads = []
    loops = []
    let left = end.map { max(.zero, $0 - clockNow) } ?? options.stopTimeout
    do { try endOutputs(atMost: left) } catch {
      progress.withLock { if $0.failure == nil { $0.failure = error } }
    }
    groups?.end(atMost: failure == nil ? left : .zero)
    groups = nil
    ends?.end(atMost: left)
    ends = nil
    state = failure == nil ? .closed : .failed
    if let failure { throw failure }
  }

  private var clockNow: MonotonicTime { SystemWallClock().monotonicNow() }

  /// Whether its threads are gone, and its tasks the owner's again.
  var isJoined: Bool { threads.isEmpty }

  /// Lets go of the tasks; with the last reference to one its state is closed.
  package func close() {
    loops = []
    outputs.close()
    tasks = []
  }

  // MARK: Work

  /// Has the thread of each task carry out what `work` makes for it, between two of its slices.
  ///
  /// - Returns: to how many tasks it gave work; each ends with ``TaskWork/end(_:)``.
  func post(_ work: (StreamTask) -> (any TaskWork)?) -> Int {
    var count = 0
    for (index, task) in tasks.enumerated() {
      guard let work = work(task) else { continue }
      loops[index % loops.count].post(work, to: index / loops.count)
      count += 1
    }
    return count
  }

  /// Carries out a decision about kept records in the calling thread: the tasks run on no other.
  ///
  /// - Parameter request: the id of the request that asks for it: each task commits it with the
  ///   effect, so that after a crash before the answer it is not carried out twice.
  /// - Throws: what stopped a task.
  func perform(_ verb: KeptVerb, _ selection: KeptSelection, request: String? = nil) throws -> Reply
  {
    var tallies: [KeptWork.Tally] = []
    for task in tasks {
      let work = KeptWork(verb, selection, of: task.name, request: request, stop: stopSignal)
      var (records, hasMore) = (0, true)
      while hasMore {
        try task.openInterval()
        let step = try work.step(task)
        hasMore = step.hasMore
        records += step.records
        let isFull =
          records >= options.budget.records || task.intervalBytes.total > options.budget.dirtyBytes
        guard isFull || !hasMore else { continue }
        try task.commit()
        records = 0
      }
      tallies.append(work.progress.value)
    }
    try stopSignal.check("the \(verb.name); what was done is committed")
    return verb.reply(tallies)
  }

  /// Processes dead letters again, in the calling thread.
  ///
  /// - Parameter ids: of any tasks; `nil` for all but conflicts.
  /// - Throws: what stopped a task.
  package func retryDeadLetters(_ ids: [DeadLetterID]?, request: String? = nil) throws -> Reply {
    try perform(.retry, KeptSelection(ids: ids), request: request)
  }
}
