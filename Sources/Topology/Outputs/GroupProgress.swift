import StateStore
package import StreamCore
import Synchronization

/// Tells the consumer group how far the tasks are: information for lag tools, never read back.
///
/// It has a thread of its own, since a coordinator that is away may keep a call for long. Brokers
/// keep each commit, so the group is told once a second at most; one that refuses is asked again half
/// a minute later, a log that is away every second.
package final class GroupProgress: Sendable {
  private struct Contents {
    /// Positions by the state they are of.
    var known: [ObjectIdentifier: [TopicPartition: Offset]] = [:]
    /// What the group is not told yet.
    var untold: Set<TopicPartition> = []
    /// The states that must be durable before it is told.
    var durable: [ObjectIdentifier: DurableCommits] = [:]
    var isEnding = false
    var failure: (any Error)?
  }

  private enum Answer {
    case told, refused, unreachable
  }

  private let group: String
  private let offsets: any GroupOffsets
  private let every: Duration
  private let afterRefusal: Duration
  private let report: @Sendable (String) -> Void
  private let contents = Mutex(Contents())
  private let wake = WakeUp()
  private let thread = Mutex<EngineThread?>(nil)

  /// - Parameters:
  ///   - every: how often the group is told at most.
  ///   - afterRefusal: how long one that refuses is left alone.
  package init(
    _ group: String, log offsets: any GroupOffsets, every: Duration = .seconds(1),
    afterRefusal: Duration = .seconds(30), report: @escaping @Sendable (String) -> Void
  ) {
    self.group = group
    self.offsets = offsets
    self.every = every
    self.afterRefusal = afterRefusal
    self.report = report
  }

  package func start() { thread.withLock { $0 = EngineThread { self.run() } } }

  /// Called after each commit, on the task's thread: these are its positions.
  package func note(_ positions: [TopicPartition: Offset], of state: TaskState) {
    let id = ObjectIdentifier(state.durable)
    let isFirst = contents.withLock { contents in
      defer {
        contents.known[id] = positions
        contents.untold.formUnion(positions.keys)
        contents.durable[id] = state.durable
      }
      return contents.untold.isEmpty
    }
    if isFirst { wake.signal() }
  }

  /// Says the last word, unless the group does not listen, and ends the thread.
  ///
  /// - Parameter limit: how long it may take.
  package func end(atMost limit: Duration) {
    contents.withLock { $0.isEnding = true }
    wake.signal()
    thread.withLock { $0 }?.join(atMost: limit)
  }

  /// - Throws: what a state's sync threw: the state must be closed.
  package func check() throws {
    if let failure = contents.withLock({ $0.failure }) { throw failure }
  }

  private var isEnding: Bool { contents.withLock { $0.isEnding } }

  private func run() {
    var answer = Answer.told
    while true {
      let isLast = isEnding
      if !isLast || answer == .told {
        do {
          answer = try tell(after: answer)
        } catch {
          contents.withLock { $0.failure = error }
          return
        }
      }
      if isLast { return }
      sleep(answer == .refused ? afterRefusal : every)
    }
  }

  /// Until it is time to tell again and there is something to tell.
  private func sleep(_ duration: Duration) {
    let until = ContinuousClock.now + duration
    while !isEnding {
      let left = until - .now
      let isEmpty = contents.withLock { $0.untold.isEmpty }
      if left <= .zero, !isEmpty { return }
      wake.sleep(atMost: isEmpty ? .seconds(10) : left)
    }
  }

  /// What is untold, durable.
  ///
  /// - Throws: ``StateStore/StoreError``.
  private func takeUntold() throws -> [TopicPartition: Offset] {
    let (positions, durable) = contents.withLock { contents in
      var positions: [TopicPartition: Offset] = [:]
      for known in contents.known.values {
        for (partition, offset) in known where contents.untold.contains(partition) {
          positions[partition] = min(positions[partition] ?? offset, offset)
        }
      }
      defer { (contents.untold, contents.durable) = ([], [:]) }
      return (positions, contents.durable)
    }
    // Nothing leaves a task before its interval is durable.
    for state in durable.values { try state.sync() }
    return positions
  }

  private func tell(after last: Answer) throws -> Answer {
    let positions = try takeUntold()
    if positions.isEmpty { return last }
    do {
      try offsets.commit(group: group, positions)
      if last != .told { report("consumer group '\(group)' is told the positions again") }
      return .told
    } catch {
      if last == .told {
        report("consumer group '\(group)' was not told the positions: \(error)")
      }
      contents.withLock { $0.untold.formUnion(positions.keys) }
      return error.code == .unreachable ? .unreachable : .refused
    }
  }
}
