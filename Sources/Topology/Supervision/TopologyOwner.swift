import StateStore
package import StreamCore
import Synchronization

/// Owns a topology on a state directory: runs its serving generation, carries out requests, and
/// rebuilds into a new generation while the old one serves.
package final class TopologyOwner {
  package let topology: Topology
  package let directory: StateDirectory
  let log: any RecordLog
  let options: RunOptions
  private let clock: any WallClock
  let report: @Sendable (String) -> Void
  private let lock: OwnerLock
  let stopped = Mutex(false)
  private let wake = WakeUp()
  /// Ends what a rebuild is at: a copy of a snapshot, or the filling of a generation.
  let stopRebuild = Mutex<(@Sendable () -> Void)?>(nil)

  /// Takes the lock and finishes a swap that a crash left half-done.
  ///
  /// - Throws: ``StateStore/StoreError`` with `.locked` where another process owns the topology.
  package init(
    _ topology: Topology, stateRoot: String, log: any RecordLog, options: RunOptions,
    clock: any WallClock, report: @escaping @Sendable (String) -> Void
  ) throws {
    self.topology = topology
    directory = StateDirectory(root: stateRoot, topology: topology.name)
    self.log = log
    self.options = options
    self.clock = clock
    self.report = report
    lock = try OwnerLock(directory)
    try SnapshotStore(directory).removeLeftovers()
    try GenerationSwap(topology, directory, log).finishHalfDone()
  }

  /// Runs until ``stop()``, or with `untilEnd` until the end offsets read at start are reached.
  ///
  /// - Throws: what stopped a task, with the state of its last commit.
  package func run(untilEnd: Bool) throws {
    var limits: [TopicPartition: Offset] = [:]
    if untilEnd { limits = try endOffsets() }
    let keeper = options.snapshots.map {
      SnapshotKeeper(topology, directory, $0, clock: clock, wake: wake, report: report)
    }
    defer { keeper?.cancel() }
    while true {
      let run = try openCurrent(limits: limits)
      defer { run.close() }
      run.start { [wake] in wake.signal() }
      var hasSwapped = false
      while !hasSwapped {
        guard let rewind = try drive(run, keeper) else {
          if untilEnd { keeper?.finish(run) { stopped.withLock { $0 } } }
          return
        }
        // A rebuild may begin from a snapshot: none comes or goes meanwhile.
        keeper?.cancel()
        hasSwapped = try swap(rewind.plan, serving: run, answering: rewind.request)
      }
    }
  }

  /// Carries out a rewind that was asked for. One that fails before the swap leaves the serving
  /// generation running.
  ///
  /// - Returns: whether another generation serves now.
  private func swap(_ plan: RewindPlan, serving: GenerationRun, answering request: String) throws
    -> Bool
  {
    let queue = RequestQueue(directory)
    do {
      try rewind(plan, serving: serving, request: request)
      try queue.answer(request, Self.reply(serving: try directory.current() ?? 0))
      return true
    } catch {
      try queue.answer(request, Reply(succeeded: false, message: "\(error)"))
      // Stopped in the middle: the old generation serves at the next start.
      if stopped.withLock({ $0 }) { return false }
      if serving.isStopping { throw error }
      report("the rebuild failed, the generation before it goes on: \(error)")
      return false
    }
  }

  private static func reply(serving generation: Int) -> Reply {
    Reply(succeeded: true, message: "generation \(StateDirectory.name(generation)) serves")
  }

  /// Ends ``run(untilEnd:)`` after a commit; callable from any thread.
  package func stop() {
    stopped.withLock { $0 = true }
    stopRebuild.withLock { $0 }?()
    wake.signal()
  }

  private func endOffsets() throws -> [TopicPartition: Offset] {
    var ends: [TopicPartition: Offset] = [:]
    for topic in topology.sources.map(\.topic) {
      for partition in 0..<(try log.topic(topic)?.partitions ?? 0) {
        let topicPartition = TopicPartition(topic, partition)
        ends[topicPartition] = try log.offsets(of: topicPartition).upperBound
      }
    }
    return ends
  }

  /// The serving generation, opened; the first one is created.
  package func openCurrent(
    limits: [TopicPartition: Offset] = [:], allowTruncated: Bool = false,
    partitions: [Int]? = nil
  ) throws -> GenerationRun {
    let generation: Int
    if let current = try directory.current() {
      generation = current
    } else {
      generation = 1
      try create(generation, .serving)
      try directory.setCurrent(generation)
    }
    var options = options
    options.limitsByPartition = limits
    options.allowTruncated = allowTruncated
    options.partitions = options.partitions ?? partitions
    return try open(generation, options)
  }

  func open(_ generation: Int, _ options: RunOptions) throws -> GenerationRun {
    let run = GenerationRun(
      topology, generation: generation, log: log, directory: directory, options: options,
      clock: clock, report: report)
    try run.open()
    return run
  }

  func create(
    _ generation: Int, _ status: GenerationMeta.Status, request: String? = nil
  ) throws {
    let path = directory.directory(of: generation)
    try DurableFile.makeDirectory(path)
    try GenerationMeta(status: status, created: clock.now().description, request: request)
      .write(to: path)
  }

  // MARK: Requests

  /// Drives a run on threads of its own and answers requests meanwhile.
  ///
  /// - Returns: a rewind that was asked for; the run then goes on, and it is the caller's to stop.
  private func drive(
    _ run: GenerationRun, _ keeper: SnapshotKeeper?
  ) throws -> (plan: RewindPlan, request: String)? {
    let queue = RequestQueue(directory)
    var rewind: (RewindPlan, String)?
    while !run.hasEnded, rewind == nil {
      if stopped.withLock({ $0 }) {
        run.stop()
        keeper?.cancel()
      }
      for request in try queue.pending() where rewind == nil {
        if request.verb == "rewind", let generation = try generation(made: request) {
          try queue.answer(request.id, Self.reply(serving: generation))
        } else if request.deadline < clock.now() {
          try queue.answer(
            request.id, Reply(succeeded: false, message: "expired before it was carried out"))
        } else if request.verb == "rewind" {
          rewind = try plan(request, queue).map { ($0, request.id) }
        } else {
          try queue.answer(request.id, try carryOut(request, on: run))
        }
      }
      if rewind == nil, !run.hasEnded {
        if !run.isStopping { keeper?.tick(run) }
        wake.sleep(atMost: .milliseconds(200))
      }
    }
    if rewind == nil { try run.join() }
    return rewind
  }

  private func carryOut(_ request: Request, on run: GenerationRun) throws -> Reply {
    switch request.verb {
    case "retry":
      return try run.retry(request)
    default:
      return Reply(
        succeeded: false,
        message: "the running process does not know the request '\(request.verb)'; it may be older")
    }
  }

  private func plan(_ request: Request, _ queue: RequestQueue) throws -> RewindPlan? {
    do {
      return try RewindPlan.make(
        topology, to: try RewindTarget(parsing: request.arguments["to"] ?? "earliest"),
        options: RewindOptions(request.arguments), log: log, directory: directory)
    } catch {
      try queue.answer(request.id, Reply(succeeded: false, message: "\(error)"))
      return nil
    }
  }
}
