import StateStore
import StreamCore

/// Where a rebuild works, and with what.
struct RebuildSite: Sendable {
  let topology: Topology
  let directory: StateDirectory
  let log: any RecordLog
  let options: RunOptions
  let clock: any WallClock
  let report: @Sendable (String) -> Void
}

/// A rewind or rebuild: fills a new generation to a cut of the one that serves, then lets it take
/// its place.
///
/// How far it is is its phase, written in the new generation's `meta.json` before it is entered. A
/// start goes by nothing else: what other processes of the topology do, on state of their own, says
/// nothing about this one.
///
/// 1. `filling`: begins from copies or from the log, first beside the one that serves, then, once
///    that is worked off, to its last commit. Given up here, the old one goes on.
/// 2. `recorded`: the old one has sent all it had; generation and numbers are recorded where the
///    outputs are, and `current` is renamed. What is begun here is finished, by the next start if
///    need be.
/// 3. `serving`.
final class RebuildJob {
  private let site: RebuildSite
  private let plan: RewindPlan
  private let request: String?
  private let stop: StopSignal
  private var directory: StateDirectory { site.directory }

  /// Tasks that are open at once.
  private static let turn = 64

  /// - Parameters:
  ///   - plan: made while no snapshot comes or goes.
  ///   - request: who asked for it, recorded with the generation.
  ///   - stop: ends it before the next record.
  init(_ site: RebuildSite, _ plan: RewindPlan, request: String? = nil, stop: StopSignal) {
    self.site = site
    self.plan = plan
    self.request = request
    self.stop = stop
  }

  /// - Parameter workOff: stops the generation that serves at its last commit and gives its tasks;
  ///   `nil` where it does not run.
  /// - Returns: the generation that serves now.
  /// - Throws: what stopped it: the old generation serves, unless ``isRecorded(_:)``.
  func run(workOff: (() throws -> GenerationRun)?) throws -> Int {
    guard let old = try directory.current() else {
      preconditionFailure("a plan is made for a state that serves")
    }
    let number = (try directory.generations().max() ?? 0) + 1
    try create(number, replacing: old)
    do {
      try restoreBases(into: number)
      // Only then are tasks of one name counterparts, whose operators decide alike.
      let isSameLineage =
        try Self.change(site.topology, on: site.log, in: directory) == nil
      // Most of the way while the old one still serves; but what units that it keeps would send,
      // it may send meanwhile.
      if workOff != nil {
        try inherit(number, from: old)
        try fill(number, to: try cut(of: old, isSameLineage, isRunning: true), isLast: false)
      }
      let serving = try workOff?()
      try inherit(number, from: old)
      let cut = try cut(of: old, isSameLineage, isRunning: false)
      for task in cut.unfinished {
        site.report(
          "task \(task) had something due that it had not done: its last record is taken again, and "
            + "what was sent of it is sent a second time under the same ids")
      }
      try fill(number, to: cut, isLast: true)
      if let serving {
        try serving.publishToEnd(stop)
      } else {
        try GenerationOutboxes(old, in: directory, topology: site.topology.name)
          .publishToEnd(on: site.log, stop, report: site.report)
      }
      try checkStop()
      try Self.enter(.recorded, number, directory)
    } catch {
      // What was stopped is removed by the next start, which waits for nobody.
      if !stop.isStopped { try directory.remove(number) }
      throw error
    }
    try Self.finish(number, site)
    site.report("generation \(StateDirectory.name(number)) serves")
    return number
  }

  private func checkStop() throws { try stop.check("the rebuild; ask for it again") }

  private func create(_ number: Int, replacing old: Int) throws {
    let path = directory.directory(of: number)
    try DurableFile.makeDirectory(path)
    var meta = GenerationMeta(
      phase: .filling, created: site.clock.now().description,
      lineage: site.topology.fingerprint, request: request)
    if plan.options.dropPrevious { meta.drops = old }
    meta.sendsAll = plan.options.sendsOutputs
    try meta.write(to: path)
    try DurableFile.syncDirectory(of: path)
  }

  private static func enter(
    _ phase: GenerationMeta.Phase, _ number: Int, _ directory: StateDirectory
  ) throws {
    let path = directory.directory(of: number)
    guard var meta = try GenerationMeta.read(path), meta.phase != phase else { return }
    meta.phase = phase
    try meta.write(to: path)
  }

  // MARK: Filling

