import StateStore
package import StreamCore
import Synchronization

/// Drives several tasks on one thread: takes batches, processes, commits.
///
/// It is driven by what is ready: a task to which nothing happens costs nothing. Tasks that are
/// behind take turns by whole intervals, one after the other: what one interval touches stays in the
/// processor's cache, and one interval at a time takes memory. A task that has little to do waits
/// for no such interval, only for the slice under way.
package final class TaskLoop {
  private struct Driven {
    let task: StreamTask
    let outputs: TaskOutputs?
    var inputs: [(input: LogInput, buffer: InputBuffer)] = []
    /// When the interval had its first record.
    var openedAt: MonotonicTime?
    /// What the interval takes, as last looked at.
    var bytes = IntervalBytes()
    /// Bytes of the batches that it took.
    var takenBytes = 0
    /// Records that work processed in the interval.
    var worked = 0
    /// Records processed in one call: so many that another call is soon.
    var stride = 8
    var isAtLimits = false
    /// It has asked where its inputs end.
    var hasAsked = false
    /// It is in the loop's list of this name.
    var isReady = false
    var isBehind = false
    /// It threw, and nothing is asked of it any more.
    var hasFailed = false
    /// It stopped before a record; what it committed before is still to be sent.
    var isClosed = false
    var work: [ThreadBound<any TaskWork>] = []
  }

  private var driven: [Driven] = []
  private let fetch: FetchLoop
  private let budget: IntervalBudget
  private let share: IntervalShare
  private let clock: any WallClock
  /// Whom tasks ask where the log ends; `nil` where no topology's time goes on idly.
  private let ends: EndsWatch?
  private let answers = Monitor<[(task: Int, answer: EndsAnswer)]>([])
  private let onCommit: (StreamTask) throws -> Void
  let wake = WakeUp()
  private let arrived: ReadyQueue
  private let posted = Mutex<[(task: Int, work: ThreadBound<any TaskWork>)]>([])
  /// Records processed in one go before tasks that are not behind have their turn.
  private let slice = 2_000
  /// Tasks that have something to do, in the order of their turns.
  private var ready: [Int] = []
  /// Tasks that are behind and wait for the leader's interval.
  private var behind: [Int] = []
  /// Tasks with an open interval, by its age; an entry whose interval was committed is passed over.
  private var opened: [(task: Int, at: MonotonicTime)] = []
  /// Tasks whose records wait for those of an idle topic.
  private var waiting: Set<Int> = []
  private var working: Set<Int> = []
  /// The task whose interval grows while others that are behind wait.
  private var leader: Int? {
    didSet { if leader != oldValue { leaderWait = LeaderWait() } }
  }
  private var leaderWait = LeaderWait()
  /// What all open intervals take, as last looked at.
  private var openBytes = IntervalBytes()
  private var atLimits = 0
  private var warm: WarmTasks
  private var trimmedAt: MonotonicTime?
  /// Ends a slice early.
  var stop: StopSignal?

  /// - Parameters:
  ///   - share: the loop's part in the memory for open intervals; `nil` where it has all of it.
  ///   - onCommit: called after each commit, with the task's interval closed.
  package init(
    _ tasks: [(StreamTask, TaskOutputs?)], buffers: FetchBuffers, fetch: FetchLoop,
    budget: IntervalBudget, share: IntervalShare? = nil, clock: any WallClock,
    ends: EndsWatch? = nil,
    onCommit: @escaping (StreamTask) throws -> Void
  ) {
    self.fetch = fetch
    self.ends = ends
    self.budget = budget
    self.share = share ?? IntervalShare(IntervalMemory(budget, loops: 1), loop: 0)
    self.clock = clock
    self.onCommit = onCommit
    arrived = ReadyQueue(count: tasks.count, wake: wake)
    warm = WarmTasks(tasks: tasks.count)
    driven = tasks.enumerated().map { [arrived] index, pair in
      var one = Driven(task: pair.0, outputs: pair.1)
      one.inputs = one.task.inputs.map { input in
        (input, buffers.register(input.topicPartition) { arrived.add(index) })
      }
      return one
    }
    self.share.join(wake)
    // Each once: it may stand at its limits, or have sent less than it committed.
    for index in driven.indices { arrived.add(index) }
  }

  // MARK: From other threads

  /// Has a task's thread carry out work, between two slices.
  func post(_ work: any TaskWork, to task: Int) {
    let work = ThreadBound(work)
    posted.withLock { $0.append((task, work)) }
    arrived.add(task)
  }

  /// Has each task looked at, for the publishing of one of them has ended: a closure for another
  /// thread.
  var lookAtOutputs: @Sendable () -> Void {
    let (arrived, count) = (arrived, driven.count)
    return { for index in 0..<count { arrived.add(index) } }
  }

  // MARK: Turns

  /// Gives each task that has something to do a turn.
  ///
  /// - Returns: whether any had.
  /// - Throws: what stopped a task; its state is that of its last commit.
  package func turn() throws -> Bool {
    let given = posted.withLock { posted in
      defer { posted = [] }
      return posted
    }
    for (task, work) in given {
      driven[task].work.append(work)
      working.insert(task)
    }
    for (task, answer) in takeAnswers() {
      driven[task].hasAsked = false
      driven[task].task.noteEnds(answer)
    }
    try commitAged(clock.monotonicNow())
    if leaderWait.isOver(clock.monotonicNow()) { leader = nil }
    // Another loop may have asked for it.
    if !opened.isEmpty { try relieve() }
    for task in waiting
    where driven[task].task.waitsUntil.map({ $0 <= clock.monotonicNow() }) ?? true {
      waiting.remove(task)
      makeReady(task)
    }
    for task in arrived.take() { makeReady(task) }
    let turns = ready
    ready = []
    var progressed = false
    for index in working.sorted() {
      try guarding(index) { try work(on: index) }
      progressed = true
    }
    for index in turns {
      driven[index].isReady = false
      if let leader, leader != index, driven[index].task.isBehind(by: slice) {
        driven[index].isBehind = true
        behind.append(index)
      } else if try guarding(index, { try turn(of: index) }) {
        progressed = true
      }
    }
    while leader == nil, !behind.isEmpty, !isStopped {
      let next = behind.removeFirst()
      driven[next].isBehind = false
      if try guarding(next, { try turn(of: next) }) { progressed = true }
    }
    return progressed
  }

  private func takeAnswers() -> [(task: Int, answer: EndsAnswer)] {
    guard ends != nil else { return [] }
    return answers.withLock { answers in
      defer { answers = [] }
      return answers
    }
  }

  /// Asks where the inputs of a task end for which nothing comes.
  private func askEnds(of index: Int) {
    let task = driven[index].task
    guard let ends, !driven[index].hasAsked, task.wantsEnds else { return }
    driven[index].hasAsked = true
    ends.ask(task.inputs.map(\.topicPartition)) { [answers, arrived] answer in
      answers.withLock { $0.append((index, answer)) }
      arrived.add(index)
    }
  }

  private func makeReady(_ index: Int) {
    guard !driven[index].isReady, !driven[index].isBehind else { return }
    driven[index].isReady = true
    ready.append(index)
  }

  /// Whether every task stands at the positions it was to reach.
  var isAtLimits: Bool { atLimits == driven.count }

  /// How long to sleep at most after a turn in which nothing happened; `nil` until something comes.
  var pause: Duration? {
    var pause: Duration?
    func within(_ duration: Duration) { pause = max(.zero, min(pause ?? duration, duration)) }
    let now = clock.monotonicNow()
    // An interval may have been closed since; then it is looked at once for nothing.
    if let oldest = opened.first { within(oldest.at + budget.age - now) }
    if !behind.isEmpty, let end = leaderWait.end { within(end - now) }
    if !waiting.isEmpty {
      for task in waiting {
        guard let until = driven[task].task.waitsUntil else { continue }
        within(until - now)
      }
    }
    return pause
  }

  /// Commits what is open.
  func commitAll() throws {
    for index in driven.indices { try guarding(index) { try commit(index) } }
  }

  /// Whether all that was committed is sent.
  ///
  /// - Throws: what ended the publishing of a task.
  func hasSentAll() throws -> Bool {
    for index in driven.indices { try guarding(index) { try driven[index].outputs?.check() } }
    return driven.allSatisfy { $0.outputs?.isPending != true }
  }

  /// Commits what is open, of all tasks but those that failed.
  ///
  /// - Throws: what the first of them failed by; the others are done nevertheless.
  func finish() throws {
    var failure: (any Error)?
    for index in driven.indices where !driven[index].hasFailed {
      do { try guarding(index) { try commit(index) } } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
  }

  /// Answers the work that nobody will do any more.
  func endWork(_ failure: any Error) {
    let given = posted.withLock { posted in
      defer { posted = [] }
      return posted.map(\.work)
    }
    for work in driven.flatMap(\.work) + given { work.value.end(failure) }
    for index in driven.indices { driven[index].work = [] }
  }

  /// Remembers that a task threw: it restarts from disk.
  private func guarding<Result>(_ index: Int, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as TaskError where error.code == .recordFailed {
      driven[index].isClosed = true
      throw error
    } catch {
      driven[index].hasFailed = true
      throw error
    }
  }

  private var isStopped: Bool { stop?.isStopped == true }

  private func turn(of index: Int) throws -> Bool {
    let task = driven[index].task
    try driven[index].outputs?.check()
    if try holdsBack(index) { return false }
    // Others commit, and what it would take is theirs until they have ended.
    if share.waits, share.look(use) == .wait, task.isBehind(by: slice) {
      makeReady(index)
      return false
    }
    var (took, processed, isSpent) = (false, 0, false)
    var (bytes, unseen) = (0, 0)
    repeat {
      bytes = try takeBatches(of: index)
      if bytes > 0 { took = true }
      processed += try process(index, slice - processed)
      // Large records spend the memory long before a slice is over.
      unseen += bytes
      if unseen > budget.dirtyBytes / 16 {
        isSpent = isFull(index)
        unseen = 0
      }
    } while bytes > 0 && processed < slice && !isSpent && !isStopped && !share.waits
    isSpent = isSpent || isFull(index)
    let isWaiting = task.waitsUntil != nil || task.isCaughtUp && !hasBuffered(index)
    let isDry = processed < slice && isWaiting && !isStopped
    if processed > 0 { noteOpened(index) }
    if leader == nil, processed == slice { leader = index }
    if leader == index {
      // One that lets others have the memory is not dry.
      let ranShort = processed < slice && !share.waits
      leaderWait.note(isDry: ranShort, clock.monotonicNow())
      // Who waits for the log makes nobody else wait, but for what is on its way: with intervals
      // that grow side by side each would be a part as large.
      if ranShort, isWaiting || !task.isBehind(by: slice) { leader = nil }
    }
    if isSpent || isDry { try commit(index) }
    // Only a turn in which nothing happened shows that nothing more can: what ran dry may have its
    // next batch waiting.
    if took || processed > 0 { makeReady(index) }
    if task.waitsUntil != nil { waiting.insert(index) } else { waiting.remove(index) }
    askEnds(of: index)
    noteLimits(index)
    try relieve()
    return took || processed > 0
  }

  /// Whether its outbox is full: it takes nothing until something was taken of that, and does all
  /// else. What waits is committed, or nobody could take it.
  private func holdsBack(_ index: Int) throws -> Bool {
    guard let outputs = driven[index].outputs, outputs.isFull else { return false }
    try commit(index)
    outputs.whenTaken { [arrived] in arrived.add(index) }
    // It may have been meanwhile.
    return outputs.isFull
  }

  /// Processes up to so many records, by strides that are short: a stop is heard between two.
  private func process(_ index: Int, _ limit: Int) throws -> Int {
    let task = driven[index].task
    var processed = 0
    while processed < limit, !isStopped, driven[index].outputs?.isFull != true {
      let stride = min(driven[index].stride, limit - processed)
      let begun = clock.monotonicNow()
      let count = try task.process(limit: stride)
      processed += count
      let took = clock.monotonicNow() - begun
      if took > .milliseconds(20) {
        driven[index].stride = max(1, stride / 4)
      } else if took < .milliseconds(2), stride == driven[index].stride {
        driven[index].stride = min(256, stride * 2)
      }
      if count < stride { break }
    }
    return processed
  }

  /// Gives each input that has no record the next of its batches.
  ///
  /// - Returns: their bytes, at least 1 for a batch.
  private func takeBatches(of index: Int) throws -> Int {
    let task = driven[index].task
    var bytes = 0
    for (input, buffer) in driven[index].inputs {
      // What lies beyond the limit stays where it is, and the partition pauses.
      while !input.hasRecord, input.limit == nil || !input.hasReachedLimit,
        let (batch, resumes) = buffer.take()
      {
        bytes += max(1, batch.bytes.count)
        driven[index].takenBytes += batch.bytes.count
        try task.offer(batch)
        if resumes { fetch.resume(input.topicPartition) }
      }
    }
    return bytes
  }

  private func hasBuffered(_ index: Int) -> Bool {
    driven[index].inputs.contains { input, buffer in
      !buffer.isEmpty && (input.limit == nil || !input.hasReachedLimit)
    }
  }

  private func noteLimits(_ index: Int) {
    let isThere = driven[index].task.inputs.allSatisfy { $0.limit != nil && $0.isAtEnd }
    guard isThere != driven[index].isAtLimits else { return }
    driven[index].isAtLimits = isThere
    atLimits += isThere ? 1 : -1
  }

  // MARK: Work

  private func work(on index: Int) throws {
    guard let work = driven[index].work.first?.value else {
      working.remove(index)
      return
    }
    let task = driven[index].task
    try task.openInterval()
    let (records, hasMore) = try work.step(task)
    driven[index].worked += records
    noteOpened(index)
    if hasMore, !isFull(index), !share.waits { return try relieve() }
    try commit(index)
    if hasMore { return }
    driven[index].work.removeFirst()
    if driven[index].work.isEmpty { working.remove(index) }
    work.end(nil)
    // What it released may let records follow.
    makeReady(index)
  }

  // MARK: Committing

  /// Whether the interval is as large as it may become.
  private func isFull(_ index: Int) -> Bool {
    let task = driven[index].task
    if task.intervalRecords + driven[index].worked >= budget.records { return true }
    var taken = task.intervalBytes
    // What large rows will take is not known before the first of them was written.
    taken.pages = max(taken.pages, driven[index].takenBytes - taken.cached)
    openBytes -= driven[index].bytes
    openBytes += taken
    driven[index].bytes = taken
    return share.look(use) == .commit
      && opened.allSatisfy { driven[$0.task].bytes.total <= taken.total }
  }

  private var use: IntervalMemory.Use { IntervalMemory.Use(bytes: openBytes, grows: leader != nil) }

  /// Commits the largest intervals while all together hold more than they may.
  private func relieve() throws {
    while share.look(use) == .commit,
      let largest = opened.max(by: {
        driven[$0.task].bytes.total < driven[$1.task].bytes.total
      })
    {
      try guarding(largest.task) { try commit(largest.task) }
    }
  }

  private func noteOpened(_ index: Int) {
    guard driven[index].openedAt == nil else { return }
    let now = clock.monotonicNow()
    driven[index].openedAt = now
    opened.append((index, now))
  }

  /// Commits the intervals that are as old as one may become.
  private func commitAged(_ now: MonotonicTime) throws {
    while let oldest = opened.first {
      if driven[oldest.task].openedAt != oldest.at {
        opened.removeFirst()
      } else if now - oldest.at >= budget.age {
        try guarding(oldest.task) { try commit(oldest.task) }
      } else {
        return
      }
    }
  }

  /// After a commit: what a large interval leaves behind is given back as soon as memory is short,
  /// what many small ones do once the process has more than it aims at, by those that rest longest.
  private func releaseMemory(of index: Int, wasLarge: Bool) throws {
    let state = driven[index].task.state
    if wasLarge,
      ProcessMemory.allocatedBytes > budget.allocatedAfterCommit || state.isToBeReopened
    {
      try state.releaseMemory()
      warm.forget(index)
    } else {
      warm.note(index)
    }
    // What few tasks keep is part of what their next intervals take.
    guard wasLarge || warm.count > Self.warmMax else { return }
    guard ProcessMemory.anonymousBytes > budget.memory else { return }
    for _ in 0..<2 where warm.count > Self.warmMax {
      guard let oldest = warm.takeOldest() else { break }
      // One that is at work keeps it; it comes again with its next commit.
      guard !driven[oldest].hasFailed, driven[oldest].task.state.isAtRest else { continue }
      try guarding(oldest) { try driven[oldest].task.state.releaseMemory() }
    }
    // Pages that are given back now are faulted in again by the next interval.
    let now = clock.monotonicNow()
    guard wasLarge || trimmedAt.map({ now - $0 > Self.trimEvery }) ?? true else { return }
    trimmedAt = now
    ProcessMemory.trim()
  }

  /// So many tasks may keep memory whatever the process has: to close and open their states again
  /// and again would cost more than it frees.
  private static let warmMax = 16
  /// To look through all that is free takes milliseconds.
  private static let trimEvery = Duration.milliseconds(250)

  private func commit(_ index: Int) throws {
    try stop?.checkNotAbandoned()
    let (task, outputs) = (driven[index].task, driven[index].outputs)
    if driven[index].openedAt != nil {
      driven[index].openedAt = nil
      opened.removeAll { $0.task == index }
    }
    openBytes -= driven[index].bytes
    driven[index].bytes = IntervalBytes()
    (driven[index].takenBytes, driven[index].worked) = (0, 0)
    if leader == index { leader = nil }
    // One that was closed by its record has committed what came before; that is sent.
    if driven[index].isClosed { outputs?.note() } else { try commit(index, task, outputs) }
  }

  private func commit(_ index: Int, _ task: StreamTask, _ outputs: TaskOutputs?) throws {
    // What was sent is forgotten with an interval that is to be committed anyway.
    if let outputs, outputs.canTrim, task.isDirty || outputs.isTrimOverdue {
      try task.openInterval()
      try outputs.trim()
      task.markDirty()
    }
    let isLarge = task.intervalBytes.total > budget.dirtyBytes / 8
    if isLarge { share.beginCommit() }
    // What LMDB keeps of it is little, or given back by then.
    defer { if isLarge { share.endCommit(use) } }
    guard try task.commit() else { return }
    // Before others are told, who would enter the environment to sync it.
    try releaseMemory(of: index, wasLarge: isLarge)
    try onCommit(task)
    outputs?.note()
  }
}
