import StateStore
import Synchronization

/// What the operators' code meets outside: services that are down, disks that fail, and whoever
/// stops the process.
package final class World: Sendable {
  /// How whole the world is.
  package enum Phase: Int, Hashable, Sendable, CaseIterable {
    /// `bad` and `brittle` records fail in an operator.
    case broken
    /// `brittle` ones fail at the sink.
    case halfMended
    /// Nothing fails but what always does.
    case whole
  }

  private struct State {
    var phase = Phase.whole
    var calls = 0
    var faultAt = 0
    var stopAt = 0
    var stop: (@Sendable () -> Void)?
    var beforeFault: (@Sendable () -> Void)?
    var requests = 0
  }
  private let state = Mutex(State())

  package init() {}

  package var phase: Phase {
    get { state.withLock { $0.phase } }
    set { state.withLock { $0.phase = newValue } }
  }

  /// The `calls`th call from now on finds the disk failing.
  package func fault(at calls: Int, after body: (@Sendable () -> Void)? = nil) {
    state.withLock { ($0.calls, $0.faultAt, $0.beforeFault) = (0, calls, body) }
  }

  /// The `calls`th call from now on has `stop` called.
  package func stop(at calls: Int, _ stop: @escaping @Sendable () -> Void) {
    state.withLock { ($0.calls, $0.stopAt, $0.stop) = (0, calls, stop) }
  }

  /// Nothing more happens from outside.
  package func calm() {
    state.withLock {
      ($0.faultAt, $0.stopAt, $0.stop, $0.beforeFault) = (0, 0, nil, nil)
    }
  }

  /// The id of a command that is asked for now.
  package func nextRequest() -> String {
    state.withLock {
      $0.requests += 1
      return "site-\($0.requests)"
    }
  }

  /// One call of an operator's code.
  package func call() throws {
    let (isFault, stop, before) = state.withLock { state in
      state.calls += 1
      return (
        state.calls == state.faultAt, state.calls == state.stopAt ? state.stop : nil,
        state.beforeFault
      )
    }
    stop?()
    guard isFault else { return }
    before?()
    throw StoreError(.failed, "reading: Input/output error", store: "site")
  }

  /// An operator works on an event.
  package func work(on event: SiteEvent) throws {
    try call()
    switch event.kind {
    case .poison: throw SiteTrouble(description: "poison")
    case .bad where phase == .broken, .brittle where phase == .broken:
      throw SiteTrouble(description: "a service that is down")
    default: break
    }
  }
}

/// The error of an operator in a broken world.
package struct SiteTrouble: Error, CustomStringConvertible {
  package let description: String
}
