import StateStore
import StreamCore
import Synchronization

/// What the owner of a topology knows of the units that trapped, shared by its tasks: it alone
/// writes the file, besides the handler of the signal.
package final class TrapLedger: Sendable {
  let path: String
  private let trapped: Mutex<TrappedUnits>

  /// Reads what the processes before left, and names it.
  ///
  /// - Throws: ``StateStore/StoreError``.
  init(_ directory: StateDirectory, report: (String) -> Void) throws(StoreError) {
    path = "\(directory.path)/trapped"
    var units = try TrappedUnits(path: path)
    if !units.isEmpty, let current = try directory.current(),
      units.forget(generationsBefore: current)
    {
      try units.save()
    }
    for unit in units.units.uniqued(by: \.place) {
      let isSpent = units.traps(at: unit.place) >= TrappedUnits.triesMax
      report(
        "the handler of \(unit) ended the process"
          + (isSpent
            ? " twice: it is not run any more and goes to its `process` policy"
            : ": it is tried once more"))
    }
    trapped = Mutex(units)
  }

  func traps(at place: TrapPlace) -> Int { trapped.withLock { $0.traps(at: place) } }

  /// Whether units of a task trapped, besides those that a state of so many units is past.
  func begin(generation: Int, task: String, units: Int64) throws(StoreError) -> Bool {
    try trapped.withLock { trapped throws(StoreError) in
      if trapped.forget(generation: generation, task: task, before: units) { try trapped.save() }
      return trapped.units.contains { $0.generation == generation && $0.task == task }
    }
  }

  /// Units have passed, durably.
  func forget(_ places: Set<TrapPlace>) throws(StoreError) {
    try trapped.withLock { trapped throws(StoreError) in
      if trapped.forget(places) { try trapped.save() }
    }
  }
}

extension Array {
  /// The first of each with the same `key`, in order.
  fileprivate func uniqued<Key: Hashable>(by key: (Element) -> Key) -> [Element] {
    var seen: Set<Key> = []
    return filter { seen.insert(key($0)).inserted }
  }
}
