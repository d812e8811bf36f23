import StateStore
import StreamCore
import Synchronization

extension TopologyOwner {
  /// Carries out a rewind without a running generation: the command line's way where nobody owns
  /// the topology, and the way from a state of another lineage to one of this topology.
  ///
  /// - Throws: what stopped the rebuild; the old generation still serves then.
  package func rewind(_ plan: RewindPlan) throws {
    let serving: GenerationRun?
    do {
      // A state whose next records are gone opens for a rewind that goes on without them.
      serving = try openCurrent(
        allowTruncated: plan.options.allowTruncated, partitions: try directory.partitions())
    } catch let error as StoreError where error.code == .lineageChanged {
      serving = nil
    }
    defer { serving?.close() }
    try rewind(plan, serving: serving)
  }

  /// Fills a new generation while the old one serves, then swaps them at a cut.
  ///
  /// - Parameters:
  ///   - serving: the generation that serves; `nil` where it is of another lineage, so that nothing
  ///     runs and its journal is of other operators' decisions.
  ///   - request: who asked for it, recorded with the generation.
  func rewind(_ plan: RewindPlan, serving: GenerationRun?, request: String? = nil) throws {
    guard let old = try directory.current() else {
      preconditionFailure("a plan is made for a state that serves")
    }
    try removeUnfinished()
    let number = (try directory.generations().max() ?? 0) + 1
    try create(number, .unfinished, request: request)
    try restore(plan.bases.values, into: number)
    // Most of the way while the old one still serves.
    let followsJournal = serving != nil && !plan.options.fromEmpty
    try fill(number, plan, to: try GenerationCut(of: old, in: directory), followsJournal)
    if let serving {
      serving.stop()
      try serving.join()
      try fill(number, plan, to: try GenerationCut(of: old, in: directory), followsJournal)
      try serving.publishToEnd()
    } else {
      try GenerationOutboxes(old, in: directory, topology: topology.name).publishToEnd(on: log)
    }
    try GenerationSwap(topology, directory, log).perform(
      to: number, options: try rebuildOptions())
    if plan.options.dropPrevious {
      serving?.close()
      try directory.remove(old)
    }
    report("generation \(StateDirectory.name(number)) serves")
  }

  private func restore(_ bases: some Sequence<SnapshotBase>, into number: Int) throws {
    let cancellation = CopyCancellation()
    stopRebuild.withLock { $0 = { cancellation.cancel() } }
    defer { stopRebuild.withLock { $0 = nil } }
    try checkStopped()
    for base in bases {
      do {
        try TaskState.restore(
          snapshot: base.directory,
          to: directory.task(number, base.task), generation: number, cancellation: cancellation)
      } catch {
        if error.code == .cancelled { try checkStopped() }
        throw error
      }
    }
  }

  /// The generation that a request made before its answer was lost; what it was to remove is removed.
  func generation(made request: Request) throws -> Int? {
    guard
      let generation = try directory.generations().first(where: {
        let meta = try GenerationMeta.read(directory.directory(of: $0))
        return meta?.request == request.id && meta?.status != .unfinished
      })
    else { return nil }
    let previous = try directory.generations().last { $0 < generation }
    if let previous, RewindOptions(request.arguments).dropPrevious,
      try previous != directory.current()
    {
      try directory.remove(previous)
    }
    return generation
  }

  /// Rebuilds that a crash interrupted start again from nothing.
  private func removeUnfinished() throws {
    for generation in try directory.generations() where try generation != directory.current() {
      let meta = try GenerationMeta.read(directory.directory(of: generation))
      if meta?.status != .retired { try directory.remove(generation) }
    }
  }

  /// Rebuilds what is here, not the partitions that other state directories have.
  private func rebuildOptions() throws -> RunOptions {
    var options = options
    options.partitions = try options.partitions ?? directory.partitions()
    return options
  }

  private func fill(
    _ number: Int, _ plan: RewindPlan, to cut: GenerationCut, _ followsJournal: Bool
  ) throws {
    var options = try rebuildOptions()
    options.publishes = false
    // A task that has committed nothing yet stands where it will begin.
    options.limitsByPartition = plan.start.merging(cut.positions) { $1 }
    options.start = plan.start
    options.allowTruncated = plan.options.allowTruncated
    if followsJournal { options.replay = try cut.replay(into: number, from: plan.start) }
    let run = try open(number, options)
    stopRebuild.withLock { $0 = run.stopper }
    defer {
      stopRebuild.withLock { $0 = nil }
      run.close()
    }
    if !stopped.withLock({ $0 }) { try run.run() }
    try checkStopped()
    for input in run.tasks.flatMap(\.inputs) where !input.hasReachedLimit {
      throw TaskError(
        .diverged, input.topicPartition, input.position,
        "the log ends before the position of the state that serves: the rebuild lacks records and "
          + "is not taken")
    }
  }

  /// A rebuild that was stopped stands short of the cut: it must not serve.
  private func checkStopped() throws {
    guard stopped.withLock({ $0 }) else { return }
    throw TaskError(
      .stopped, nil, nil, "the process was stopped during the rebuild; ask for it again")
  }
}
