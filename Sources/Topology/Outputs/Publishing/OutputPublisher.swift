import StreamCore
import Synchronization

/// Publishes the outboxes of several tasks, on a thread of its own: a log that is slow, or away,
/// holds no loop up.
///
/// One run is in flight at a time. What is not final is waited out: a log that cannot be reached is
/// reported once, asked every second by the monotonic clock, and a stop cuts the wait short.
package final class OutputPublisher: Sendable {
  private struct Contents {
    /// Tasks with something to do, each once, in the order in which they were noted.
    var ready: [Int] = []
    var isReady: [Bool] = []
    var isStopping = false
    var isEnding = false
    /// Nothing more is tried.
    var hasGivenUp = false
  }

  private let contents = Mutex(Contents())
  private let wake = WakeUp()
  private let idle = WakeUp()
  private let publishers: ThreadBound<[TaskPublisher]>
  private let progress: [OutputProgress]
  private let report: @Sendable (String) -> Void
  /// Called when the publishing of a task has ended for good.
  private let onFailure: @Sendable () -> Void
  /// Called when a task has nothing more to send.
  private let onServed: @Sendable () -> Void
  private let retryEvery: Duration
  private let thread = Mutex<EngineThread?>(nil)

  /// - Parameter outputs: started; none of them publishes by itself any more.
  package init(
    _ outputs: [TaskOutputs], retryEvery: Duration = .seconds(1),
    report: @escaping @Sendable (String) -> Void, onServed: @escaping @Sendable () -> Void = {},
    onFailure: @escaping @Sendable () -> Void
  ) {
    let publishers = outputs.compactMap(\.publisher)
    self.publishers = ThreadBound(publishers)
    progress = publishers.map(\.progress)
    self.retryEvery = retryEvery
    self.report = report
    self.onFailure = onFailure
    self.onServed = onServed
    contents.withLock { $0.isReady = Array(repeating: false, count: publishers.count) }
    for (index, output) in outputs.filter({ $0.publisher != nil }).enumerated() {
      output.connect { [weak self] in self?.makeReady(index) }
    }
  }

  private func makeReady(_ index: Int) {
    contents.withLock { contents in
      guard !contents.isReady[index] else { return }
      contents.isReady[index] = true
      contents.ready.append(index)
    }
    wake.signal()
  }

  package func start() {
    // What a crash left between a commit and its publishing waits already.
    for index in progress.indices { makeReady(index) }
    thread.withLock { $0 = EngineThread { self.run() } }
  }

  /// A wait for the log ends at once, and with it what is not sent yet.
  package func stop() {
    contents.withLock { $0.isStopping = true }
    for publisher in publishers.value { publisher.hurry() }
    wake.signal()
    idle.signal()
  }

  /// Waits until everything noted is sent, or nothing more will be.
  ///
  /// - Parameters:
  ///   - limit: of the wait once ``stop()`` was called.
  ///   - isStopped: asked now and then.
  package func drain(atMost limit: Duration, isStopped: () -> Bool) {
    var deadline: ContinuousClock.Instant?
    while progress.contains(where: \.isPending), !contents.withLock({ $0.hasGivenUp }) {
      if isStopped(), deadline == nil {
        stop()
        deadline = .now + limit
      }
      if let deadline, .now >= deadline { return }
      idle.sleep(atMost: .milliseconds(50))
    }
  }

  /// Ends the thread after the run in flight.
  ///
  /// - Parameter limit: how long to wait for it; `nil` for ever.
  /// - Returns: whether it has ended.
  @discardableResult
  package func end(atMost limit: Duration? = nil) -> Bool {
    contents.withLock { $0.isEnding = true }
    wake.signal()
    return thread.withLock { $0 }?.join(atMost: limit) ?? true
  }

  private var isEnding: Bool { contents.withLock { $0.isEnding } }
  private var isStopping: Bool { contents.withLock { $0.isStopping } }

  private func next() -> Int? {
    contents.withLock { contents in
      guard !contents.ready.isEmpty else { return nil }
      let index = contents.ready.removeFirst()
      contents.isReady[index] = false
      return index
    }
  }

  private func run() {
    var isTroubled = false
    while !isEnding {
      guard let index = next() else {
        wake.sleep(atMost: .milliseconds(500))
        continue
      }
      let publisher = publishers.value[index]
      if progress[index].failure != nil { continue }
      do {
        if isTroubled { try publisher.recover() }
        let noted = progress[index].noted
        try publisher.advance()
        if try publisher.sendRun() {
          makeReady(index)
        } else {
          progress[index].serve(noted)
          onServed()
        }
        if isTroubled {
          isTroubled = false
          report("outputs are sent again")
        }
      } catch let error as LogError where !error.isFinal {
        if !isTroubled { report("outputs wait in the outbox: \(error)") }
        isTroubled = true
        makeReady(index)
        if isStopping {
          contents.withLock { $0.hasGivenUp = true }
          idle.signal()
          break
        }
        wait()
      } catch {
        progress[index].fail(error)
        onFailure()
      }
      idle.signal()
    }
  }

  /// Until it is time to ask the log again, or to stop.
  private func wait() {
    let until = ContinuousClock.now + retryEvery
    while !isStopping, !isEnding {
      let left = until - .now
      if left <= .zero { return }
      wake.sleep(atMost: left)
    }
  }
}

extension LogError {
  /// Whether trying again can be of no use.
  var isFinal: Bool {
    let final: Set<Code> = [
      .fenced, .recordRejected, .invalid, .unsupported, .corrupt, .sequenceConflict, .diskFull,
    ]
    return final.contains(code)
  }
}

extension TaskOutputs {
  /// Sends everything committed, in the calling thread: where no publisher's thread runs.
  ///
  /// - Throws: ``StreamCore/LogError``, after which it can be called again; ``TaskError`` with
  ///   `.outputRefused`; ``StateStore/StoreError``.
  package func publish() throws {
    guard let publisher else { return }
    let noted = publisher.progress.noted
    if mustRecover { try publisher.recover() }
    mustRecover = false
    do {
      try publisher.advance()
      while try publisher.sendRun() {}
    } catch let error as LogError where !error.isFinal {
      // Whether the run was sent, the journal topic knows: asked before it is tried again.
      mustRecover = true
      throw error
    }
    publisher.progress.serve(noted)
  }
}
