import StateStore
package import StreamCore

/// Rebuilds a topology's views from the log and the journal beside the state that serves, and
/// compares the two: task by task, a few at once, so that it takes no more room than they do.
package final class StateVerification {
  private let topology: Topology
  private let directory: StateDirectory
  private let log: any RecordLog
  private let options: RunOptions
  private let clock: any WallClock
  private let digest: StateDigest
  private let stopSignal = StopSignal()

  /// Tasks that are open at once.
  private static let turn = 32

  package init(
    _ topology: Topology, _ directory: StateDirectory, log: any RecordLog, options: RunOptions,
    clock: any WallClock, canonical: @escaping StateDigest.Canonical
  ) {
    self.topology = topology
    self.directory = directory
    self.log = log
    self.options = options
    self.clock = clock
    digest = StateDigest(topology, canonical: canonical)
  }

  /// A view as it is and as it should be.
  package struct Comparison: Hashable, Sendable {
    package let stored: ViewDigest
    package let rebuilt: ViewDigest
    package var isEqual: Bool { stored == rebuilt }
  }

  /// Ends ``run()`` soon; callable from any thread.
  package var stopper: @Sendable () -> Void { { [stopSignal] in stopSignal.stop() } }

  /// Compares every view at the positions of the last commits; a running owner is not disturbed.
  ///
  /// - Throws: ``TaskError`` with `.recordsGone` where the log lacks records that the state holds and
  ///   with `.stopped`, ``StreamCore/LogError`` or ``StateStore/StoreError``.
  package func run() throws -> [Comparison] {
    guard let generation = try directory.current() else {
      throw StoreError(
        .missing, "there is no state of topology '\(topology.name)' to verify",
        store: directory.path)
    }
    let tasks = try directory.tasks(of: generation)
    var stored: [String: ViewDigest] = [:]
    var rebuilt: [String: ViewDigest] = [:]
    for first in stride(from: 0, to: tasks.count, by: Self.turn) {
      let turn = tasks[first..<min(first + Self.turn, tasks.count)]
      let scratch = try ScratchDirectory(directory)
      let copies = StateDirectory(root: scratch.path, topology: topology.name)
      for task in turn {
        try stopSignal.check("the verification")
        try copy(task, of: generation, to: copies)
      }
      for view in try digests(of: 1, in: copies) { Self.add(view, to: &stored) }
      try rebuild(Array(turn), beside: copies)
      for view in try digests(of: 2, in: copies) { Self.add(view, to: &rebuilt) }
      withExtendedLifetime(scratch) {}
    }
    return stored.values.sorted { $0.name < $1.name }.map { view in
      Comparison(stored: view, rebuilt: rebuilt[view.name] ?? ViewDigest(view.name))
    }
  }

  private static func add(_ view: ViewDigest, to views: inout [String: ViewDigest]) {
    views[view.name, default: ViewDigest(view.name)].add(view)
  }

  /// A copy of one commit of a task.
  private func copy(_ task: TaskName, of generation: Int, to copies: StateDirectory) throws {
    try DurableFile.makeDirectory(copies.directory(of: 1))
    let cancellation = CopyCancellation()
    let hook = stopSignal.onStop { cancellation.cancel() }
    defer { stopSignal.forget(hook) }
    do {
      try StateReader.open(directory.task(generation, task)).environment.snapshot(
        to: copies.task(1, task), cancellation: cancellation)
    } catch {
      try stopSignal.check("the verification")
      throw error
    }
  }

  private func digests(of generation: Int, in copies: StateDirectory) throws -> [ViewDigest] {
    try digest.digests(
      of: try copies.tasks(of: generation).map {
        try StateReader.open(copies.task(generation, $0))
      })
  }

  private func rebuild(_ tasks: [TaskName], beside copies: StateDirectory) throws {
    var options = options
    options.publishes = false
    options.dropsOutputs = true
    // Where units trapped is the owner's to write down.
    options.traps = nil
    options.tasks = Set(tasks)
    options.partitions = nil
    for task in tasks {
      let copy = try StateReader.open(copies.task(1, task))
      let progress = try copy.read { try TaskProgress($0) }
      // An input that nothing was taken of has no position, and is not waited for.
      options.limitsByTask[task] = progress.positions
      options.start.merge(progress.starts) { $1 }
      options.waiting[task] = copy.identity.waiting
      options.replay[task] = FollowedJournal(
        try copy.read { try $0.journal() }, units: progress.units)
    }
    try checkLog(options.start)
    let run = GenerationRun(
      topology, generation: 2, log: log, directory: copies, options: options, clock: clock,
      stop: stopSignal, report: { _ in })
    try run.open()
    defer { run.close() }
    try run.run()
    try stopSignal.check("the verification")
  }

  private func checkLog(_ start: [TopicPartition: Offset]) throws {
    let held = try log.offsets(of: Array(start.keys))
    for (partition, offset) in start.sorted(by: { $0.key < $1.key }) {
      guard let first = held[partition]?.lowerBound, first > offset else { continue }
      throw TaskError(
        .recordsGone, partition, offset,
        "records \(offset) to \(first - 1), from which the state was built, are gone: it cannot be "
          + "verified against this log")
    }
  }
}
