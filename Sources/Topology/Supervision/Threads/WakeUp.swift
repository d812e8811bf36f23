/// Lets one thread sleep until another has something for it.
///
/// Signals between two sleeps count once.
final class WakeUp: Sendable {
  private let isSignalled = Monitor(false)

  func signal() { isSignalled.change { $0 = true } }

  /// Returns at once where a signal came since the last sleep.
  ///
  /// - Parameter duration: by the monotonic clock; `nil` for as long as there is no signal.
  func sleep(atMost duration: Duration?) {
    _ = isSignalled.wait(atMost: duration) { $0 ? true : nil }
    isSignalled.withLock { $0 = false }
  }
}
