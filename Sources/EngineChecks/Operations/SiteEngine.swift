import Dispatch
import StateStore
package import StreamCore
import Synchronization
import Topology

/// The engine as the operations check sees it: what an operator's commands do, and what can be read.
/// All that the check needs of the engine's own interfaces is in this file.
package struct SiteEngine {
  package let shape: SiteShape
  package let world: World
  package let log: any RecordLog
  /// Where the state directory lies.
  package let root: String
  package let partitions: [Int]

  package init(
    _ shape: SiteShape, _ world: World, _ log: any RecordLog, root: String, partitions: [Int]
  ) {
    self.shape = shape
    self.world = world
    self.log = log
    self.root = root
    self.partitions = partitions
  }

  /// What the command line would end with.
  package struct Refusal: Error, CustomStringConvertible {
    /// As FORMATS says: 1 failed, 5 state refused, 6 log refused …
    package let exit: Int
    package let description: String
  }

  // MARK: Commands

  /// Runs to the log's end.
  ///
  /// - Parameter onStart: given what stops it, from any thread.
  package func run(
    _ plan: RunPlan, _ variant: SiteVariant,
    onStart: (@escaping @Sendable () -> Void) -> Void = { _ in }
  ) throws {
    try refusing {
      let owner = try own(plan, variant)
      onStart(owner.stopper)
      try watched(owner.stopper) { try owner.value.run(untilEnd: true) }
    }
  }

  /// Puts a retry of all dead letters where the next owner finds it.
  ///
  /// - Returns: what asks for it, for as long as it lives.
  package func submitRetry() throws -> AnyObject {
    try refusing {
      try RequestQueue(directory).submit(
        Request(id: world.nextRequest(), verb: "retry", arguments: [:]))
    }
  }

  package func rewind(
    _ target: RewindAction.Target, _ options: RewindAction, _ plan: RunPlan,
    _ variant: SiteVariant, onStart: (@escaping @Sendable () -> Void) -> Void = { _ in }
  ) throws {
    try refusing {
      var choices = RewindOptions()
      choices.fromEmpty = options.fromEmpty
      choices.allowTruncated = options.allowsTruncated
      choices.dropPrevious = options.dropsPrevious
      let rewind = try RewindPlan.make(
        shape.build(variant, world, log), to: target.engine, options: choices, log: log,
        directory: directory)
      let owner = try own(plan, variant)
      onStart(owner.stopper)
      try watched(owner.stopper) { try owner.value.rewind(rewind) }
    }
  }

  /// Processes dead letters again: those with these ids, or all but conflicts.
  package func retry(_ ids: [String]?, _ plan: RunPlan, _ variant: SiteVariant) throws {
    try decide("retry", ids, plan, variant)
  }

  /// Resolves dead letters without processing them.
  package func skip(_ ids: [String], _ plan: RunPlan, _ variant: SiteVariant) throws {
    try decide("skip", ids, plan, variant)
  }

  /// Runs records past what they wait for.
  package func release(_ ids: [String], _ plan: RunPlan, _ variant: SiteVariant) throws {
    try decide("release", ids, plan, variant)
  }

  /// Has a decision carried out as a command does where nobody owns the topology.
  private func decide(
    _ verb: String, _ ids: [String]?, _ plan: RunPlan, _ variant: SiteVariant
  ) throws {
    try refusing {
      let request = Request(
        id: world.nextRequest(), verb: verb,
        arguments: ids.map { ["ids": $0.joined(separator: ",")] } ?? [:])
      let reply = try own(plan, variant).value.carryOut(request)
      guard !reply.succeeded else { return }
      throw Refusal(exit: reply.outcome == .refused ? 5 : 1, description: reply.message)
    }
  }

  /// The views that a rebuild by log and journal finds otherwise.
  package func verify(_ plan: RunPlan, _ variant: SiteVariant) throws -> [String] {
    let engine = self
    return try refusing {
      // Nothing stops it: on a thread of its own, so that a hang is a finding and not a hang.
      let box = Found()
      DispatchQueue.global().async {
        let found = Result { try engine.differences(plan, variant) }
        box.result.withLock { $0 = found }
        box.isDone.signal()
      }
      _ = box.isDone.wait(timeout: .now() + 30)
      guard let found = box.result.withLock({ $0 }) else {
        throw Refusal(exit: -1, description: "it did not end in 30 s")
      }
      return try found.get()
    }
  }

  private func differences(_ plan: RunPlan, _ variant: SiteVariant) throws -> [String] {
    try StateVerification(
      try shape.build(variant, world, log), directory, log: log, options: options(plan),
      clock: SystemWallClock(), canonical: { $0 }
    ).run().filter { !$0.isEqual }.map { "\($0.stored.name)" }
  }

  private final class Found: Sendable {
    let result = Mutex<Result<[String], any Error>?>(nil)
    let isDone = DispatchSemaphore(value: 0)
  }

  private final class Owner: @unchecked Sendable {
    // Invariant: but for `stop()`, which any thread may call, the thread that made it uses it.
    let value: TopologyOwner
    init(_ value: TopologyOwner) { self.value = value }
    var stopper: @Sendable () -> Void { { self.value.stop() } }
  }

  private func own(_ plan: RunPlan, _ variant: SiteVariant) throws -> Owner {
    Owner(
      try TopologyOwner(
        try shape.build(variant, world, log), stateRoot: root, log: log, options: options(plan),
        clock: SystemWallClock(), report: { _ in }))
  }

  private func options(_ plan: RunPlan) -> RunOptions {
    var options = RunOptions()
    options.partitions = partitions
    options.threads = plan.threads
    options.budget.records = plan.interval
    options.reader.batchRecordsMax = plan.batch
    options.outputs = plan.outputs.flatMap { OutputChoice(rawValue: $0.rawValue) }
    if plan.takesSnapshots {
      options.snapshots = SnapshotPolicy(interval: .milliseconds(1), kept: 2)
    }
    return options
  }

  private var directory: StateDirectory { StateDirectory(root: root, topology: SiteShape.topology) }

  /// Stops what takes longer than anything here can, so that a hang is a finding and not a hang.
  private func watched(
    _ stop: @escaping @Sendable () -> Void, _ body: () throws -> Void
  ) throws {
    let watch = HangWatch(stop)
    defer { watch.cancel() }
    try body()
    if watch.isOver { throw Refusal(exit: -1, description: "it did not end in 30 s") }
  }

  private func refusing<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch {
      if let refusal = error as? Refusal { throw refusal }
      throw Refusal(exit: Self.exit(error), description: "\(error)")
    }
  }

  /// As FORMATS has the exit statuses.
  private static func exit(_ error: any Error) -> Int {
    switch error {
    case let error as StoreError:
      switch error.code {
      case .corrupted, .newer, .older, .foreign, .lineageChanged, .readOnly, .missing: 5
      case .locked: 7
      case .invalid: 2
      default: 1
      }
    case let error as LogError:
      switch error.code {
      case .unreachable, .topicMissing, .partitionMissing, .offsetOutOfRange, .corrupt: 6
      case .fenced: 7
      case .topicExists, .recordRejected, .invalid, .unsupported: 2
      default: 1
      }
    case let error as TaskError:
      switch error.code {
      case .recordsGone, .diverged: 6
      case .notCopartitioned: 2
      default: 1
      }
    case is TopologyError: 2
    default: 1
    }
  }

  // MARK: What can be seen

  /// The tasks of the generation that serves, as `meta.json` names them before they take a record;
  /// empty without state.
  package func read() throws -> [TaskContents] {
    try refusing {
      guard let current = try directory.current(),
        let meta = try GenerationMeta.read(directory.directory(of: current))
      else { return [] }
      return try meta.tasks.map { task in
        try contents(StateReader.open(directory.task(current, task)), "\(task)")
      }
    }
  }

  /// The number of the generation that serves.
  package var current: Int? {
    get throws { try refusing { try directory.current() } }
  }

  private func contents(_ reader: StateReader, _ name: String) throws -> TaskContents {
    try reader.read { view in
      var task = TaskContents(name: name)
      let words = try view.words()
      for (name, input) in try view.positions() {
        guard let place = TopicPosition(parsing: "\(name)@0")?.topicPartition else { continue }
        task.positions[place] = input.position
        task.starts[place] = input.start
      }
      for counter in Counter.allCases {
        task.counters[counter.name] = words["count/\(counter)"] ?? 0
      }
      for store in try view.stores() where store.isPublished {
        var rows: [String: String] = [:]
        var cursor: ScanCursor?
        repeat {
          let page = try view.scan(store, cursor: cursor, limit: 1_000)
          for row in page.rows {
            rows[try KeyText.text(row.key)] = String(decoding: row.value, as: UTF8.self)
          }
          cursor = page.cursor
        } while cursor != nil
        task.rows[store.name] = rows
      }
      task.dead = try kept(view, "deadLetters", name)
      task.held = try kept(view, "held", name)
      return task
    }
  }

  private func kept(_ view: StateView, _ table: String, _ task: String) throws -> [SiteKept] {
    try view.entries(table, limit: .max - 1).map { entry in
      let kept = try KeptRecord(entry.bytes)
      var found = SiteKept(
        id: "\(task)-\(entry.number)", place: kept.record.topicPartition,
        offset: kept.record.offset, key: String(decoding: kept.record.key ?? [], as: UTF8.self))
      switch kept.why {
      case .failed(let reason, _, let parks): (found.reason, found.parks) = (reason, parks)
      case .missingRow: found.reason = "missingRow"
      case .missingNumber: found.reason = "missingNumber"
      case .parked: found.reason = "parked"
      }
      if found.reason == "firing" {
        found.firing = "\(found.key)@\(kept.record.timestamp?.milliseconds ?? 0)"
      }
      return found
    }
  }
}

