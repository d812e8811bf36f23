import StateStore
package import StreamCore
import Synchronization

/// What a run of one generation needs to know.
package struct RunOptions: Sendable {
  /// Partitions to run; `nil` for all.
  package var partitions: [Int]?
  package var threads = 1
  package var budget = IntervalBudget()
  /// Bytes of batches read ahead for each partition.
  package var bufferBytes = 2 << 20
  package var reader = ReaderOptions()
  /// Whether outputs are sent; a generation that fills keeps silent.
  package var publishes = true
  /// Positions at which to stop, by partition; partitions not named do not stop.
  package var limitsByPartition: [TopicPartition: Offset] = [:]
  /// Where fresh tasks begin; a partition not named begins at the log's start.
  package var start: [TopicPartition: Offset] = [:]
  /// Journals to follow instead of deciding; a task not named decides.
  package var replay: [TaskName: FollowedJournal] = [:]
  /// Goes on although records that the state needs are gone; the state remembers that it lacks them.
  package var allowTruncated = false
  /// Stores that tasks do without, though the topology has them.
  package var waiting: [TaskName: Set<String>] = [:]
  package var storeOptions = Environment.Options()
  /// When the owner takes snapshots; `nil` for never.
  package var snapshots: SnapshotPolicy?

  package init() {}
}

