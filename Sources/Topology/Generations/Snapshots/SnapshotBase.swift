import StateStore
import StreamCore

/// A task's copy in a snapshot, from which a rebuild can begin.
package struct SnapshotBase: Hashable, Sendable {
  package let snapshot: Int
  package let task: TaskName
  package let directory: String
  package let progress: TaskProgress

  /// The usable copies of a task, oldest first, with why others are not.
  ///
  /// A copy is used if it is of the same topology, partition, format and lineage, and not ahead of
  /// the state that serves; else it is as if it were not there.
  static func all(
    of identity: TaskIdentity, _ task: TaskName, in directory: StateDirectory
  ) throws -> (usable: [SnapshotBase], refused: [String]) {
    let store = SnapshotStore(directory)
    let serving = try directory.current().flatMap { generation -> TaskProgress? in
      guard try directory.tasks(of: generation).contains(task) else { return nil }
      return try TaskProgress.read(directory.task(generation, task))
    }
    var usable: [SnapshotBase] = []
    var refused: [String] = []
    for number in try store.numbers() where try store.tasks(in: number).contains(task) {
      let path = store.path(number, task)
      do {
        let base = SnapshotBase(
          snapshot: number, task: task, directory: path,
          progress: try progress(of: identity, path))
        let positions = base.progress.positions
        // The copy of a task that had not begun yet is no shorter way than the log.
        let hasBegun = positions.values.contains { $0 > 0 }
        if hasBegun, positions.allSatisfy({ $1 <= serving?.positions[$0] ?? $1 }) {
          usable.append(base)
        }
      } catch let error as StoreError {
        refused.append(refusal(of: number, error))
      }
    }
    return (usable, refused)
  }

  /// Why a copy that is to be begun from is not used: a page of it is damaged. `nil` where none is.
  ///
  /// - Throws: ``StateStore/StoreError`` where it cannot be looked at.
  func damage() throws(StoreError) -> String? {
    do throws(StoreError) {
      try SnapshotStore.check(directory)
      return nil
    } catch {
      guard error.code == .corrupted else { throw error }
      return Self.refusal(of: snapshot, error)
    }
  }

  private static func refusal(of number: Int, _ error: StoreError) -> String {
    "snapshot \(StateDirectory.name(number)) is not used: \(reason(error))"
  }

  /// Why a copy is not used, in few words: what the error advises is for a state that serves.
  private static func reason(_ error: StoreError) -> String {
    switch error.code {
    case .lineageChanged: "another lineage"
    case .foreign: "another topology, partition or partition count"
    case .newer: "a newer format"
    case .older: "an older format"
    default: "it cannot be read (\(error.code))"
    }
  }

  /// - Throws: ``StateStore/StoreError`` for a copy that a task of this identity cannot begin from.
  static func progress(of identity: TaskIdentity, _ path: String) throws -> TaskProgress {
    let reader = try SnapshotStore.reader(of: path)
    try identity.check(snapshot: reader)
    return try reader.read { try TaskProgress($0) }
  }
}
