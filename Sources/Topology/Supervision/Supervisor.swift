import StateStore
import StreamCore

/// Owns the life of a topology's tasks, on one thread: opens them, carries out requests on them, lets
/// another generation take their place, and ends them.
///
/// Whatever concerns it comes through one queue, so that a stop is heard whatever is under way: what
/// takes long (opening, a rebuild, a snapshot) is done by threads of its own, which end by a signal,
/// or by the loops in steps. When it ends, so have they, or nothing is kept of what they still do.
final class Supervisor {
  private let site: RebuildSite
  private let queue: CommandQueue
  private let stop: StopSignal
  /// Whether time ends with the run.
  private let endsTime: Bool
  private let requests: RequestQueue
  private let watch: DirectoryWatch
  private let keeper: SnapshotKeeper?
  private var run: GenerationRun?
  private var rebuild: RunningRebuild?
  private var works: [String: RunningWork] = [:]
  /// Requests that cannot be read and were reported.
  private var passedOver: Set<String> = []
  /// Something in the directory of requests was not looked at yet.
  private var hasRequests = true
  /// When it was told to stop, by the monotonic clock.
  private var stoppedAt: MonotonicTime?

  /// - Parameters:
  ///   - stop: told before ``SupervisorCommand/stop`` is posted.
  ///   - endsTime: whether time ends in each task that has come to the log's end.
  /// - Throws: ``StateStore/StoreError``.
  init(
    _ site: RebuildSite, _ queue: CommandQueue, _ stop: StopSignal, endsTime: Bool = false
  ) throws {
    self.site = site
    self.endsTime = endsTime
    self.queue = queue
    self.stop = stop
    requests = RequestQueue(site.directory)
    try DurableFile.makeDirectory(site.directory.requests)
    watch = DirectoryWatch(site.directory.requests)
    keeper = site.options.snapshots.map {
      SnapshotKeeper(
        site.topology, site.directory, $0, clock: site.clock, report: site.report,
        whenEnded: { queue.post(.snapshotEnded) })
    }
  }

  /// Runs until the stop, or with `untilEnd` until the log's ends as of the start are reached.
  ///
  /// - Throws: what stopped a task, with the state of its last commit.
  func run(untilEnd: Bool) throws {
    do {
      guard let ends = try prepare(untilEnd) else { return }
      while let run = try open(ends) {
        self.run = run
        guard try serve(run, untilEnd) else { break }
        run.close()
        self.run = nil
      }
    } catch {
      // Its threads end before it says so; what they end by is not what it failed by.
      do { try end() } catch { site.report("\(error)") }
      throw error
    }
    try end()
  }

  // MARK: Opening

  /// Finishes what a process before began, rebuilds a changed topology where that is wanted.
  ///
  /// - Returns: where to end; `nil` where it was stopped meanwhile.
  private func prepare(_ untilEnd: Bool) throws -> [TopicPartition: Offset]? {
    let (site, stop) = (site, stop)
    return try helping("its start") {
      try RebuildJob.resume(site)
      try ScratchDirectory.removeLeftovers(site.directory)
      let limits = try untilEnd ? Self.ends(site, stop) : [:]
      if site.options.rebuildsIfChanged { try Self.rebuildIfChanged(site, stop) }
      return limits
    }
  }

  private static func ends(_ site: RebuildSite, _ stop: StopSignal) throws
    -> [TopicPartition: Offset]
  {
    let planned = try TaskOpener.plan(
      site.topology, on: site.log, partitions: site.options.partitions)
    try stop.check("its start")
    return try site.log.offsets(of: planned.flatMap(\.inputs).uniqued()).mapValues(\.upperBound)
  }

  private static func rebuildIfChanged(_ site: RebuildSite, _ stop: StopSignal) throws {
    guard try site.directory.current() != nil,
      try RebuildJob.change(site.topology, on: site.log, in: site.directory) != nil
    else { return }
    site.report("the topology has changed: its state is rebuilt before it serves")
    let plan = try RewindPlan.make(
      site.topology, to: .earliest, options: RewindOptions(), log: site.log,
      directory: site.directory)
    _ = try RebuildJob(site, plan, stop: stop).run(workOff: nil)
  }

  /// Opens and starts the generation that serves.
  ///
  /// - Returns: `nil` where it was stopped meanwhile.
  private func open(_ limits: [TopicPartition: Offset]) throws -> GenerationRun? {
    let (site, stop, queue, endsTime) = (site, stop, queue, endsTime)
    let opened = try helping("its start") {
      var options = site.options
      options.limitsByPartition = limits
      options.endsTime = endsTime
      let run = try GenerationRun.serving(site, options, stop)
      try run.start { queue.post(.runChanged) }
      return run
    }
    return opened
  }

