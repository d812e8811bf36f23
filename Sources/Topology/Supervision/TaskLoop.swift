import StateStore
package import StreamCore

/// Drives several tasks on one thread: takes batches, processes, commits, publishes.
///
/// Tasks that are behind take turns by whole intervals, one after the other: what one interval
/// touches stays in the processor's cache, and one interval at a time takes memory. A task that has
/// little to do waits for no such interval, only for the slice under way.
package final class TaskLoop {
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
  /// Records processed in one go before tasks that are not behind have their turn.
  private let slice = 2_000
  /// The task whose interval grows while others that are behind wait.
  private var leader: Int?

  /// - Parameter onCommit: called after each commit, with the task's interval closed.
  package init(
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
  package func turn() throws -> Bool {
    mailbox.deliver(to: driven.map(\.task))
    var progressed = false
    for index in driven.indices {
      if let leader, leader != index, driven[index].task.isBehind(by: slice) {
        if isOld(index) { try commit(index) }
      } else if try turn(of: index) {
        progressed = true
      }
    }
    return progressed
  }

  /// Whether every task stands at the positions it was to reach.
  var isAtLimits: Bool {
    driven.allSatisfy { $0.task.inputs.allSatisfy { $0.limit != nil && $0.isAtEnd } }
  }

  /// How long to sleep at most after a turn in which nothing happened.
  var pause: Duration {
    let longest = Duration.milliseconds(200)
    guard let until = driven.compactMap(\.task.waitsUntil).min() else { return longest }
    return max(.zero, min(until - clock.monotonicNow(), longest))
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
    var (took, processed) = (false, 0)
    repeat {
      took = try takeBatches(of: task)
      processed += try task.process(limit: slice - processed)
    } while took && processed < slice
    let isWaiting = task.waitsUntil != nil || task.isCaughtUp && !hasBuffered(task)
    let isDry = processed < slice && isWaiting
    if driven[index].openedAt == nil, processed > 0 { driven[index].openedAt = clock.now() }
    if leader == nil, processed == slice { leader = index }
    // Who waits for the log makes nobody else wait.
    if leader == index, processed < slice { leader = nil }
    if isFull(index) || isDry { try commit(index) }
    return took || processed > 0
  }

  /// Gives each input that has no record the next of its batches.
  ///
  /// - Returns: whether there was one.
  private func takeBatches(of task: StreamTask) throws -> Bool {
    var took = false
    for input in task.inputs {
      while !input.hasRecord, let (batch, wakeReader) = try buffers.take(input.topicPartition) {
        try task.offer(batch)
        if wakeReader { fetch.wake() }
        took = true
      }
    }
    return took
  }

  private func hasBuffered(_ task: StreamTask) -> Bool {
    task.inputs.contains { buffers.holds($0.topicPartition) }
  }

  private func isFull(_ index: Int) -> Bool {
    let task = driven[index].task
    if task.intervalRecords >= budget.records { return true }
    let dirty = driven.map(\.task.dirtyBytes)
    if dirty.reduce(0, +) > budget.dirtyBytes, dirty[index] == dirty.max() { return true }
    return isOld(index)
  }

  private func isOld(_ index: Int) -> Bool {
    guard let openedAt = driven[index].openedAt else { return false }
    let age = clock.now().milliseconds - openedAt.milliseconds
    return Duration.milliseconds(age) >= budget.age
  }

  private func releaseMemory(of task: StreamTask) throws {
    let allocated = ProcessMemory.allocatedBytes
    if allocated > budget.allocatedAfterCommit || task.state.isToBeReopened {
      try task.state.releaseMemory()
    }
    // Pages that are given back now are faulted in again by the next interval.
    if ProcessMemory.anonymousBytes > budget.memory { ProcessMemory.trim() }
  }

  private func commit(_ index: Int) throws {
    let (task, publisher) = (driven[index].task, driven[index].publisher)
    driven[index].openedAt = nil
    if leader == index { leader = nil }
    if let publisher, publisher.canTrim {
      try task.openInterval()
      try publisher.trim()
      task.markDirty()
    }
    // What a small interval leaves behind is not worth the look.
    let isLarge = task.dirtyBytes > budget.dirtyBytes / 8
    if try task.commit() { try onCommit(task) }
    if isLarge { try releaseMemory(of: task) }
    // Also what a crash left between a commit and its publishing.
    if let publisher, publisher.isPending {
      // Nothing leaves a task before its interval is durable.
      try task.state.makeDurable()
      try publisher.publish()
    }
  }
}
