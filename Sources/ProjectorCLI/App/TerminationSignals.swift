import Glibc
import Synchronization
import Topology

/// SIGTERM and SIGINT as a call: the verb finishes what it began, and the process exits with 0.
///
/// Made before any other thread: the signals are blocked in the caller's thread, threads started
/// later inherit that, and one of them takes the signals as they come. A handler or a signalfd set
/// up on the side would leave a moment in which one is lost.
final class TerminationSignals: Sendable {
  private let received = Mutex(false)
  private let handlers = Mutex<[@Sendable () -> Void]>([])

  init() {
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGTERM, SIGINT] { sigaddset(&signals, number) }
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    let waited = signals
    // It ends with the process.
    _ = EngineThread { [self] in
      var waited = waited
      var number: Int32 = 0
      while true {
        if sigwait(&waited, &number) == 0 { note() }
      }
    }
  }

  /// Whether one has arrived.
  var wereReceived: Bool { received.withLock { $0 } }

  /// Calls `handler`, from some thread, when one arrives, or at once if one has.
  func onReceive(_ handler: @escaping @Sendable () -> Void) {
    handlers.withLock { $0.append(handler) }
    if wereReceived { handler() }
  }

  private func note() {
    received.withLock { $0 = true }
    for handler in handlers.withLock({ $0 }) { handler() }
  }
}
