import Glibc
import Synchronization

/// A thread of the engine: it blocks in LMDB and the log, where no Swift task may.
final class EngineThread: Sendable {
  private let done = Mutex(false)
  private let finished = WakeUp()

  init(_ body: @escaping @Sendable () -> Void) {
    let start = Start {
      body()
      self.done.withLock { $0 = true }
      self.finished.signal()
    }
    var thread = pthread_t()
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        // SAFETY: the box was retained for this thread alone, which takes it over here.
        guard let argument else { return nil }
        unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, unsafe Unmanaged.passRetained(start).toOpaque())
    precondition(status == 0, "the system gives no more threads")
    pthread_detach(thread)
  }

  /// Waits for the thread's end.
  func join() {
    while !done.withLock({ $0 }) { finished.sleep(atMost: .milliseconds(100)) }
  }

  private final class Start: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}
