import Glibc
import Synchronization

/// Ends copies of environments before they are done, from any thread.
package final class CopyCancellation: Sendable {
  private struct State {
    var isCancelled = false
    /// The file that a copy is writing.
    var target: Int32?
  }

  private let state = Mutex(State())

  package init() {}

  /// Ends the copy on its way with its next write, and lets none begin.
  package func cancel() {
    state.withLock { state in
      state.isCancelled = true
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
  /// - Returns: what `copy` returns; `nil` if it was cancelled before it began or on its way.
  func guarding<Result>(_ file: Int32, _ copy: () -> Result) -> Result? {
    let mayBegin = state.withLock { state in
      if !state.isCancelled { state.target = file }
      return !state.isCancelled
    }
    guard mayBegin else { return nil }
    let result = copy()
    // From here on the descriptor's number may become another file's.
    let wasCancelled = state.withLock { state in
      state.target = nil
      return state.isCancelled
    }
    return wasCancelled ? nil : result
  }
}
