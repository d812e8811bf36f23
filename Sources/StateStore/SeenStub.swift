package import StreamCore
import Synchronization

// Ids in memory only: replaced, file and all, by the durable store that lands next.

package struct SeenID: Sendable {
  package var offset: Int64?
  package var valueHash: UInt32
  package var scope: UInt8
}

package final class SeenIDs: Sendable {
  package enum Retention: Sendable { case forever, count(Int), age(milliseconds: Int64) }
  package var retention: Retention {
    get { .forever }
    set {}
  }
  private let ids = Mutex<[Hash128: SeenID]>([:])
  private static let known = Mutex<[String: SeenIDs]>([:])

  static func of(_ directory: String) -> SeenIDs {
    known.withLock { known in
      if let ids = known[directory] { return ids }
      known[directory] = SeenIDs()
      return known[directory] ?? SeenIDs()
    }
  }

  package func find(_ hash: Hash128) throws(StoreError) -> SeenID? { ids.withLock { $0[hash] } }

  package func insert(
    _ hash: Hash128, offset: Int64, valueHash: UInt32, scope: UInt8 = 0, timestamp: Timestamp
  ) throws(StoreError) {
    ids.withLock { $0[hash] = SeenID(offset: offset, valueHash: valueHash, scope: scope) }
  }
}

extension TaskState {
  package var seenIDs: SeenIDs { SeenIDs.of(directory) }
}