/// Runs all tasks of one generation of a topology on a log, until stopped or at its limits.
package final class GenerationRun {
  package let topology: Topology
  package let generation: Int
  package private(set) var tasks: [StreamTask] = []
  private let log: any RecordLog
  private let directory: StateDirectory
  private let options: RunOptions
  private let clock: any WallClock
  private let report: @Sendable (String) -> Void
  private let shared = RunState()
  private var thread: EngineThread?

  package init(
    _ topology: Topology, generation: Int, log: any RecordLog, directory: StateDirectory,
    options: RunOptions, clock: any WallClock, report: @escaping @Sendable (String) -> Void
  ) {
    self.topology = topology
    self.generation = generation
    self.log = log
    self.directory = directory
    self.options = options
    self.clock = clock
    self.report = report
  }

  /// Opens the tasks and compares their positions with the log.
  ///
  /// - Throws: ``StreamCore/LogError``, ``StateStore/StoreError`` or ``TaskError``; no record was
  ///   taken.
  package func open() throws {
    let held = try HeldTask.all(of: generation, in: directory)
    try topology.checkPlaces(of: held, directory: directory.path)
    for sub in topology.subTopologies {
      let beginsAtEnds = topology.beginsAtEnds(sub, beside: held)
      let count = try partitionCount(of: sub)
      let wanted = options.partitions ?? Array(0..<count)
      for partition in wanted {
        guard partition >= 0, partition < count else {
          throw LogError(
            .partitionMissing,
            "there is no partition \(partition) of '\(sub.topics[0])', which has \(count)")
        }
        try openTask(sub, partition, of: count, beginsAtEnds)
      }
    }
  }

  private func partitionCount(of sub: SubTopology) throws -> Int {
    var counts: [Int] = []
    for topic in sub.topics {
      guard let description = try log.topic(topic) else {
        throw LogError(
          .topicMissing,
          "source topic '\(topic)' does not exist on \(log.url); create it with `projector topics "
            + "create \(topic)` or correct --log")
      }
      counts.append(description.partitions)
    }
    guard let count = counts.first, counts.allSatisfy({ $0 == count }) else {
      let list = zip(sub.topics, counts).map { "'\($0)' \($1)" }.joined(separator: ", ")
      throw TaskError(
        .notCopartitioned, nil, nil,
        "topics read together need the same number of partitions: \(list)")
    }
    return count
  }

  /// - Parameter beginsAtEnds: whether inputs that it knows no position of begin at their ends.
  private func openTask(
    _ sub: SubTopology, _ partition: Int, of count: Int, _ beginsAtEnds: Bool
  ) throws {
    let name = TaskName(subTopology: sub.name, partition: partition)
    let sub = topology.runnable(sub, without: options.waiting[name] ?? [])
    let path = directory.task(generation, name)
    try DurableFile.makeDirectory(path)
    let state = try TaskState.open(
      directory: path,
      identity: topology.identity(sub, partition: partition, of: count, generation: generation),
      options: options.storeOptions)
    let hasCommitted = state.words.value(named: "commits") ?? 0 > 0
    try openTask(
      topology.runnable(sub, without: state.identity.waiting), name, state,
      beginsAtEnds || hasCommitted)
  }

  private func openTask(
    _ sub: SubTopology, _ name: TaskName, _ state: TaskState, _ beginsAtEnds: Bool
  ) throws {
    for store in state.identity.waiting.sorted() {
      report(
        "task \(name) has no store '\(store)': it was added, and what hangs on it waits for a "
          + "rebuild (`projector rewind \(topology.name) --to earliest`)")
    }
    guard !sub.topics.isEmpty else { return }
    let shared = shared
    let task = try StreamTask(
      topology, sub, partition: name.partition, state: state, replay: options.replay[name],
      clock: clock, retryWait: { shared.sleep($0) }, log: report)
    for input in task.inputs { try prepare(input, of: task, beginsAtEnds) }
    // Where an added input began is known from now on, whatever becomes of this start.
    if beginsAtEnds, task.inputs.contains(where: { !$0.isKnown }) {
      task.markDirty()
      try task.commit()
    }
    tasks.append(task)
  }

  /// Sets where an input begins and ends, and compares its position with the log.
  private func prepare(
    _ input: LogInput, of task: StreamTask, _ beginsAtEnds: Bool
  ) throws {
    let offsets = try log.offsets(of: input.topicPartition)
    input.limit = options.limitsByPartition[input.topicPartition]
    if input.last == nil, input.position == 0 {
      let isAdded = beginsAtEnds && !input.isKnown
      input.begin(
        at: options.start[input.topicPartition]
          ?? (isAdded ? offsets.upperBound : offsets.lowerBound))
      if offsets.lowerBound > 0, !isAdded {
        report(
          "\(input.topicPartition) begins at offset \(offsets.lowerBound): what the log removed "
            + "before is not in the views")
      }
    }
    try ResumeCheck.check(
      offsets, for: input, isCompacted: topology.isCompacted(input.topicPartition.topic),
      allowTruncated: options.allowTruncated)
    if let last = input.last, offsets.lowerBound > last.offset {
      // Only later records remain: nothing says that the log is another, nothing that it is not.
      task.counters[.unverified] += 1
    } else if offsets.lowerBound <= input.position {
      return
    }
    if offsets.lowerBound > input.position { task.abandonReplay() }
    input.skip(to: offsets.lowerBound)
  }

  /// Runs on the calling thread and those it needs until ``stop()`` or until every task reached
  /// its limits; then everything is committed.
  ///
  /// - Throws: what stopped a task.
  package func run() throws {
    ProcessMemory.keepFreed()
    let publishers = try options.publishes ? makePublishers() : tasks.map { _ in nil }
    let buffers = FetchBuffers(bytesMax: options.bufferBytes)
    let fetch = FetchLoop(
      reader: try log.makeReader(options.reader), buffers: buffers, report: report)
    for publisher in publishers { publisher?.waitForLog = waitForLog }
    let count = max(1, min(options.threads, tasks.count))
    var budget = options.budget
    budget.shares *= count
    let loops = (0..<count).map { number in
      let mine = tasks.indices.filter { $0 % count == number }
      let groups = GroupProgress(
        topology.group, log: options.publishes ? log.groupOffsets : nil, clock: clock,
        report: report)
      let loop = TaskLoop(
        mine.map { (tasks[$0], publishers[$0]) }, buffers: buffers, fetch: fetch,
        budget: budget, clock: clock, onCommit: groups.note)
      return (loop, groups)
    }
    shared.begin(
      loops.map(\.0.wake), loops.map(\.0.mailbox), publishers.compactMap { $0?.hurry })
    let positions = tasks.flatMap(\.inputs).map { ($0.topicPartition, $0.fetchPosition) }
    let start = Dictionary(positions, uniquingKeysWith: min)
    let reading = EngineThread { fetch.run(start) }
    let threads = loops.dropFirst().map { loop in
      let boxed = ThreadBound(loop)
      return EngineThread { [shared] in
        Self.drive(boxed.value, shared)
      }
    }
    Self.drive(loops[0], shared)
    for thread in threads { thread.join() }
    fetch.stop()
    reading.join()
    if let failure = shared.failure { throw failure }
    if !shared.isStopped { for task in tasks { try task.finishReplay() } }
  }

  /// What a publisher does about a log that cannot be reached: says so once, and waits.
  private var waitForLog: @Sendable (LogError) -> Bool {
    let said = Mutex(false)
    return { [shared, report] error in
      let isFirst = said.withLock { said in
        defer { said = true }
        return !said
      }
      if isFirst { report("outputs wait in the outbox: \(error)") }
      shared.sleep(.seconds(1))
      return !shared.isStopped
    }
  }

  /// Runs on threads of its own; ``join()`` ends it.
  package func start(whenEnded: @escaping @Sendable () -> Void) {
    let (boxed, shared) = (ThreadBound(self), shared)
    thread = EngineThread {
      do { try boxed.value.run() } catch { shared.fail(error) }
      shared.end()
      whenEnded()
    }
  }

  /// Whether a started run is over.
  package var hasEnded: Bool { shared.hasEnded }

  /// Waits for the end of a started run.
  ///
  /// - Throws: what stopped a task.
  package func join() throws {
    thread?.join()
    if let failure = shared.failure { throw failure }
  }

  /// Next offsets to process, by partition; callable while the run goes on.
  package func positions() throws -> [TopicPartition: Offset] {
    let positions = try perform { $0.positions }
    return Dictionary(positions.flatMap { $0.map { ($0.key, $0.value) } }, uniquingKeysWith: max)
  }

  /// Has the thread of each task carry out `body` between two of its records.
  ///
  /// - Throws: what `body` throws; the task goes on.
  func perform<Answer: Sendable>(
    _ body: @escaping @Sendable (StreamTask) throws -> Answer
  ) throws -> [Answer] {
    let answers = Answers<Answer>()
    let letter: Mailbox.Letter = { tasks in
      answers.add(tasks.map { task in Result { try body(task) } })
    }
    // Between its start and its loops a run has threads, but nobody to take letters yet.
    while thread != nil, !shared.hasBegun, !hasEnded {
      answers.added.sleep(atMost: .milliseconds(2))
    }
    let mailboxes = shared.mailboxes
    for mailbox in mailboxes { _ = mailbox.post(letter) }
    shared.wakeAll()
    if thread == nil { letter(tasks) }
    while answers.count < tasks.count {
      if hasEnded {
        // The loops are gone, and with them their threads: the tasks are the caller's.
        answers.clear()
        letter(tasks)
      } else {
        answers.added.sleep(atMost: .milliseconds(100))
      }
    }
    return try answers.all()
  }

  /// Ends ``run()`` after a commit; callable from any thread and from a signal's handler source.
  package func stop() { shared.stop() }

  /// ``stop()`` for another thread, which may not hold the run itself.
  var stopper: @Sendable () -> Void { { [shared] in shared.stop() } }

  /// Whether it was told to end, or ended.
  var isStopping: Bool { shared.isStopped || shared.hasEnded }

  /// Lets go of the tasks; with the last reference to one its state is closed.
  package func close() { tasks = [] }

  private static func drive(_ driven: (loop: TaskLoop, groups: GroupProgress), _ shared: RunState) {
    let (loop, groups) = driven
    do {
      while !shared.isStopped {
        let progressed = try loop.turn()
        try groups.tellWhereDue()
        if progressed { continue }
        if loop.isAtLimits { break }
        loop.wake.sleep(atMost: loop.pause)
      }
      try loop.finish()
      try groups.tellAtEnd()
    } catch let error as TaskError where error.code == .recordFailed {
      // What came before the record is whole; its position is to stand right before it.
      do {
        try loop.finish()
        try groups.tellAtEnd()
      } catch { shared.fail(error) }
      shared.fail(error)
    } catch {
      shared.fail(error)
    }
  }

  func makePublishers() throws -> [OutboxPublisher?] {
    guard !topology.outputTopics.isEmpty else { return tasks.map { _ in nil } }
    let counts = tasks.map { $0.state.identity.partitionCount }
    let stride = counts.max() ?? 1
    for topic in topology.outputTopics { try ensure(topic, partitions: stride) }
    if log.transactions != nil {
      for task in tasks {
        try ensure(
          OutboxPublisher.journalTopic(of: topology.name, task.subTopology.name),
          partitions: task.state.identity.partitionCount)
      }
    }
    return try tasks.map { task in
      guard !task.subTopology.sinks.isEmpty || topology.deadLetterTopic != nil else { return nil }
      return try OutboxPublisher(
        task.state, of: task.name, topology: topology.name,
        destinations: (task.subTopology.sinks
          + (topology.deadLetterTopic.map { [$0] } ?? [])).uniqued(),
        log: log)
    }
  }

  /// Output topics are created explicitly, never by a broker's auto-create.
  private func ensure(_ topic: String, partitions: Int) throws {
    guard try log.topic(topic) == nil else { return }
    guard let administration = log.administration else {
      throw LogError(
        .topicMissing,
        "output topic '\(topic)' does not exist; create it with \(partitions) "
          + "partitions")
    }
    do {
      try administration.createTopic(topic, partitions: partitions, retention: TopicRetention())
    } catch {
      // Another process of this topology was faster.
      guard error.code == .topicExists else { throw error }
    }
  }
}

