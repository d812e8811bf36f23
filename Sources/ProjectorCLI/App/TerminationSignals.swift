import Dispatch
import Glibc
import Synchronization

/// SIGTERM and SIGINT as a call: the verb finishes what it began, and the process exits with 0.
final class TerminationSignals: Sendable {
  private let received = Mutex(false)
  private let handlers = Mutex<[@Sendable () -> Void]>([])
  // Kept alive, never touched again.
  private nonisolated(unsafe) var sources: [any DispatchSourceSignal] = []

  init() {
    for number in [SIGTERM, SIGINT] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { [weak self] in self?.note() }
      source.resume()
      sources.append(source)
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
