import StateStore
import StreamCore

/// Carries out at a rebuild's cut what operators of the process had decided before: what was retried
/// or released, and is dead or waits there, is retried or released once. What was skipped is dead
/// there only where a copy brought it along, or where it died before the decision.
struct DecisionsAtCut {
  private let decisions: OperatorDecisions
  private let stop: StopSignal
  private let budget: IntervalBudget
  private var fates: [String: Int] = [:]
  /// What was decided again: once, whatever becomes of it.
  private var done: Set<UnitName> = []

  init(_ decisions: OperatorDecisions, stop: StopSignal, budget: IntervalBudget) {
    self.decisions = decisions
    self.stop = stop
    self.budget = budget
  }

  /// In the calling thread; what comes of it that is kept again is not decided a second time.
  ///
  /// - Throws: what stopped the task; ``TaskError`` with `.stopped`.
  mutating func carryOut(in task: StreamTask, report: (String) -> Void) throws {
    (fates, done) = ([:], [])
    let late = task.counters[.late]
    try goThrough(task.state.deadLetters, of: task) { task, number, kind, _ in
      switch kind {
      case .retry, .release: return try task.retryDeadLetter(number)
      case .skip: return try task.skipDeadLetter(number) ? .deadLetteredSkipped : nil
      case .outboxSkip: return nil
      }
    }
    try goThrough(task.state.held, of: task) { task, number, kind, record in
      // One in a line runs when its head does.
      guard kind == .release, record.why != .parked else { return nil }
      return try task.releaseHeld(number)
    }
    // What that made due goes in silence too: the old generation has sent it.
    if !fates.isEmpty {
      while try task.process(limit: Self.step) > 0 { try endStep(of: task) }
    }
    try task.commit()
    guard !fates.isEmpty else { return }
    let parts = fates.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    report(
      "task \(task.name): what operators had decided before was done again at the cut: "
        + "\(parts.joined(separator: ", ")); late of it and of what it fed: "
        + "\(task.counters[.late] - late)")
  }

  private mutating func goThrough(
    _ store: EntryStore, of task: StreamTask,
    _ decide: (StreamTask, Int64, Decision.Kind, KeptRecord) throws -> Counter?
  ) throws {
    var upTo: Int64 = 0
    // A line that runs leaves dead letters behind the last one, which were decided about as well.
    while case let page = try store.numbers(after: upTo, limit: Self.step), let end = page.last {
      for number in page {
        try checkStop()
        guard let entry = try store.entry(number) else { continue }
        let record = try KeptRecord(entry.bytes)
        guard let kind = decisions.decision(about: record.unitName),
          !done.contains(record.unitName)
        else { continue }
        do {
          guard let fate = try decide(task, number, kind, record) else { continue }
          done.insert(record.unitName)
          fates[fate.name, default: 0] += 1
        } catch let error as TaskError
          where error.code == .recordFailed || error.code == .sourceRemoved
        {
          // It stays as it was.
          done.insert(record.unitName)
          fates["failed", default: 0] += 1
        }
        while try task.runCascade(limit: Self.step) > 0 { try endStep(of: task) }
        try endStep(of: task)
      }
      upTo = end
    }
  }

  /// Units between two looks at the stop and the budget.
  private static let step = 100

  private func checkStop() throws { try stop.check("the rebuild; ask for it again") }

  private func endStep(of task: StreamTask) throws {
    try checkStop()
    if task.intervalRecords >= budget.records || task.intervalBytes.total > budget.dirtyBytes {
      try task.commit()
    }
  }
}