/// What the threads of a run tell each other.
final class RunState: Sendable {
  private struct Contents {
    var isStopped = false
    var failure: (any Error)?
    var hasBegun = false
    var hasEnded = false
    var wakes: [WakeUp] = []
    var mailboxes: [Mailbox] = []
    var hurries: [@Sendable () -> Void] = []
  }
  private let contents = Mutex(Contents())
  private let pause = WakeUp()

  /// - Parameter hurries: called when the run is to stop.
  func begin(_ wakes: [WakeUp], _ mailboxes: [Mailbox], _ hurries: [@Sendable () -> Void]) {
    let isStopped = contents.withLock { contents in
      (contents.wakes, contents.mailboxes, contents.hurries) = (wakes, mailboxes, hurries)
      contents.hasBegun = true
      return contents.isStopped
    }
    if isStopped { stop() }
  }
  /// The loops have left their threads.
  func end() { contents.withLock { ($0.hasEnded, $0.mailboxes) = (true, []) } }
  var hasEnded: Bool { contents.withLock { $0.hasEnded } }
  /// The loops take letters, or did.
  var hasBegun: Bool { contents.withLock { $0.hasBegun } }
  var mailboxes: [Mailbox] { contents.withLock { $0.mailboxes } }
  func wakeAll() { for wake in contents.withLock({ $0.wakes }) { wake.signal() } }
  var isStopped: Bool { contents.withLock { $0.isStopped } }
  var failure: (any Error)? { contents.withLock { $0.failure } }

