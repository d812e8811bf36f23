import StateStore
import StreamCore

extension GenerationRun {
  /// Brings tasks to where their checkpoints end, in silence, then starts the outputs of all.
  ///
  /// - Throws: what stopped a task, ``TaskError`` with `.stopped` where it was stopped on the way,
  ///   with `.diverged` where a task came to another place; ``StreamCore/LogError``.
  func startOutputs() throws {
    let ways = try outputs.beginWays()
    if !ways.isEmpty {
      report(
        "outputs wait until \(ways.keys.sorted().map(\.description).joined(separator: ", ")) "
          + "stand where they were sent up to")
      close()
      try follow(ways)
      try open()
    }
    try stopSignal.check("its start")
    try outputs.start()
    for task in tasks {
      guard let output = outputs[task.name], output.isQuiet else { continue }
      task.beforeCommit = { [output] in if $0.intervalRecords > 0 { output.noteQuietRecord() } }
    }
  }

  private func follow(_ ways: [TaskName: CatchUp]) throws {
    var options = options
    (options.publishes, options.outputs, options.ways) = (false, nil, ways)
    options.tasks = Set(ways.keys)
    options.limitsByTask = ways.mapValues(\.limits)
    let run = GenerationRun(
      topology, generation: generation, log: log, directory: directory, options: options,
      clock: clock, stop: stopSignal, report: report)
    defer { run.close() }
    try run.open()
    let isThere = run.tasks.allSatisfy { task in
      // The last units may be firings, of which no position tells.
      let units = ways[task.name]?.checkpoint?.reached.end.units ?? 0
      return task.standing.units >= units && task.inputs.allSatisfy(\.hasReachedLimit)
    }
    if !isThere { try run.run() }
    try stopSignal.check("its way to what was sent")
    for task in run.tasks {
      guard let way = ways[task.name] else { continue }
      try TaskOutputs.check(way, task.name, at: task.standing)
    }
  }

  /// The outputs of a task, started or not; `nil` where it has none.
  func outputs(of task: StreamTask) -> TaskOutputs? { outputs[task.name] }

  /// Sends what was committed, as far as the stop allows, and lets the outboxes forget it; the loops
  /// have ended.
  func endOutputs(atMost limit: Duration) throws {
    defer { outputs.close() }
    // A task whose state cannot be trusted sends nothing more.
    guard failure == nil || (failure as? TaskError)?.code == .recordFailed else {
      return outputs.end(atMost: limit)
    }
    let stop = stopSignal
    try outputs.drain(atMost: limit) { stop.isStopped }
    for task in tasks where failure == nil {
      guard let output = outputs[task.name], output.canTrim else { continue }
      try task.openInterval()
      try output.trim()
      task.markDirty()
      try task.commit()
    }
  }

  /// Sends what the outboxes hold, to their ends; the tasks run on no thread.
  ///
  /// - Parameter stop: ends it before the next task; its own stop has ended the run before.
  /// - Throws: ``StreamCore/LogError``; ``StateStore/StoreError``.
  func publishToEnd(_ stop: StopSignal) throws {
    defer { outputs.close() }
    try outputs.open(tasks)
    guard !outputs.haveWays else {
      throw TaskError(
        .diverged, nil, nil,
        "the outputs of generation \(StateDirectory.name(generation)) were sent beyond where its "
          + "state stands: another process runs on a copy of it; stop that one")
    }
    try outputs.start()
    try outputs.publishToEnd(stop)
  }

  /// Forgets what the outboxes hold: the generation before sent it.
  func dropOutputs() throws {
    for task in tasks {
      try task.dropOutputs()
      try task.commit()
    }
  }

  /// Says in the sinks' journals that this generation goes on from its present numbers.
  func recordGeneration() throws { try outputs.recordGeneration(of: tasks) }
}

extension StreamTask {
  /// Forgets what the outbox holds: another generation sent it.
  func dropOutputs() throws {
    let outbox = state.outbox
    for destination in outbox.destinations.indices where outbox.pendingCount(destination) > 0 {
      try openInterval()
      try outbox.trim(destination, upTo: outbox.lastNumber(destination) ?? 0)
      state.commitUnit()
      markDirty()
    }
  }
}
