/// Which of a loop's tasks have something to do: told by whoever gives it to them, so that an idle
/// task costs nothing.
final class ReadyQueue: Sendable {
  private struct Contents {
    /// In the order in which they were told of.
    var tasks: [Int] = []
    var isQueued: [Bool]
  }
  private let contents: Monitor<Contents>
  private let wake: WakeUp

  /// - Parameter wake: told with the first of what the loop has not taken yet.
  init(count: Int, wake: WakeUp) {
    contents = Monitor(Contents(isQueued: Array(repeating: false, count: count)))
    self.wake = wake
  }

  /// A task has something to do; callable from any thread.
  func add(_ task: Int) {
    let isFirst = contents.withLock { contents in
      guard !contents.isQueued[task] else { return false }
      contents.isQueued[task] = true
      contents.tasks.append(task)
      return contents.tasks.count == 1
    }
    if isFirst { wake.signal() }
  }

  /// Those that were told of since the last call.
  func take() -> [Int] {
    contents.withLock { contents in
      for task in contents.tasks { contents.isQueued[task] = false }
      defer { contents.tasks = [] }
      return contents.tasks
    }
  }
}
