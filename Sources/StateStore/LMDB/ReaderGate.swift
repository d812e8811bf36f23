import Glibc

/// Lets transactions of one environment pass, and closes while its map changes size or is opened
/// anew: LMDB unmaps it, so no transaction of this process may be open then (lmdb.h,
/// `mdb_env_set_mapsize`).
///
/// `@unchecked Sendable`: every field is touched under the mutex alone.
@safe
final class ReaderGate: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var inside = 0
  private var closed = false

  init() {
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe changed.initialize(to: pthread_cond_t())
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(changed, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(changed)
    unsafe pthread_mutex_destroy(mutex)
    unsafe changed.deallocate()
    unsafe mutex.deallocate()
  }

  func enter() {
    unsafe pthread_mutex_lock(mutex)
    while closed { unsafe pthread_cond_wait(changed, mutex) }
    inside += 1
    unsafe pthread_mutex_unlock(mutex)
  }

  func leave() {
    unsafe pthread_mutex_lock(mutex)
    inside -= 1
    if inside == 0 { unsafe pthread_cond_broadcast(changed) }
    unsafe pthread_mutex_unlock(mutex)
  }

  /// Runs something short that needs the environment, but no transaction; also for who is inside.
  func briefly<Result>(_ body: () -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Runs `body` alone if nobody is inside now.
  ///
  /// - Returns: what `body` returns, or `nil` if somebody was inside.
  func aloneNow<Result>(_ body: () -> Result) -> Result? {
    briefly { inside == 0 && !closed ? body() : nil }
  }

  /// Waits until nobody is inside, runs `body` alone, and lets others in again.
  ///
  /// The caller must not be inside itself.
  ///
  /// - Parameter closing: called once nobody can enter any more, to have long work inside end early.
  func alone<Result>(closing: () -> Void, _ body: () -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    while closed { unsafe pthread_cond_wait(changed, mutex) }
    closed = true
    if inside > 0 { closing() }
    while inside > 0 { unsafe pthread_cond_wait(changed, mutex) }
    let result = body()
    closed = false
    unsafe pthread_cond_broadcast(changed)
    unsafe pthread_mutex_unlock(mutex)
    return result
  }
}
