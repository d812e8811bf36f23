import Glibc

/// A value under a lock, for whose changes threads can wait.
///
/// Waits end by the monotonic clock: a wall clock that is set back makes nobody wait longer.
final class Monitor<State>: @unchecked Sendable {
  // Invariant: `state` is touched under `mutex` alone; both stay where they were allocated.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var state: State

  init(_ state: State) {
    self.state = state
    unsafe pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(changed, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    unsafe pthread_cond_destroy(changed)
    unsafe pthread_mutex_destroy(mutex)
    unsafe changed.deallocate()
    unsafe mutex.deallocate()
  }

  /// Looks at the value, or changes what nobody waits for.
  func withLock<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return try body(&state)
  }

  /// Changes the value and lets those that wait look at it.
  func change<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer {
      unsafe pthread_cond_broadcast(changed)
      unsafe pthread_mutex_unlock(mutex)
    }
    return try body(&state)
  }

  /// Waits until `ready` answers.
  ///
  /// - Parameters:
  ///   - limit: how long at most; `nil` for ever.
  ///   - ready: called under the lock, first at once and then after each change.
  /// - Returns: its answer; `nil` where time ran out.
  func wait<Answer>(atMost limit: Duration?, for ready: (inout State) -> Answer?) -> Answer? {
    let deadline = limit.map { Self.deadline(after: $0) }
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while true {
      if let answer = ready(&state) { return answer }
      if var deadline {
        if unsafe pthread_cond_timedwait(changed, mutex, &deadline) == ETIMEDOUT {
          return ready(&state)
        }
      } else {
        unsafe pthread_cond_wait(changed, mutex)
      }
    }
  }

  private static func deadline(after limit: Duration) -> timespec {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    // A year is for ever, and overflows nothing.
    let (seconds, attoseconds) = max(.zero, min(limit, .seconds(31_536_000))).components
    time.tv_sec += Int(seconds)
    time.tv_nsec += Int(attoseconds / 1_000_000_000)
    if time.tv_nsec >= 1_000_000_000 {
      time.tv_sec += 1
      time.tv_nsec -= 1_000_000_000
    }
    return time
  }
}
