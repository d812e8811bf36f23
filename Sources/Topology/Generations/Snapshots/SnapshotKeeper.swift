import StateStore
import StreamCore
import Synchronization

/// Takes snapshots of what runs, when the policy says so, on a thread of its own: copying is
/// reading, so that tasks go on and requests are answered meanwhile.
///
/// One thread, the owner's, calls it.
final class SnapshotKeeper {
  private let topology: Topology
  private let store: SnapshotStore
  private let policy: SnapshotPolicy
  private let clock: any WallClock
  private let whenEnded: @Sendable () -> Void
  private let report: @Sendable (String) -> Void
  private var due: MonotonicTime
  private var copying: (thread: EngineThread, begun: MonotonicTime, state: Copying)?
  /// Commits of all tasks when it was last looked whether there is anything new.
  private var seen = -1

  private final class Copying: Sendable {
    let cancellation = CopyCancellation()
    /// When it was over: whether there was anything to copy.
    let outcome = Mutex<Bool?>(nil)
  }

  /// - Parameter whenEnded: called when a snapshot is over, by its thread.
  init(
    _ topology: Topology, _ directory: StateDirectory, _ policy: SnapshotPolicy,
    clock: any WallClock, report: @escaping @Sendable (String) -> Void,
    whenEnded: @escaping @Sendable () -> Void
  ) {
    self.topology = topology
    store = SnapshotStore(directory)
    self.policy = policy
    self.clock = clock
    self.whenEnded = whenEnded
    self.report = report
    // The interval goes on over restarts, from the last snapshot or from the state's beginning; only
    // there the time of day is asked, and one that was put back is not waited for longer than an
    // interval.
    let now = clock.now()
    var last = now
    do {
      if let newest = try store.numbers().last {
        last = try store.meta(newest).taken
      } else if let current = try directory.current(),
        let meta = try GenerationMeta.read(directory.directory(of: current))
      {
        last = try Timestamp(parsing: meta.created)
      }
    } catch {
      report("\(error)")
    }
    let passed = Duration.milliseconds(now.milliseconds - min(last, now).milliseconds)
    due = clock.monotonicNow() + (policy.interval - passed)
  }

  /// Begins a snapshot if one is due, none is on its way, and there is something new.
  func tick(_ run: GenerationRun) {
    conclude()
    let now = clock.monotonicNow()
    guard copying == nil, now >= due else { return }
    // Senders are declared before their receivers.
    let order = Dictionary(
      topology.subTopologies.enumerated().map { ($1.name, $0) }, uniquingKeysWith: min)
    let sources = run.tasks
      .sorted { order[$0.name.subTopology] ?? 0 > order[$1.name.subTopology] ?? 0 }
      .map { SnapshotStore.Source(task: $0.name, environment: $0.state.environment) }
    // One that finds nothing new stays due, and costs no more looks until something is committed.
    let commits = sources.reduce(0) { $0 + $1.environment.lastTransaction }
    guard commits != seen else { return }
    seen = commits
    let (state, generation, time) = (Copying(), run.generation, clock.now())
    let job = Job(topology: topology, store: store, policy: policy, report: report)
    let thread = EngineThread { [whenEnded] in
      let isNew = job.run(sources, generation: generation, at: time, state.cancellation)
      state.outcome.withLock { $0 = isNew }
      whenEnded()
    }
    copying = (thread, now, state)
  }

  /// Whether one is on its way.
  var isCopying: Bool { copying.map { $0.state.outcome.withLock { $0 == nil } } ?? false }

  private func conclude() {
    guard let copying, !isCopying else { return }
    copying.thread.join()
    if copying.state.outcome.withLock({ $0 }) == true { due = copying.begun + policy.interval }
    self.copying = nil
  }

  /// Ends one that is on its way; nothing is left of it.
  func cancel() { copying?.state.cancellation.cancel() }

  /// One snapshot, and what goes with it. It is a help for later: whatever goes wrong is told, and
  /// the tasks go on.
  private struct Job: Sendable {
    let topology: Topology
    let store: SnapshotStore
    let policy: SnapshotPolicy
    let report: @Sendable (String) -> Void

    /// - Returns: whether the next one is to wait for an interval.
    func run(
      _ sources: [SnapshotStore.Source], generation: Int, at time: Timestamp,
      _ cancellation: CopyCancellation
    ) -> Bool {
      do {
        if try isNothingNew(sources) { return false }
        guard try store.take(sources, generation: generation, at: time, cancellation) != nil else {
          return false
        }
        try store.prune(keeping: policy.kept) { try isWhole($0, sources) }
      } catch {
        report("no snapshot was taken, the ones before it stay: \(error)")
      }
      return true
    }

    /// Whether the newest snapshot is of this very state, or there is no state yet.
    private func isNothingNew(_ sources: [SnapshotStore.Source]) throws -> Bool {
      let newest = try store.numbers().last
      let tasks = try newest.map { try store.tasks(in: $0) } ?? []
      for source in sources {
        let now = try TaskProgress.read(source.environment.directory)
        if let newest, tasks.contains(source.task) {
          guard try progress(newest, source) == now else { return false }
        } else if !now.positions.values.allSatisfy({ $0 == 0 }) {
          return false
        }
      }
      return true
    }

    /// `nil` for a copy that the running topology cannot use.
    private func progress(_ number: Int, _ source: SnapshotStore.Source) throws -> TaskProgress? {
      let own = try StateReader.open(source.environment.directory).identity
      do {
        return try SnapshotBase.progress(of: own, store.path(number, source.task))
      } catch is StoreError {
        return nil
      }
    }

    /// Whether a snapshot lacks no record; `nil` where a task cannot begin from it.
    private func isWhole(_ number: Int, _ sources: [SnapshotStore.Source]) throws -> Bool? {
      let tasks = try store.tasks(in: number)
      var isWhole = true
      var isUsable = false
      for source in sources where tasks.contains(source.task) {
        guard let progress = try progress(number, source) else { return nil }
        isUsable = true
        for partition in progress.positions.keys where !topology.isCompacted(partition.topic) {
          isWhole = isWhole && progress.isWhole(partition)
        }
      }
      return isUsable ? isWhole : nil
    }
  }
}

extension Topology {
  /// Whether a source is declared to be compacted, so that missing records are no loss.
  func isCompacted(_ topic: String) -> Bool {
    sources.first { $0.topic == topic }?.isCompacted ?? false
  }
}
