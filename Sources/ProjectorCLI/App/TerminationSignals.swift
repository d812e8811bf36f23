import Glibc
import Synchronization
import Topology

/// SIGTERM and SIGINT as a call, for verbs that finish what they began and end with 0; until one
/// takes them they end the process, as they would without us.
///
/// `main` makes it before anything else runs: the signals are blocked in its thread, every thread
/// started later inherits that, and one of ours takes the signals as they come. A handler or a
/// signalfd set up on the side would leave a moment in which one is lost, and a thread that does not
/// block them would be ended by them, with the process.
final class TerminationSignals: Sendable {
  private struct State {
    var areTaken = false
    /// The first that arrived since they were taken.
    var received: Int32?
    var handlers: [@Sendable () -> Void] = []
  }

  private let state = Mutex(State())

  init() {
    let signals = Self.set([SIGTERM, SIGINT])
    Self.mask(SIG_BLOCK, signals)
    // It ends with the process.
    _ = EngineThread { [self] in
      var waited = signals
      var number: Int32 = 0
      while true {
        if sigwait(&waited, &number) == 0 { receive(number) }
      }
    }
  }

  /// From now on they end nothing by themselves.
  func take() { state.withLock { $0.areTaken = true } }

  /// They end the process again, and one that has arrived meanwhile does so now.
  func letGo() {
    let received = state.withLock { state in
      state.areTaken = false
      return state.received
    }
    if let received { Self.end(by: received) }
  }

  /// Whether one has arrived since they were taken.
  var wereReceived: Bool { state.withLock { $0.received != nil } }

  /// Calls `handler`, from some thread, when one arrives, or at once if one has.
  func onReceive(_ handler: @escaping @Sendable () -> Void) {
    let wereReceived = state.withLock { state in
      state.handlers.append(handler)
      return state.received != nil
    }
    if wereReceived { handler() }
  }

  private func receive(_ number: Int32) {
    let handlers: [@Sendable () -> Void]? = state.withLock { state in
      guard state.areTaken else { return nil }
      state.received = state.received ?? number
      return state.handlers
    }
    if let handlers {
      for handler in handlers { handler() }
    } else {
      Self.end(by: number)
    }
  }

  /// In this thread alone it is not blocked then, and does what was set for it: nothing else is of our
  /// making.
  private static func end(by number: Int32) {
    mask(SIG_UNBLOCK, set([number]))
    raise(number)
    mask(SIG_BLOCK, set([number]))
  }

  private static func set(_ numbers: [Int32]) -> sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in numbers { sigaddset(&signals, number) }
    return signals
  }

  private static func mask(_ how: Int32, _ signals: sigset_t) {
    var signals = signals
    pthread_sigmask(how, &signals, nil)
  }
}
