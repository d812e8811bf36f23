/// Tells threads that what they do is to end, once and for good.
///
/// Whoever works looks at it between two steps, and waits by it; whoever cannot look is ended by a
/// hook. One that was made below another stops with it.
final class StopSignal: Sendable {
  private struct Contents {
    var isStopped = false
    var isAbandoned = false
    var hooks: [Int: @Sendable () -> Void] = [:]
    var lastHook = 0
  }
  private let contents = Monitor(Contents())
  private let above: StopSignal?
  private let hookAbove: Int

  init(below above: StopSignal? = nil) {
    self.above = above
    guard let above else {
      hookAbove = 0
      return
    }
    let contents = contents
    hookAbove = above.onStop { Self.stop(contents) }
  }

  deinit { above?.forget(hookAbove) }

  /// Callable from any thread, again and again.
  func stop() { Self.stop(contents) }

  private static func stop(_ contents: Monitor<Contents>) {
    let hooks = contents.change { contents in
      defer { contents.hooks = [:] }
      contents.isStopped = true
      return contents.hooks.values.map(\.self)
    }
    for hook in hooks { hook() }
  }

  var isStopped: Bool { contents.withLock { $0.isStopped } }

  /// Nobody waits for the work any longer: whatever it still does, it is to keep nothing of it.
  func abandon() {
    stop()
    contents.change { $0.isAbandoned = true }
  }

  private var isAbandoned: Bool {
    contents.withLock { $0.isAbandoned } || above?.isAbandoned == true
  }

  /// - Throws: ``TaskError`` with `.stopped` once the work was abandoned.
  func checkNotAbandoned() throws {
    guard isAbandoned else { return }
    throw TaskError(
      .stopped, nil, nil, "the process was stopped and did not wait for this; nothing is kept of it"
    )
  }

  /// - Throws: ``TaskError`` with `.stopped`.
  func check(_ what: String) throws {
    guard isStopped else { return }
    throw TaskError(.stopped, nil, nil, "the process was stopped during \(what)")
  }

  /// Has `hook` called by the thread that stops, or at once where that has happened.
  ///
  /// - Returns: what ``forget(_:)`` takes.
  @discardableResult
  func onStop(_ hook: @escaping @Sendable () -> Void) -> Int {
    let number = contents.withLock { contents -> Int? in
      if contents.isStopped { return nil }
      contents.lastHook += 1
      contents.hooks[contents.lastHook] = hook
      return contents.lastHook
    }
    guard let number else {
      hook()
      return 0
    }
    return number
  }

  func forget(_ hook: Int) { contents.withLock { $0.hooks[hook] = nil } }

  /// Waits, not beyond the stop.
  ///
  /// - Returns: whether the time went by without one.
  @discardableResult
  func sleep(_ duration: Duration) -> Bool {
    contents.wait(atMost: duration) { $0.isStopped ? true : nil } == nil
  }
}
