import Glibc
import Synchronization

/// Ends copies of environments before they are done, from any thread.
package final class CopyCancellation: Sendable {
  private struct State {
    var isCancelled = false
    /// The environment wants to be alone: the copy begins again afterwards.
    var isInterrupted = false
    /// The file that a copy is writing.
    var target: Int32?
  }

  private let state = Mutex(State())

  package init() {}

  /// Ends the copy on its way with its next page, and lets none begin.
  package func cancel() { end { $0.isCancelled = true } }

  /// Ends the copy on its way with its next page; it is to begin again.
  func interrupt() { end { $0.isInterrupted = true } }

  var isCancelled: Bool { state.withLock { $0.isCancelled } }
  /// Whether a copy is to end now, for whatever reason.
  var isEnded: Bool { state.withLock { $0.isCancelled || $0.isInterrupted } }

  /// A copy begins, perhaps again.
  func begin() { state.withLock { $0.isInterrupted = false } }

  private func end(_ change: (inout State) -> Void) {
    state.withLock { state in
      change(&state)
      guard let target = state.target else { return }
      // LMDB asks nobody on its way and ends only where a write fails: its descriptor becomes one
      // that cannot be written. If the system gives none, the copy goes on to its end.
      let unwritable = unsafe Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
      guard unwritable >= 0 else { return }
      dup2(unwritable, target)
      close(unwritable)
    }
  }

  /// Runs a copy into `file`, which stays the caller's to close.
  ///
  /// - Returns: what `copy` returns; `nil` if it was ended before it began or on its way.
  func guarding<Result>(_ file: Int32, _ copy: () -> Result) -> Result? {
    let mayBegin = state.withLock { state in
      let mayBegin = !state.isCancelled && !state.isInterrupted
      if mayBegin { state.target = file }
      return mayBegin
    }
    guard mayBegin else { return nil }
    let result = copy()
    // From here on the descriptor's number may become another file's.
    let wasEnded = state.withLock { state in
      state.target = nil
      return state.isCancelled || state.isInterrupted
    }
    return wasEnded ? nil : result
  }
}
