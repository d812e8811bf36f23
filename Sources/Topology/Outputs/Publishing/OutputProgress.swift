import StateStore
import StreamCore
import Synchronization

/// How far a task's outputs were sent: what the thread that publishes tells the task's own, and which
/// entries that has claimed, to leave them out.
final class OutputProgress: Sendable {
  struct Cursor: Sendable {
    /// The last number sent, by destination.
    var sent: [String: Int64] = [:]
    /// Bytes of all entries up to those, where they were read.
    var ends: [String: Int64] = [:]
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
    /// The last number that was read to be sent, by destination.
    var taken: [String: Int64] = [:]
    /// Nothing at or behind these numbers is taken, until it is durable that they are left out.
    var claimed: [String: Set<Int64>] = [:]
    var onMove: (@Sendable () -> Void)?
  }
  private let contents = Mutex(Contents())

  init(_ cursor: Cursor) {
    contents.withLock { ($0.cursor, $0.taken) = (cursor, cursor.sent) }
  }

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
    let onMove = contents.withLock { contents in
      contents.cursor = cursor
      contents.version += 1
      defer { contents.onMove = nil }
      return contents.onMove
    }
    onMove?()
  }

  /// Has `body` called once, when the cursor moves next.
  func whenMoved(_ body: @escaping @Sendable () -> Void) {
    contents.withLock { $0.onMove = body }
  }

  // MARK: Leaving out

  /// Keeps an entry from being taken.
  ///
  /// - Returns: whether it was not taken before.
  func claim(_ number: Int64, of destination: String) -> Bool {
    contents.withLock { contents in
      guard number > contents.taken[destination] ?? 0 else { return false }
      contents.claimed[destination, default: []].insert(number)
      return true
    }
  }

  /// Whether an entry is left out is durable, or given up.
  func release(_ number: Int64, of destination: String) {
    contents.withLock { _ = $0.claimed[destination]?.remove(number) }
  }

  /// Takes entries to be sent.
  ///
  /// - Returns: the last that may be: at most `last`, and before what is claimed.
  func take(of destination: String, after: Int64, upTo last: Int64) -> Int64 {
    contents.withLock { contents in
      let claimed = contents.claimed[destination]?.lazy.filter { $0 > after }.min()
      let end = min(last, claimed.map { $0 - 1 } ?? last)
      contents.taken[destination] = max(after, end)
      return end
    }
  }

  /// No more than these were taken.
  func settle(_ taken: [String: Int64]) {
    contents.withLock { $0.taken.merge(taken) { $1 } }
  }
}
