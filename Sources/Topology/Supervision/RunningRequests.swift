import StateStore
import StreamCore

/// A request about tasks that the loops are at: about kept records, or entries of outboxes.
final class RunningWork {
  private let request: String
  /// Ends it between two entries; what was done stays.
  let stop: StopSignal
  private var left = 0
  private var failure: (any Error)?
  private var saidAt: MonotonicTime?
  /// What all tasks together did, once each has done its part.
  private var summary: () -> Reply = { Reply(.done, "nothing to do") }
  /// How far it is.
  private var state: () -> String = { "" }

  init(_ request: String, below stop: StopSignal) {
    self.request = request
    self.stop = StopSignal(below: stop)
  }

  func begin(
    _ verb: KeptVerb, _ selection: KeptSelection, on run: GenerationRun, _ queue: CommandQueue
  ) {
    let (request, stop) = (request, stop)
    var parts: [KeptWork.Progress] = []
    left = run.post { task in
      if let ids = selection.ids, !ids.contains(where: { $0.task == task.name }) { return nil }
      let work = KeptWork(verb, selection, of: task.name, request: request, stop: stop) {
        queue.post(.workEnded(request: request, failure: $0))
      }
      parts.append(work.progress)
      return work
    }
    let tallies = parts
    summary = { verb.reply(tallies.map(\.value)) }
    state = {
      let tallies = tallies.map(\.value)
      let (tried, total) = (tallies.map(\.tried).reduce(0, +), tallies.map(\.total).reduce(0, +))
      return "\(verb.past) \(tried) of \(total)"
    }
  }

  /// Leaves entries out of outboxes.
  func beginSkipping(_ ids: [OutboxEntryID], on run: GenerationRun, _ queue: CommandQueue) {
    let request = request
    var parts: [OutboxSkipWork.Progress] = []
    left = run.post { task in
      let mine = ids.filter { $0.task == task.name }
      guard !mine.isEmpty else { return nil }
      let work = OutboxSkipWork(mine, request: request, outputs: run.outputs(of: task)) {
        queue.post(.workEnded(request: request, failure: $0))
      }
      parts.append(work.progress)
      return work
    }
    let all = parts
    summary = {
      let values = all.map(\.value)
      if values.allSatisfy(\.wasDone) { return Reply(.done, "carried out before") }
      return OutboxEntryID.reply(skipped: values.map(\.skipped).reduce(0, +), of: ids.count)
    }
    state = { "skipping \(ids.count) entries" }
  }

  func workEnded(_ failure: (any Error)?) {
    left -= 1
    self.failure = self.failure ?? failure
  }

  /// `nil` until each task has done its part.
  var reply: Reply? {
    guard left <= 0 else { return nil }
    if let failure { return Reply(.failed, "\(failure)") }
    let reply = summary()
    return stop.isStopped ? Reply(.failed, "stopped; \(reply.message)") : reply
  }

  /// How far it is, once a second.
  func progress(at now: MonotonicTime) -> Reply? {
    guard let said = saidAt else {
      saidAt = now
      return nil
    }
    guard now - said >= .seconds(1) else { return nil }
    saidAt = now
    return Reply(.running, state())
  }
}

/// A rewind that was asked for, on a thread of its own.
final class RunningRebuild {
  private struct Contents {
    /// It has come as far as it can beside the generation that serves.
    var isWaiting = false
    var given: Result<ThreadBound<GenerationRun>, any Error>?
    var outcome: Result<Int, any Error>?
  }
  let request: String
  private let contents: Monitor<Contents>
  private let stopSignal: StopSignal
  private let thread: EngineThread

  init(_ request: Request, _ site: RebuildSite, below stop: StopSignal, _ queue: CommandQueue) {
    let (contents, stop) = (Monitor(Contents()), StopSignal(below: stop))
    self.request = request.id
    self.contents = contents
    stopSignal = stop
    stop.onStop {
      // It waits for nobody then.
      contents.change { contents in
        contents.given =
          contents.given
          ?? .failure(
            TaskError(
              .stopped, nil, nil, "the process was stopped during the rebuild; ask for it again"))
      }
    }
    thread = EngineThread {
      let outcome = Result {
        let plan = try RewindPlan.make(
          site.topology, to: try RewindTarget(parsing: request.arguments["to"] ?? "earliest"),
          options: RewindOptions(request.arguments), log: site.log, directory: site.directory)
        return try RebuildJob(site, plan, request: request.id, stop: stop).run {
          contents.change { $0.isWaiting = true }
          queue.post(.rebuildChanged)
          let given = contents.wait(atMost: nil) { $0.given }
          contents.change { $0.given = nil }
          guard let given else { preconditionFailure("a wait without an end ends by its answer") }
          return try given.get().value
        }
      }
      contents.change { $0.outcome = outcome }
      queue.post(.rebuildChanged)
    }
  }

  /// Whether it wants the serving generation worked off and its tasks.
  var isWaiting: Bool { contents.withLock { $0.isWaiting && $0.given == nil && $0.outcome == nil } }
  var outcome: Result<Int, any Error>? { contents.withLock { $0.outcome } }

  /// Gives the tasks of the generation that served, which no other thread uses any more.
  func give(_ run: GenerationRun) {
    let run = ThreadBound(run)
    contents.change { $0.given = $0.given ?? .success(run) }
  }

  func stop() { stopSignal.stop() }
  func join() { thread.join() }
}
