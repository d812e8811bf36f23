import StateStore
import StreamCore
import Synchronization

/// How far a task's outputs were sent: what the thread that publishes tells the task's own.
final class OutputProgress: Sendable {
  struct Cursor: Sendable {
    /// The last number sent, by destination.
    var sent: [String: Int64] = [:]
    /// The last mark whose interval was sent whole.
    var mark: Int64 = 0
  }

  private struct Contents {
    var cursor = Cursor()
    /// Rises with the cursor.
    var version = 0
    /// Commits noted, and those of them after which nothing was left to send.
    var noted = 0
    var served = 0
    var failure: (any Error)?
  }
  private let contents = Mutex(Contents())

  init(_ cursor: Cursor) { contents.withLock { $0.cursor = cursor } }

  var cursor: Cursor { contents.withLock { $0.cursor } }
  var version: Int { contents.withLock { $0.version } }
  var failure: (any Error)? { contents.withLock { $0.failure } }

  /// Whether what was committed is not all sent, and will be.
  var isPending: Bool { contents.withLock { $0.failure == nil && $0.noted != $0.served } }

  func note() { contents.withLock { $0.noted += 1 } }
  var noted: Int { contents.withLock { $0.noted } }
  func serve(_ noted: Int) { contents.withLock { $0.served = noted } }
  func fail(_ error: any Error) { contents.withLock { $0.failure = $0.failure ?? error } }

  func move(to cursor: Cursor) {
    contents.withLock { contents in
      contents.cursor = cursor
      contents.version += 1
    }
  }
}
