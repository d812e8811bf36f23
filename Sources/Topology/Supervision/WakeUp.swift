import Dispatch
import Synchronization

/// Lets one thread sleep until another has something for it.
///
/// Signals between two sleeps count once, so a busy producer costs one semaphore call a sleep.
final class WakeUp: Sendable {
  private let semaphore = DispatchSemaphore(value: 0)
  private let signalled = Mutex(false)

  func signal() {
    let first = signalled.withLock { flag in
      defer { flag = true }
      return !flag
    }
    if first { semaphore.signal() }
  }

  /// Returns at once where a signal came since the last sleep.
  func sleep(atMost duration: Duration) {
    let (seconds, attoseconds) = duration.components
    let nanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
    _ = semaphore.wait(timeout: .now() + .nanoseconds(nanoseconds))
    signalled.withLock { $0 = false }
  }
}