  /// Has `body` done on a thread of its own, and listens meanwhile.
  ///
  /// - Returns: `nil` where it was stopped meanwhile and ended by that.
  private func helping<Result>(
    _ what: String, _ body: @escaping @Sendable () throws -> Result
  ) throws -> Result? {
    let outcome = Monitor<Swift.Result<ThreadBound<Result>, any Error>?>(nil)
    let thread = EngineThread { [queue] in
      let result = Swift.Result { ThreadBound(try body()) }
      outcome.change { $0 = result }
      queue.post(.helperEnded)
    }
    while true {
      if let result = outcome.withLock({ $0 }) {
        thread.join()
        do { return try result.get().value } catch {
          if (error as? TaskError)?.code == .stopped, stop.isStopped { return nil }
          throw error
        }
      }
      try checkPatience(what)
      listen(atMost: nil)
    }
  }

  // MARK: Listening

  /// Takes the next command, if there is one in time.
  private func listen(atMost limit: Duration?) {
    let limits = [limit, stoppedAt.map { $0 + site.options.stopTimeout - now }]
    switch queue.next(atMost: limits.compactMap(\.self).min(), watching: watch) {
    case .stop: stoppedAt = stoppedAt ?? now
    case .requestsChanged: hasRequests = true
    case .workEnded(let request, let failure): works[request]?.workEnded(failure)
    case .snapshotEnded: hasRequests = true
    case .runChanged, .rebuildChanged, .helperEnded, nil: break
    }
  }

  private var now: MonotonicTime { SystemWallClock().monotonicNow() }

  /// How long what is to end may still take; `nil` before the stop.
  private var patience: Duration? {
    stoppedAt.map { max(.zero, $0 + site.options.stopTimeout - now) }
  }

  /// - Throws: ``TaskError`` with `.stopped` where what is to end has not ended in time.
  private func checkPatience(_ what: String) throws {
    guard let patience, patience == .zero else { return }
    stop.abandon()
    throw TaskError(
      .stopped, nil, nil,
      "\(what) did not end within \(site.options.stopTimeout.text) of the stop: nothing is kept of "
        + "it; a longer --stop-timeout waits for it")
  }

  // MARK: Serving

  /// Looks after a generation that runs.
  ///
  /// - Returns: whether to open the one that serves then; else it came to its end.
  /// - Throws: what stopped a task.
  private func serve(_ run: GenerationRun, _ untilEnd: Bool) throws -> Bool {
    while true {
      if stop.isStopped {
        stoppedAt = stoppedAt ?? now
        keeper?.cancel()
        rebuild?.stop()
        run.stop()
      }
      if run.hasEnded {
        try run.join(atMost: patience)
        guard let rebuild, rebuild.isWaiting, !stop.isStopped else { return false }
        return try takeOver(from: run, by: rebuild)
      }
      if let rebuild, rebuild.isWaiting { run.stop() }
      if !stop.isStopped, run.failure == nil { try tend(run, untilEnd) }
      try checkPatience("topology '\(site.topology.name)'")
      listen(atMost: pause)
    }
  }

  /// Requests, snapshots and the end.
  private func tend(_ run: GenerationRun, _ untilEnd: Bool) throws {
    concludeRebuild()
    concludeWorks()
    if hasRequests {
      hasRequests = false
      try lookAtRequests(run)
    }
    if rebuild == nil { keeper?.tick(run) }
    let isBusy = rebuild != nil || !works.isEmpty || keeper?.isCopying == true
    if untilEnd, run.isAtLimits, !isBusy, !hasRequests { run.stop() }
  }

  /// How long to sleep at most while nothing comes.
  private var pause: Duration? {
    var pauses: [Duration] = []
    // Whether anything was committed since is looked at, not told.
    if keeper != nil, rebuild == nil { pauses.append(.milliseconds(500)) }
    if !works.isEmpty { pauses.append(.seconds(1)) }
    return pauses.min()
  }

  // MARK: Requests

  private func lookAtRequests(_ run: GenerationRun) throws {
    let entries: [RequestQueue.Entry]
    do {
      try DurableFile.makeDirectory(site.directory.requests)
      watch.renew()
      entries = try requests.entries()
    } catch {
      site.report("requests cannot be looked at: \(error)")
      return
    }
    for entry in entries {
      switch entry {
      case .unreadable(let name, let why):
        guard passedOver.insert(name).inserted else { continue }
        site.report("the request '\(name)' is passed over: \(why)")
      case .waiting(let request)
      where works[request.id] == nil && rebuild?.request != request.id:
        begin(request, run)
      default: continue
      }
    }
    // What nobody waits for any longer ends between two steps.
    for (id, work) in works where !requests.isHeld(id) { work.stop.stop() }
    if let rebuild, !requests.isHeld(rebuild.request) { rebuild.stop() }
  }

  private func begin(_ request: Request, _ run: GenerationRun) {
    if request.verb == "rewind" {
      beginRewind(request, run)
    } else if let verb = KeptVerb(named: request.verb) {
      begin(verb, request, run)
    } else if request.verb == TopologyOwner.outboxSkip {
      beginOutboxSkip(request, run)
    } else {
      answer(
        request.id,
        Reply(
          .failed,
          "the running process does not know the request '\(request.verb)'; it may be older"))
    }
  }

