import StateStore
import StreamCore

/// How much one commit interval may hold.
package struct IntervalBudget: Hashable, Sendable {
  /// Records of one task. About 50,000 was measured best when behind, and below 20,000 is slow.
  package var records = 50_000
  /// Bytes that the open intervals of one thread's tasks may be about to write.
  package var dirtyBytes = 176 << 20
  /// An interval is closed at this age even while more records wait: how old a view may be behind
  /// a log that never runs dry.
  package var age = Duration.seconds(5)

  package init() {}
}

/// Drives several tasks on one thread: takes batches, processes, commits, publishes.
final class TaskLoop {
  private struct Driven {
    let task: StreamTask
    let publisher: OutboxPublisher?
    var openedAt: Timestamp?
  }

  private var driven: [Driven]
  private let buffers: FetchBuffers
  private let fetch: FetchLoop
  private let budget: IntervalBudget
  private let clock: any WallClock
  private let onCommit: (StreamTask) throws -> Void
  let wake = WakeUp()
  let mailbox = Mailbox()
  /// Records processed in one go before other tasks have their turn.
  private let slice = 2_000

  /// - Parameter onCommit: called after each commit, with the task's interval closed.
  init(
    _ tasks: [(StreamTask, OutboxPublisher?)], buffers: FetchBuffers, fetch: FetchLoop,
    budget: IntervalBudget, clock: any WallClock, onCommit: @escaping (StreamTask) throws -> Void
  ) {
    driven = tasks.map { Driven(task: $0.0, publisher: $0.1) }
    self.buffers = buffers
    self.fetch = fetch
    self.budget = budget
    self.clock = clock
    self.onCommit = onCommit
    for (task, _) in tasks {
      for input in task.inputs { buffers.register(input.topicPartition, wake: wake) }
    }
  }

  /// Gives each task a turn.
  ///
  /// - Returns: whether any had something to do.
  /// - Throws: what stopped a task; its state is that of its last commit.
  func turn() throws -> Bool {
    mailbox.deliver(to: driven.map(\.task))
    var progressed = false
    for index in driven.indices where try turn(of: index) { progressed = true }
    return progressed
  }

  /// Whether every task stands at the positions it was to reach.
  var isAtLimits: Bool {
    driven.allSatisfy { $0.task.inputs.allSatisfy { $0.limit != nil && $0.isAtEnd } }
  }

  /// Commits what is open and sends what is due.
  func finish() throws {
    mailbox.close(driven.map(\.task))
    for index in driven.indices {
      try commit(index)
      driven[index].publisher?.close()
    }
  }

  private func turn(of index: Int) throws -> Bool {
    let task = driven[index].task
    var took = false
    for input in task.inputs where !input.hasRecord {
      while !input.hasRecord, let (batch, wakeReader) = try buffers.take(input.topicPartition) {
        try task.offer(batch)
        if wakeReader { fetch.wake() }
        took = true
      }
    }
    let processed = try task.process(limit: slice)
    let isDry = processed < slice && task.isCaughtUp && !hasBuffered(task)
    if driven[index].openedAt == nil, processed > 0 { driven[index].openedAt = clock.now() }
    if try isFull(index) || isDry { try commit(index) }
    return took || processed > 0
  }

  private func hasBuffered(_ task: StreamTask) -> Bool {
    task.inputs.contains { buffers.holds($0.topicPartition) }
  }

  private func isFull(_ index: Int) throws -> Bool {
    let task = driven[index].task
    if task.intervalRecords >= budget.records { return true }
    let dirty = driven.map(\.task.dirtyBytes)
    if dirty.reduce(0, +) > budget.dirtyBytes, dirty[index] == dirty.max() { return true }
    guard let openedAt = driven[index].openedAt else { return false }
    let age = clock.now().milliseconds - openedAt.milliseconds
    return Duration.milliseconds(age) >= budget.age
  }

  private func commit(_ index: Int) throws {
    let (task, publisher) = (driven[index].task, driven[index].publisher)
    driven[index].openedAt = nil
    if let publisher, publisher.canTrim {
      try task.openInterval()
      try publisher.trim()
      task.markDirty()
    }
    if try task.commit() { try onCommit(task) }
    // Also what a crash left between a commit and its publishing.
    if let publisher, publisher.isPending {
      // Nothing leaves a task before its interval is durable.
      try task.state.makeDurable()
      try publisher.publish()
    }
  }
}