  func fail(_ error: any Error) {
    contents.withLock { if $0.failure == nil { $0.failure = error } }
    stop()
  }

  func stop() {
    let (wakes, hurries) = contents.withLock { contents in
      contents.isStopped = true
      return (contents.wakes, contents.hurries)
    }
    for hurry in hurries { hurry() }
    for wake in wakes { wake.signal() }
    pause.signal()
  }

  /// A backoff, cut short by ``stop()``.
  ///
  /// - Returns: whether to go on.
  @discardableResult
  func sleep(_ duration: Duration) -> Bool {
    if !isStopped { pause.sleep(atMost: duration) }
    return !isStopped
  }
}

/// Hands an object over to the one thread that uses it from then on.
struct ThreadBound<Value>: @unchecked Sendable {
  // Invariant: whoever makes the box never touches the value again while that thread runs.
  let value: Value
  init(_ value: Value) { self.value = value }
}

/// What the tasks answered to one letter.
private final class Answers<Answer: Sendable>: Sendable {
  private let results = Mutex<[Result<Answer, any Error>]>([])
  let added = WakeUp()

  func add(_ more: [Result<Answer, any Error>]) {
    results.withLock { $0 += more }
    added.signal()
  }

  func clear() { results.withLock { $0 = [] } }
  var count: Int { results.withLock { $0.count } }
  func all() throws -> [Answer] { try results.withLock { $0 }.map { try $0.get() } }
}
