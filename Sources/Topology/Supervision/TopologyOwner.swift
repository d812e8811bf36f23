import StateStore
package import StreamCore

/// Owns a topology on a state directory: runs its serving generation, carries out requests, and
/// rebuilds into a new generation while the old one serves.
package final class TopologyOwner {
  package let topology: Topology
  package let directory: StateDirectory
  private let site: RebuildSite
  private let lock: OwnerLock
  private let queue = CommandQueue()
  private let stopSignal = StopSignal()

  /// Takes the lock.
  ///
  /// - Throws: ``StateStore/StoreError`` with `.locked` where another process owns the topology, with
  ///   `.lineageChanged` where only another topology can finish the rebuild that is under way.
  package init(
    _ topology: Topology, stateRoot: String, log: any RecordLog, options: RunOptions,
    clock: any WallClock, report: @escaping @Sendable (String) -> Void
  ) throws {
    self.topology = topology
    directory = StateDirectory(root: stateRoot, topology: topology.name)
    lock = try OwnerLock(directory)
    try directory.checkCurrent()
    var options = options
    options.traps = try TrapLedger(directory, report: report)
    site = RebuildSite(
      topology: topology, directory: directory, log: log, options: options, clock: clock,
      report: report)
    try SnapshotStore(directory).removeLeftovers()
    try RebuildJob.checkLineage(directory, topology)
  }

  /// Runs until ``stop()``, or with `untilEnd` until the end offsets read at start are reached.
  ///
  /// - Parameter endsTime: whether time ends there: windows close, timers fire, and what comes later
  ///   is late.
  /// - Throws: what stopped a task, with the state of its last commit. Its threads have ended by then,
  ///   or keep nothing of what they still do.
  package func run(untilEnd: Bool, endsTime: Bool = false) throws {
    precondition(untilEnd || !endsTime, "time ends where the log does")
    try Supervisor(site, queue, StopSignal(below: stopSignal), endsTime: endsTime)
      .run(untilEnd: untilEnd)
  }

  /// Ends ``run(untilEnd:)`` after a commit, and ``rewind(_:)``; callable from any thread.
  package func stop() { stopper() }

  /// ``stop()`` for another thread, which may not hold the owner itself.
  package var stopper: @Sendable () -> Void {
    { [stopSignal, queue] in
      stopSignal.stop()
      queue.post(.stop)
    }
  }

  // MARK: Without a run

  /// Carries out a rewind without a running generation: the command line's way where nobody owns
  /// the topology, and the way from a state of another lineage to one of this topology.
  ///
  /// - Throws: what stopped the rebuild; the old generation still serves then, unless the new one was
  ///   recorded already: the next start finishes that.
  package func rewind(_ plan: RewindPlan) throws {
    try RebuildJob.resume(site)
    _ = try RebuildJob(site, plan, stop: stopSignal).run(workOff: nil)
  }

  /// As ``rewind(_:)``, by a plan that is made while the lock is held.
  package func rewind(to target: RewindTarget, _ options: RewindOptions) throws {
    try RebuildJob.resume(site)
    let plan = try RewindPlan.make(
      topology, to: target, options: options, log: site.log, directory: directory)
    _ = try RebuildJob(site, plan, stop: stopSignal).run(workOff: nil)
  }

  /// Carries out a request about kept records, on the tasks that have state here.
  ///
  /// - Throws: what stopped a task.
  package func carryOut(_ request: Request) throws -> Reply {
    if request.verb == Self.outboxSkip { return try skipOutboxEntries(request) }
    guard let verb = KeptVerb(named: request.verb) else {
      return Reply(.failed, "nobody carries out '\(request.verb)' without a process that runs")
    }
    let selection: KeptSelection
    do { selection = try KeptSelection(request, of: verb) } catch {
      return Reply(.failed, error.message)
    }
    let run = try openCurrent()
    defer { run.close() }
    // What it commits is of this start: without it the state would have gone its own way.
    try run.startOutputs()
    if let other = selection.foreign(to: run.tasks) {
      return Reply(.refused, "task \(other.task) has no state here; ask where its partition runs")
    }
    return try run.perform(verb, selection, request: request.id)
  }

  /// The verb of a request to leave entries out of the outbox.
  package static let outboxSkip = "outbox-skip"

  private func skipOutboxEntries(_ request: Request) throws -> Reply {
    guard let ids = OutboxEntryID.list(request) else { return OutboxEntryID.unreadable }
    let run = try openCurrent()
    defer { run.close() }
    // What it commits is of this start: without it the state would have gone its own way.
    try run.startOutputs()
    return OutboxEntryID.reply(
      skipped: try run.skipOutboxEntries(ids).count, of: ids.count)
  }

  /// The serving generation, opened and not running: the tasks that have state here, or all where
  /// there is none yet.
  package func openCurrent(partitions: [Int]? = nil) throws -> GenerationRun {
    try RebuildJob.resume(site)
    var options = site.options
    options.partitions = try options.partitions ?? partitions ?? directory.partitions()
    return try GenerationRun.serving(site, options, stopSignal)
  }
}

extension GenerationRun {
  /// Opens the generation that serves; the first one is made.
  ///
  /// - Throws: ``StateStore/StoreError``, ``StreamCore/LogError`` or ``TaskError``.
  static func serving(
    _ site: RebuildSite, _ options: RunOptions, _ stop: StopSignal
  ) throws -> GenerationRun {
    let directory = site.directory
    let current = try directory.current()
    if current == nil { try directory.checkFresh() }
    let generation = current ?? 1
    let run = GenerationRun(
      site.topology, generation: generation, log: site.log, directory: directory,
      options: options, clock: site.clock, stop: stop, report: site.report)
    try run.open {
      guard current == nil else { return }
      let path = directory.directory(of: generation)
      try DurableFile.makeDirectory(path)
      try GenerationMeta(
        phase: .serving, created: site.clock.now().description,
        lineage: site.topology.fingerprint
      ).write(to: path)
      try directory.setCurrent(generation)
    }
    return run
  }
}

extension StateDirectory {
  /// Refuses to begin anew beside state that `current` should name.
  func checkFresh() throws(StoreError) {
    for generation in try generations() where try !tasks(of: generation).isEmpty {
      throw StoreError(
        .corrupted,
        "\(path)/current is gone, and generation \(Self.name(generation)) has state; write the name "
          + "of the directory that should serve into it, as 000001, or remove them", store: path)
    }
  }
}
