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

  init(_ decisions: OperatorDecisions, stop: StopSignal, budget: IntervalBudget) {
    self.decisions = decisions
    self.stop = stop
    self.budget = budget
  }

  /// In the calling thread; what comes of it that is kept again is not gone through a second time.
  ///
  /// - Throws: what stopped the task; ``TaskError`` with `.stopped`.
  mutating func carryOut(in task: StreamTask, report: (String) -> Void) throws {
    fates = [:]
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
    let last = store.lastNumber
    var upTo: Int64 = 0
    while case let page = try store.numbers(after: upTo, limit: 100).prefix(while: { $0 <= last }),
      let end = page.last
    {
      for number in page {
        try stop.check("the rebuild; ask for it again")
        guard let entry = try store.entry(number) else { continue }
        let record = try KeptRecord(entry.bytes)
        guard let kind = decisions.decision(about: record.unitName) else { continue }
        do {
          guard let fate = try decide(task, number, kind, record) else { continue }
          fates[fate.name, default: 0] += 1
        } catch let error as TaskError
          where error.code == .recordFailed || error.code == .sourceRemoved
        {
          // It stays as it was.
          fates["failed", default: 0] += 1
        }
        while try task.runCascade(limit: 1_000) > 0 {}
        if task.intervalRecords >= budget.records || task.intervalBytes.total > budget.dirtyBytes {
          try task.commit()
        }
      }
      upTo = end
    }
  }
}