extension RewindAction.Target {
  fileprivate var engine: RewindTarget {
    switch self {
    case .earliest: .earliest
    case .offsets(let offsets): .offsets(offsets)
    }
  }
}

/// Calls something off that does not end.
private final class HangWatch: Sendable {
  private struct State {
    var stop: (@Sendable () -> Void)?
    var isOver = false
  }
  private let state: Mutex<State>

  init(_ stop: @escaping @Sendable () -> Void) {
    state = Mutex(State(stop: stop))
    DispatchQueue.global().asyncAfter(deadline: .now() + 30) { [weak self] in
      let stop = self?.state.withLock { state in
        if state.stop != nil { state.isOver = true }
        return state.stop
      }
      stop?()
    }
  }

  var isOver: Bool { state.withLock { $0.isOver } }
  /// Lets go of what it would have stopped, too.
  func cancel() { state.withLock { $0.stop = nil } }
}

/// What one task's state holds.
package struct TaskContents {
  package let name: String
  package var positions: [TopicPartition: Offset] = [:]
  package var starts: [TopicPartition: Offset] = [:]
  /// By view, then key.
  package var rows: [String: [String: String]] = [:]
  package var counters: [String: Int64] = [:]
  package var dead: [SiteKept] = []
  package var held: [SiteKept] = []
}

/// A dead letter, or a record that waits.
package struct SiteKept: Hashable {
  /// As commands name it.
  package let id: String
  package let place: TopicPartition
  package let offset: Offset
  package let key: String
  package var reason = ""
  package var parks = false
  /// Of a timer that failed: what it would have sent.
  package var firing: String?
}
