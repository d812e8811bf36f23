import Glibc
import Synchronization

/// A thread of the engine: it blocks in LMDB and the log, where no Swift task may.
package final class EngineThread: Sendable {
  private let ending = Ending()

  package init(_ body: @escaping @Sendable () -> Void) {
    let start = Start(body, ending)
    var thread = pthread_t()
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        // SAFETY: the box was retained for this thread alone, which takes it over here.
        guard let argument else { return nil }
        unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, unsafe Unmanaged.passRetained(start).toOpaque())
    precondition(status == 0, "the system gives no more threads")
    pthread_detach(thread)
  }

  /// Waits for the thread's end; what it held is let go by then.
  func join() {
    while !ending.isDone { ending.signal.sleep(atMost: .milliseconds(100)) }
  }

  private final class Ending: Sendable {
    private let done = Mutex(false)
    let signal = WakeUp()

    var isDone: Bool { done.withLock { $0 } }

    func tell() {
      done.withLock { $0 = true }
      signal.signal()
    }
  }

  private final class Start: Sendable {
    private let body: Mutex<(@Sendable () -> Void)?>
    private let ending: Ending

    init(_ body: @escaping @Sendable () -> Void, _ ending: Ending) {
      self.body = Mutex(body)
      self.ending = ending
    }

    func run() {
      // The closure holds tasks, whose state others open once this thread is joined: it goes first.
      takeBody()?()
      ending.tell()
    }

    private func takeBody() -> (@Sendable () -> Void)? {
      body.withLock { body in
        defer { body = nil }
        return body
      }
    }
  }
}
