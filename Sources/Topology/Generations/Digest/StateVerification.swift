import StateStore
package import StreamCore

/// Rebuilds a topology's views from the log and the journal beside the state that serves, and
/// compares the two.
package struct StateVerification {
  private let topology: Topology
  private let directory: StateDirectory
  private let log: any RecordLog
  private let options: RunOptions
  private let clock: any WallClock
  private let canonical: StateDigest.Canonical

  package init(
    _ topology: Topology, _ directory: StateDirectory, log: any RecordLog, options: RunOptions,
    clock: any WallClock, canonical: @escaping StateDigest.Canonical
  ) {
    self.topology = topology
    self.directory = directory
    self.log = log
    self.options = options
    self.clock = clock
    self.canonical = canonical
  }

  /// A view as it is and as it should be.
  package struct Comparison: Hashable, Sendable {
    package let stored: ViewDigest
    package let rebuilt: ViewDigest
    package var isEqual: Bool { stored == rebuilt }
  }

  /// Compares every view at the positions of the last commits; a running owner is not disturbed.
  ///
  /// - Throws: ``TaskError`` with `.recordsGone` where the log lacks records that the state holds,
  ///   ``StreamCore/LogError`` or ``StateStore/StoreError``.
  package func run() throws -> [Comparison] {
    guard let generation = try directory.current() else {
      throw StoreError(
        .missing, "there is no state of topology '\(topology.name)' to verify",
        store: directory.path)
    }
    let scratch = StateDirectory(root: "\(directory.path)/.verify", topology: topology.name)
    // What a verification that failed left behind goes with the next one.
    try StateDirectory.removeTree("\(directory.path)/.verify")
    let copies = try copyTasks(of: generation, to: scratch)
    let digest = StateDigest(topology, canonical: canonical)
    let stored = try digest.digests(of: copies)
    let rebuilt = try rebuild(copies, in: scratch, digest)
    try StateDirectory.removeTree("\(directory.path)/.verify")
    return stored.map { view in
      Comparison(
        stored: view, rebuilt: rebuilt.first { $0.name == view.name } ?? ViewDigest(view.name))
    }
  }

  /// Copies of the tasks, each of one commit.
  private func copyTasks(of generation: Int, to scratch: StateDirectory) throws -> [StateReader] {
    try directory.tasks(of: generation).map { task in
      let from = directory.task(generation, task)
      let target = scratch.task(1, task)
      try DurableFile.makeDirectory(scratch.directory(of: 1))
      try StateReader.open(from).environment.snapshot(to: target)
      return try StateReader.open(target)
    }
  }

  private func rebuild(
    _ copies: [StateReader], in scratch: StateDirectory, _ digest: StateDigest
  ) throws -> [ViewDigest] {
    var options = options
    options.publishes = false
    options.partitions = Set(copies.map(\.identity.partition)).sorted()
    for copy in copies {
      let progress = TaskProgress(words: try copy.read { try $0.words() })
      options.limitsByPartition.merge(progress.positions) { $1 }
      options.start.merge(progress.starts) { $1 }
      options.waiting[TaskName(copy.identity)] = copy.identity.waiting
      options.replay[TaskName(copy.identity)] = FollowedJournal(
        try copy.read { try $0.journal() }, units: progress.units)
    }
    try checkLog(options.start)
    let run = GenerationRun(
      topology, generation: 2, log: log, directory: scratch, options: options, clock: clock,
      report: { _ in })
    try run.open()
    try run.run()
    run.close()
    let readers = try scratch.tasks(of: 2).map {
      try StateReader.open(scratch.task(2, $0))
    }
    return try digest.digests(of: readers)
  }

  private func checkLog(_ start: [TopicPartition: Offset]) throws {
    for (partition, offset) in start.sorted(by: { $0.key < $1.key }) {
      let first = try log.offsets(of: partition).lowerBound
      guard first > offset else { continue }
      throw TaskError(
        .recordsGone, partition, offset,
        "records \(offset) to \(first - 1), from which the state was built, are gone: it cannot be "
          + "verified against this log")
    }
  }
}