  private func cut(
    of old: Int, _ isSameLineage: Bool, isRunning: Bool
  ) throws -> GenerationCut {
    try GenerationCut(
      of: old, in: directory, isSameLineage: isSameLineage,
      followsJournal: !plan.options.fromEmpty, isRunning: isRunning)
  }

  /// Where the log ended when the job first asked, in a partition that the old generation lacks.
  private var ends: [TopicPartition: Offset] = [:]

  private func end(of partition: TopicPartition) throws -> Offset {
    if let known = ends[partition] { return known }
    let end = try site.log.offsets(of: partition).upperBound
    ends[partition] = end
    return end
  }

  /// Begins tasks from their copies. One that turns out to be damaged is passed over for an older
  /// one, or for the log.
  private func restoreBases(into number: Int) throws {
    let cancellation = CopyCancellation()
    let hook = stop.onStop { cancellation.cancel() }
    defer { stop.forget(hook) }
    for task in plan.tasks {
      var choice = plan.choices[task.name]
      var base = plan.bases[task.name]
      while let copy = base {
        try checkStop()
        let target = directory.task(number, task.name)
        do {
          try TaskState.restore(
            snapshot: copy.directory, to: target, generation: number, cancellation: cancellation)
          break
        } catch {
          try checkStop()
          guard error.code == .corrupted, choice != nil else { throw error }
          site.report(
            "task \(task.name): snapshot \(StateDirectory.name(copy.snapshot)) is passed over, "
              + "it is damaged: \(error)")
          try StateDirectory.removeTree(target)
          choice?.pass(over: copy)
          base = try choice?.base(
            for: plan.target, allowTruncated: plan.options.allowTruncated)
        }
      }
    }
  }

  /// Tasks that this job has had open.
  private var opened: Set<TaskName> = []
  /// What operators of the process decided up to the cut.
  private var decisions = OperatorDecisions()

  private func inherit(_ number: Int, from old: Int) throws {
    decisions = try directory.decisions(upTo: old)
    try directory.setInherited(decisions, of: number)
  }

  /// Brings the tasks to the cut by turns, a few open at once.
  ///
  /// - Parameter isLast: it is the cut at which the new generation takes over; before it those are
  ///   left out that have something to send of what the old one keeps.
  private func fill(_ number: Int, to cut: GenerationCut, isLast: Bool) throws {
    for first in stride(from: 0, to: plan.tasks.count, by: Self.turn) {
      try checkStop()
      var options = site.options
      options.partitions = nil
      options.tasks = []
      options.publishes = false
      options.dropsOutputs = !plan.options.sendsOutputs
      options.start = plan.start
      options.allowTruncated = plan.options.allowTruncated
      var deciding: [TaskName: GenerationCut.Part] = [:]
      for task in plan.tasks[first..<min(first + Self.turn, plan.tasks.count)] {
        let part = try cut.part(task, of: number, from: plan.start, end: end)
        // What follows another's journal follows its decisions.
        let decides =
          isLast && part.replay == nil && (!decisions.isEmpty || part.clock != nil)
        // A copy that stands there already may hold outputs that were sent long ago.
        if part.isReached, opened.contains(task.name), !decides { continue }
        if !part.owed.isEmpty, options.dropsOutputs {
          if !isLast { continue }
          options.owed[task.name] = part.owed
        }
        opened.insert(task.name)
        options.tasks?.insert(task.name)
        options.limitsByTask[task.name] = part.limits
        options.replay[task.name] = part.replay
        if decides { deciding[task.name] = part }
      }
      if options.tasks?.isEmpty == false { try fill(number, options, deciding) }
    }
  }

  /// - Parameter deciding: those that do at the cut what nothing in the log says: their clocks are
  ///   brought to those of the old generation, what operators decided there is decided again.
  private func fill(
    _ number: Int, _ options: RunOptions, _ deciding: [TaskName: GenerationCut.Part]
  ) throws {
    let run = GenerationRun(
      site.topology, generation: number, log: site.log, directory: directory, options: options,
      clock: site.clock, stop: stop, report: site.report)
    try run.open()
    defer { run.close() }
    // What a copy brought along was sent long ago.
    if options.dropsOutputs { try run.dropOutputs() }
    try run.run()
    try checkStop()
    for input in run.tasks.flatMap(\.inputs) where !input.hasReachedLimit {
      throw TaskError(
        .diverged, input.topicPartition, input.position,
        "the log ends before the position of the state that serves: the rebuild lacks records and "
          + "is not taken")
    }
    var atCut = DecisionsAtCut(decisions, stop: stop, budget: options.budget)
    for task in run.tasks {
      if let part = deciding[task.name] {
        if let clock = part.clock { try task.bringClock(to: clock) }
        try atCut.carryOut(in: task, report: site.report)
        try checkStop()
      }
      try task.state.makeDurable()
    }
  }