  private func answer(_ id: String, _ reply: Reply) {
    // Who asked learns it from the owner's end, or asks again: it is no reason to end for.
    do { try requests.answer(id, reply) } catch {
      site.report("the request '\(id)' was carried out and not answered: \(error)")
    }
  }

  private func begin(_ verb: KeptVerb, _ request: Request, _ run: GenerationRun) {
    let selection: KeptSelection
    do { selection = try KeptSelection(request, of: verb) } catch {
      return answer(request.id, Reply(.failed, error.message))
    }
    if let other = selection.foreign(to: run.tasks) {
      let what = "task \(other.task) does not run here; ask the process that runs its partition"
      return answer(request.id, Reply(.refused, what))
    }
    let work = RunningWork(request.id, below: run.stopSignal)
    work.begin(verb, selection, on: run, queue)
    works[request.id] = work
  }

  private func beginOutboxSkip(_ request: Request, _ run: GenerationRun) {
    guard let ids = OutboxEntryID.list(request) else {
      return answer(request.id, OutboxEntryID.unreadable)
    }
    let here = Set(run.tasks.map(\.name))
    if let other = ids.first(where: { !here.contains($0.task) }) {
      let what = "task \(other.task) does not run here; ask the process that runs its partition"
      return answer(request.id, Reply(.refused, what))
    }
    let work = RunningWork(request.id, below: run.stopSignal)
    work.beginSkipping(ids, on: run, queue)
    works[request.id] = work
  }

  private func concludeWorks() {
    for (id, work) in works {
      if let reply = work.reply {
        answer(id, reply)
        works[id] = nil
      } else if let progress = work.progress(at: now) {
        answer(id, progress)
      }
    }
  }

  // MARK: Rebuilds

  private func beginRewind(_ request: Request, _ run: GenerationRun) {
    // One at a time; the next one is begun when this one is over.
    guard rebuild == nil else { return }
    // A rebuild may begin from a snapshot: none comes or goes meanwhile.
    if let keeper, keeper.isCopying { return keeper.cancel() }
    guard request.arguments["lineage"] == site.topology.fingerprint else {
      let what =
        "the running process has another topology than the one that was asked with; stop it, and "
        + "start the new program with --rebuild-if-changed"
      return answer(request.id, Reply(.refused, what))
    }
    do {
      if let generation = try RebuildJob.generation(made: request.id, in: site.directory) {
        return answer(request.id, Self.reply(serving: generation))
      }
    } catch {
      return answer(request.id, Reply(.failed, "\(error)"))
    }
    rebuild = RunningRebuild(request, site, below: stop, queue)
  }

  private static func reply(serving generation: Int) -> Reply {
    Reply(.done, "generation \(StateDirectory.name(generation)) serves")
  }

  /// Answers a rebuild that failed before it wanted the serving generation worked off.
  private func concludeRebuild() {
    guard let rebuild, case .failure(let error) = rebuild.outcome else { return }
    rebuild.join()
    answer(rebuild.request, Reply(.failed, "\(error)"))
    site.report("the rebuild failed, the generation before it goes on: \(error)")
    self.rebuild = nil
    hasRequests = true
  }

  /// Lets a rebuild take what it lacks from the generation that was worked off.
  ///
  /// - Returns: whether to open the generation that serves then: the new one, or the old one again.
  private func takeOver(from run: GenerationRun, by rebuild: RunningRebuild) throws -> Bool {
    rebuild.give(run)
    while rebuild.outcome == nil {
      if stop.isStopped {
        stoppedAt = stoppedAt ?? now
        rebuild.stop()
      }
      try checkPatience("the rebuild")
      listen(atMost: nil)
    }
    rebuild.join()
    defer { hasRequests = true }
    self.rebuild = nil
    switch rebuild.outcome {
    case .success(let generation):
      answer(rebuild.request, Self.reply(serving: generation))
      return !stop.isStopped
    case .failure(let error):
      answer(rebuild.request, Reply(.failed, "\(error)"))
      if stop.isStopped { return false }
      // What is recorded can only be finished.
      if try RebuildJob.isRecorded(site.directory) { throw error }
      site.report("the rebuild failed, the generation before it goes on: \(error)")
      return true
    case nil: preconditionFailure("it has an outcome")
    }
  }

  // MARK: The end

  /// Ends all that is still under way, and says so to those who wait for it.
  ///
  /// - Throws: ``TaskError`` with `.stopped` where something does not end in time.
  private func end() throws {
    stop.stop()
    stoppedAt = stoppedAt ?? now
    keeper?.cancel()
    rebuild?.stop()
    run?.stop()
    defer { run?.close() }
    if let run, !run.isJoined { try run.join(atMost: patience) }
    while rebuild.map({ $0.outcome == nil }) == true || keeper?.isCopying == true {
      try checkPatience("what was asked for")
      listen(atMost: nil)
    }
    concludeWorks()
    if let rebuild, case .failure(let error)? = rebuild.outcome {
      answer(rebuild.request, Reply(.failed, "\(error)"))
    }
    for (id, _) in works {
      answer(id, Reply(.failed, "the process was stopped; ask again"))
    }
  }
}
