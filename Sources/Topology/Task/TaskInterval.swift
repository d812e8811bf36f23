import StateStore
import StreamCore

/// Everything of one task that a commit makes durable or an abort takes back.
///
/// Units change what is in it and end in one of two ways: kept, with all they did, or dropped. What
/// a commit keeps is changed inside a unit alone. An error that is not a unit's own closes the
/// interval for good: the task starts again from disk, and nothing touches this one any more.
final class TaskInterval {
  let state: TaskState
  let counters: TaskCounters
  private let counterSlots: [Int]
  /// Counts intervals: what their size and cost are told by.
  private let commitsSlot: Int
  /// Counts the units since the state was begun: the places of the journal.
  private let unitsSlot: Int
  /// Units since the last commit.
  private(set) var units = 0
  private var isOpen = false
  /// There is something to commit, be it only a position.
  private(set) var isDirty = false
  /// What closed it.
  private(set) var failure: (any Error)?

  init(_ state: TaskState, _ counters: TaskCounters) {
    self.state = state
    self.counters = counters
    counterSlots = Counter.allCases.map { state.words.register("count/\($0)") }
    commitsSlot = state.words.register("commits")
    unitsSlot = state.words.register("units")
    for counter in Counter.allCases {
      counters[counter] = state.words[counterSlots[counter.rawValue]]
    }
    counters.commitUnit()
  }

  /// The number of the running unit, counted since the state was begun.
  var unitNumber: Int64 { state.words[unitsSlot] }

  /// - Throws: ``TaskError`` with `.closed` once an error has closed it.
  func checkOpenable() throws {
    guard let failure else { return }
    throw TaskError(
      .closed, nil, nil, "the task was closed by an error and starts again from disk: \(failure)")
  }

  func open() throws {
    guard !isOpen else { return }
    try checkOpenable()
    try state.begin()
    isOpen = true
  }

  /// The unit ends with its effects; they are the interval's.
  func keepUnit() {
    state.words[unitsSlot] += 1
    state.commitUnit()
    counters.commitUnit()
    units += 1
    isDirty = true
  }

  /// The unit ends as if it had not been.
  func dropUnit() {
    state.rollbackUnit()
    counters.rollbackUnit()
  }

  /// What was done since the last unit stays, and is no unit.
  func keepBetweenUnits() {
    state.commitUnit()
    counters.commitUnit()
    isDirty = true
  }

  /// Something besides units is to be committed: a position past records that are none.
  func touch() { isDirty = true }

  /// What it holds and its commit will take.
  var bytes: IntervalBytes { isOpen ? state.intervalBytes : IntervalBytes() }

  /// Commits what there is.
  ///
  /// - Parameter save: puts the rest where the commit takes it from.
  /// - Returns: whether there was anything.
  /// - Throws: whatever went wrong; the interval is closed.
  func commit(_ save: () throws -> Void) throws -> Bool {
    try checkOpenable()
    guard isDirty else {
      if isOpen {
        state.abort()
        isOpen = false
      }
      return false
    }
    do {
      try open()
      guard counters.fatesAddUp else {
        throw TaskError(
          .inconsistent, nil, nil,
          "the fates of \(state.directory) do not add up to what was consumed; nothing of this "
            + "interval is committed: report this as a defect")
      }
      for counter in Counter.allCases {
        state.words[counterSlots[counter.rawValue]] = counters[counter]
      }
      try save()
      state.words[commitsSlot] += 1
      state.commitUnit()
      try state.commit()
    } catch {
      close(error)
      throw error
    }
    (units, isDirty, isOpen) = (0, false, false)
    return true
  }

  /// Drops all since the last commit, and takes nothing any more.
  func close(_ error: any Error) {
    guard failure == nil else { return }
    failure = error
    state.abort()
    isOpen = false
  }
}
