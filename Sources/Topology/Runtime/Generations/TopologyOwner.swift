import StateStore
package import StreamCore
import Synchronization

/// Owns a topology on a state directory: runs its serving generation, carries out requests, and
/// rebuilds into a new generation while the old one serves.
package final class TopologyOwner {
  package let topology: Topology
  package let directory: StateDirectory
  private let log: any RecordLog
  private let options: RunOptions
  private let clock: any WallClock
  private let report: @Sendable (String) -> Void
  private let lock: OwnerLock
  private let stopped = Mutex(false)
  private let wake = WakeUp()
  /// Ends a rebuild that is filling a generation.
  private let stopFill = Mutex<(@Sendable () -> Void)?>(nil)

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
    try GenerationSwap(topology, directory, log).finishHalfDone()
  }

  /// Runs until ``stop()``, or with `untilEnd` until the end offsets read at start are reached.
  ///
  /// - Throws: what stopped a task, with the state of its last commit.
  package func run(untilEnd: Bool) throws {
    var limits: [TopicPartition: Offset] = [:]
    if untilEnd { limits = try endOffsets() }
    while true {
      let run = try openCurrent(limits: limits)
      defer { run.close() }
      run.start { [wake] in wake.signal() }
      var hasSwapped = false
      while !hasSwapped {
        guard let rewind = try drive(run) else { return }
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
      try rewind(plan, serving: serving)
      try queue.answer(
        request,
        Reply(
          succeeded: true,
          message: "generation \(StateDirectory.name(try directory.current() ?? 0)) serves"))
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

  /// Ends ``run(untilEnd:)`` after a commit; callable from any thread.
  package func stop() {
    stopped.withLock { $0 = true }
    stopFill.withLock { $0 }?()
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
  package func openCurrent(limits: [TopicPartition: Offset] = [:]) throws -> GenerationRun {
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
    return try open(generation, options)
  }

  private func open(_ generation: Int, _ options: RunOptions) throws -> GenerationRun {
    let run = GenerationRun(
      topology, generation: generation, log: log, directory: directory, options: options,
      clock: clock, report: report)
    try run.open()
    return run
  }

  private func create(_ generation: Int, _ status: GenerationMeta.Status) throws {
    let path = directory.directory(of: generation)
    try DurableFile.makeDirectory(path)
    try GenerationMeta(status: status, created: clock.now().description).write(to: path)
  }

  // MARK: Requests

  /// Drives a run on threads of its own and answers requests meanwhile.
  ///
  /// - Returns: a rewind that was asked for; the run then goes on, and it is the caller's to stop.
  private func drive(_ run: GenerationRun) throws -> (plan: RewindPlan, request: String)? {
    let queue = RequestQueue(directory)
    var rewind: (RewindPlan, String)?
    while !run.hasEnded, rewind == nil {
      if stopped.withLock({ $0 }) { run.stop() }
      for request in try queue.pending() where rewind == nil {
        if request.deadline < clock.now() {
          try queue.answer(
            request.id, Reply(succeeded: false, message: "expired before it was read"))
        } else if request.verb == "rewind" {
          rewind = try plan(request, queue).map { ($0, request.id) }
        } else {
          try queue.answer(request.id, try carryOut(request, on: run))
        }
      }
      if rewind == nil, !run.hasEnded { wake.sleep(atMost: .milliseconds(200)) }
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
        options: RewindOptions(request.arguments), log: log)
    } catch {
      try queue.answer(request.id, Reply(succeeded: false, message: "\(error)"))
      return nil
    }
  }

  // MARK: Rewinding

  /// Carries out a rewind without a running generation: the command line's way where nobody owns
  /// the topology.
  ///
  /// - Throws: what stopped the rebuild; the old generation still serves then.
  package func rewind(_ plan: RewindPlan) throws {
    let serving = try openCurrent()
    defer { serving.close() }
    try rewind(plan, serving: serving)
  }

  /// Fills a new generation while the old one serves, then swaps them at a cut.
  private func rewind(_ plan: RewindPlan, serving: GenerationRun) throws {
    try removeUnfinished()
    let number = (try directory.generations().max() ?? 0) + 1
    try create(number, .unfinished)
    // Most of the way while the old one still serves.
    try fill(number, plan, to: try serving.positions())
    serving.stop()
    try serving.join()
    try fill(number, plan, to: try serving.positions())
    try GenerationSwap(topology, directory, log).perform(
      from: serving, to: number, options: options)
    if plan.options.dropPrevious {
      serving.close()
      try directory.remove(serving.generation)
    }
    report("generation \(StateDirectory.name(number)) serves")
  }

  /// Rebuilds that a crash interrupted start again from nothing.
  private func removeUnfinished() throws {
    for generation in try directory.generations() where try generation != directory.current() {
      let meta = try GenerationMeta.read(directory.directory(of: generation))
      if meta?.status != .retired { try directory.remove(generation) }
    }
  }

  private func fill(_ number: Int, _ plan: RewindPlan, to cut: [TopicPartition: Offset]) throws {
    var options = options
    options.publishes = false
    options.limitsByPartition = cut
    options.start = plan.start
    options.allowTruncated = true
    let run = try open(number, options)
    stopFill.withLock { $0 = run.stopper }
    defer {
      stopFill.withLock { $0 = nil }
      run.close()
    }
    if !stopped.withLock({ $0 }) { try run.run() }
    // A rebuild that was stopped stands short of the cut: it must not serve.
    if stopped.withLock({ $0 }) {
      throw TaskError(
        .stopped, nil, nil, "the process was stopped during the rebuild; ask for it again")
    }
    for input in run.tasks.flatMap(\.inputs) where !input.hasReachedLimit {
      throw TaskError(
        .diverged, input.topicPartition, input.position,
        "the log ends before the position of the state that serves: the rebuild lacks records and "
          + "is not taken")
    }
  }
}

extension RewindTarget {
  /// `earliest`, a time, or `TOPIC-PARTITION@OFFSET,…`.
  ///
  /// - Throws: ``StreamCore/LogError`` with `.invalid`.
  package init(parsing text: String) throws(LogError) {
    if text == "earliest" {
      self = .earliest
    } else if text.contains("@") {
      var offsets: [TopicPartition: Offset] = [:]
      for part in text.split(separator: ",") {
        guard let position = TopicPosition(parsing: String(part)) else { throw Self.invalid(text) }
        offsets[position.topicPartition] = position.offset
      }
      self = .offsets(offsets)
    } else {
      do { self = .time(try Timestamp(parsing: text)) } catch { throw Self.invalid(text) }
    }
  }

  private static func invalid(_ text: String) -> LogError {
    LogError(
      .invalid,
      "'\(text)' is no target: earliest, an RFC 3339 time or epoch milliseconds, or "
        + "TOPIC-PARTITION@OFFSET separated by commas")
  }
}

extension RewindOptions {
  init(_ arguments: [String: String]) {
    fromEmpty = arguments["fromEmpty"] == "true"
    allowTruncated = arguments["allowTruncated"] == "true"
    dropPrevious = arguments["dropPrevious"] == "true"
  }
}

/// `TOPIC-PARTITION@OFFSET` as text.
package struct TopicPosition: Hashable, Sendable, CustomStringConvertible {
  package let topicPartition: TopicPartition
  package let offset: Offset

  package init?(parsing text: String) {
    guard let at = text.lastIndex(of: "@"), let offset = Offset(text[text.index(after: at)...]),
      let dash = text[..<at].lastIndex(of: "-"), dash != text.startIndex,
      let partition = Int(text[text.index(after: dash)..<at]), partition >= 0
    else { return nil }
    topicPartition = TopicPartition(String(text[..<dash]), partition)
    self.offset = offset
  }

  package var description: String { "\(topicPartition)@\(offset)" }
}
