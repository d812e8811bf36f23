import StateStore
import StreamCore
import Synchronization

/// A decision about kept records of one task, carried out a bounded number at a time.
///
/// What comes of it that is kept again has a new number, and is not gone through a second time.
final class KeptWork: TaskWork {
  /// What became of it so far.
  struct Tally: Sendable {
    var fates: [String: Int] = [:]
    /// What was there when it began.
    var total = 0
    /// The request had been carried out before.
    var wasDone = false

    var tried: Int { fates.values.reduce(0, +) }
  }

  /// The tally of one task, which its loop keeps and others read.
  final class Progress: Sendable {
    private let tally = Mutex(Tally())
    var value: Tally { tally.withLock { $0 } }
    func update(_ body: (inout Tally) -> Void) { tally.withLock { body(&$0) } }
  }

  private let verb: KeptVerb
  private let request: String?
  /// `nil` for all but conflicts, which are the operator's to decide one by one.
  private let numbers: [Int64]?
  private let reason: String?
  private let stop: StopSignal
  private let whenEnded: @Sendable ((any Error)?) -> Void
  let progress = Progress()
  private var memory: RequestMemory?
  private var upTo: Int64 = 0
  private var last: Int64 = 0
  private var hasBegun = false
  /// Of one step: a stop is heard between two.
  private let stepMax = 100

  /// - Parameters:
  ///   - request: the id of the request that asks for it: each task commits it with the effect.
  ///   - stop: ends it between two dead letters; what was done is committed and stays.
  init(
    _ verb: KeptVerb, _ selection: KeptSelection, of task: TaskName, request: String?,
    stop: StopSignal, whenEnded: @escaping @Sendable ((any Error)?) -> Void = { _ in }
  ) {
    self.verb = verb
    self.request = request
    numbers = selection.ids.map { $0.filter { $0.task == task }.map(\.number).sorted() }
    reason = selection.reason
    self.stop = stop
    self.whenEnded = whenEnded
  }

  func end(_ failure: (any Error)?) { whenEnded(failure) }

  func step(_ task: StreamTask) throws -> (records: Int, hasMore: Bool) {
    if !hasBegun {
      guard begin(task) else { return (0, false) }
      hasBegun = true
    }
    // What follows from a decision comes before the next one, though a step ends among it.
    var records = try task.runCascade(limit: stepMax)
    if records == stepMax { return (records, true) }
    let page = try next(task)
    for number in page where !stop.isStopped {
      if records >= stepMax { break }
      if try mayRun(number, in: task) {
        guard let fate = try outcome(of: number, in: task) else { return (records, true) }
        progress.update { $0.fates[fate, default: 0] += 1 }
        records += 1
      }
      upTo = number
      records += try task.runCascade(limit: max(0, stepMax - records))
    }
    // A request that was taken back is not done: it may be asked for again, and then goes on.
    if page.isEmpty { memory?.noteDone() } else { memory?.note(upTo: upTo) }
    task.state.commitUnit()
    task.markDirty()
    return (records, !page.isEmpty && !stop.isStopped)
  }

  /// - Returns: whether there is anything to do.
  private func begin(_ task: StreamTask) -> Bool {
    last = numbers?.last ?? verb.store(task).lastNumber
    let memory = request.map { RequestMemory($0, in: task.state.words) }
    switch memory?.progress {
    case .done:
      progress.update { $0.wasDone = true }
      return false
    case .begun(let number, let end): (upTo, last) = (number, end)
    case .new:
      memory?.begin(of: last)
      // Not the first record's to take back.
      task.state.commitUnit()
    case nil: break
    }
    self.memory = memory
    let total = numbers?.count ?? verb.store(task).count
    progress.update { $0.total = total }
    return true
  }

  private func next(_ task: StreamTask) throws -> ArraySlice<Int64> {
    if let numbers { return numbers.drop { $0 <= upTo }.prefix(stepMax) }
    return try verb.store(task).numbers(after: upTo, limit: stepMax)
      .prefix { $0 <= last }
  }

  /// - Returns: what became of the entry; `nil` where the process stops meanwhile, and it stays.
  private func outcome(of number: Int64, in task: StreamTask) throws -> String? {
    do {
      return try verb.perform(task, number, numbers != nil) ?? "not found"
    } catch let error as TaskError where error.code == .stopped {
      return nil
    } catch let error as TaskError where error.code == .recordFailed {
      // Nobody is stopped by a try that somebody asked for: it stays as it was.
      return "failed"
    } catch let error as TaskError where error.code == .sourceRemoved {
      return "of a removed source"
    }
  }

  /// All with the reason; else all but conflicts, each of which is decided by its id.
  private func mayRun(_ number: Int64, in task: StreamTask) throws -> Bool {
    guard numbers == nil, let entry = try verb.store(task).entry(number) else { return true }
    let record = try KeptRecord(entry.bytes)
    if let reason { return record.why.name == reason }
    return record.reason != .conflict
  }
}

extension KeptRecord.Why {
  /// As `list` names it.
  fileprivate var name: String {
    switch self {
    case .failed(let reason, _, _): reason
    case .missingRow: "missingRow"
    case .missingNumber: "missingNumber"
    case .parked: "parked"
    }
  }
}

extension StreamTask {
  /// Numbers of all dead letters, oldest first.
  func deadLetterNumbers() throws -> [Int64] {
    var all: [Int64] = []
    while true {
      let page = try state.deadLetters.numbers(after: all.last ?? 0, limit: 1_000)
      if page.isEmpty { return all }
      all += page
    }
  }
}