  // MARK: Taking the place

  /// Records a filled generation where the outputs are, and lets it serve; done again, it changes
  /// nothing.
  private static func finish(_ number: Int, _ site: RebuildSite) throws {
    let meta = try GenerationMeta.read(site.directory.directory(of: number))
    // What its outbox holds is still to be sent: all it made where that was asked for, or nothing.
    try record(number, site)
    try site.directory.setCurrent(number)
    try enter(.serving, number, site.directory)
    if let drops = meta?.drops, drops != number { try site.directory.remove(drops) }
  }

  private static func record(_ number: Int, _ site: RebuildSite) throws {
    guard try !RunOutputs.sending(site.topology, to: site.log).isEmpty else { return }
    let tasks = try site.directory.tasks(of: number)
    for first in stride(from: 0, to: tasks.count, by: turn) {
      var options = site.options
      options.partitions = nil
      options.tasks = Set(tasks[first..<min(first + turn, tasks.count)])
      options.publishes = false
      // Nothing is read.
      options.allowTruncated = true
      let run = GenerationRun(
        site.topology, generation: number, log: site.log, directory: site.directory,
        options: options, clock: site.clock, report: { _ in })
      try run.open()
      defer { run.close() }
      try run.recordGeneration()
    }
  }

  // MARK: After a crash

  /// Whether a generation is at the point of no return: it can only be finished.
  static func isRecorded(_ directory: StateDirectory) throws -> Bool {
    try directory.generations().contains {
      try GenerationMeta.read(directory.directory(of: $0))?.phase == .recorded
    }
  }

  /// Refuses a start that cannot finish what another topology began.
  ///
  /// - Throws: ``StateStore/StoreError`` with `.lineageChanged`.
  static func checkLineage(_ directory: StateDirectory, _ topology: Topology) throws(StoreError) {
    for generation in try directory.generations() {
      guard let meta = try GenerationMeta.read(directory.directory(of: generation)),
        meta.phase == .recorded, meta.lineage != topology.fingerprint
      else { continue }
      throw StoreError(
        .lineageChanged,
        "generation \(StateDirectory.name(generation)) is about to serve, and only the topology of "
          + "lineage \(meta.lineage) that filled it can finish that, not this one of "
          + "\(topology.fingerprint); start once with the program that asked for the rebuild",
        store: directory.path)
    }
  }

  /// Goes on from the phases that a process before left: finishes what was recorded, removes what
  /// was only filling.
  ///
  /// - Throws: ``StateStore/StoreError``, or what keeps a recorded generation from being finished.
  static func resume(_ site: RebuildSite) throws {
    try checkLineage(site.directory, site.topology)
    try site.directory.removeLeftovers()
    for generation in try site.directory.generations() {
      let meta = try GenerationMeta.read(site.directory.directory(of: generation))
      switch meta?.phase {
      case .recorded: try finish(generation, site)
      case .filling: try site.directory.remove(generation)
      case .serving: continue
      case nil:
        // Made, and not said yet what for.
        if try generation != site.directory.current() { try site.directory.remove(generation) }
      }
    }
  }

  /// What keeps the generation that serves from being run by a topology, and a rebuild mends;
  /// `nil` where nothing does.
  ///
  /// - Throws: ``StreamCore/LogError``, or another ``StateStore/StoreError``.
  static func change(_ topology: Topology, on log: any RecordLog, in directory: StateDirectory)
    throws -> StoreError?
  {
    guard let current = try directory.current() else { return nil }
    let here = Set(try directory.tasks(of: current))
    for task in try TaskOpener.plan(topology, on: log, partitions: nil)
    where here.contains(task.name) {
      let reader = try StateReader.open(directory.task(current, task.name))
      do throws(StoreError) {
        try topology.identity(
          task.sub, partition: task.name.partition, of: task.partitionCount, generation: current
        ).check(snapshot: reader)
      } catch {
        guard error.code == .lineageChanged || error.code == .foreign else { throw error }
        return error
      }
    }
    return nil
  }

  /// The generation that a request made before its answer was lost.
  static func generation(made request: String, in directory: StateDirectory) throws -> Int? {
    try directory.generations().first {
      let meta = try GenerationMeta.read(directory.directory(of: $0))
      return meta?.request == request && meta?.phase == .serving
    }
  }
}
