import StateStore
package import StreamCore

/// What an operator decides of one entry.
package enum KeptDecision: Sendable { case retry, skip, release }

/// A generation driven step by step in the calling thread: what tests and tools run the engine by.
package final class ManualEngine {
  private let run: GenerationRun
  private let reader: any RecordReader
  private let log: any RecordLog
  private let clock: any WallClock

  /// Opens the serving generation of a directory, or the first one.
  package init(
    _ topology: Topology, log: any RecordLog, directory: StateDirectory, options: RunOptions,
    clock: any WallClock, report: @escaping @Sendable (String) -> Void
  ) throws {
    self.log = log
    self.clock = clock
    run = GenerationRun(
      topology, generation: try directory.current() ?? 1, log: log, directory: directory,
      options: options, clock: clock, report: report)
    try run.open()
    try run.startOutputs()
    reader = try log.makeReader(options.reader)
    let positions = run.tasks.flatMap(\.inputs).map { ($0.topicPartition, $0.fetchPosition) }
    try reader.assign(Dictionary(positions, uniquingKeysWith: min))
  }

  /// Takes what the log has, processes, commits and publishes until there is nothing more.
  package func run(commitEvery: Int) throws {
    var isRunning = true
    while isRunning {
      isRunning = try fetch()
      // A log may give nothing for once though there is more.
      if !isRunning { isRunning = try fetch(atMost: .milliseconds(1)) }
      for task in run.tasks {
        while try process(task, limit: min(commitEvery, 1_000)) > 0 {
          isRunning = true
          if task.intervalRecords >= commitEvery { try commit(task) }
        }
        try commit(task)
      }
    }
  }

  /// Asks the log for the ends of a task for which nothing comes, as a loop does.
  private func process(_ task: StreamTask, limit: Int) throws -> Int {
    let done = try task.process(limit: limit)
    guard done == 0, task.wantsEnds else { return done }
    let asked = clock.monotonicNow()
    var ends: [TopicPartition: Offset]?
    do {
      ends = try log.offsets(of: task.inputs.map(\.topicPartition)).mapValues(\.upperBound)
    } catch {
      guard !error.isFinal else { throw error }
    }
    task.noteEnds(EndsAnswer(ends, asked: asked, answered: clock.monotonicNow()))
    return try task.process(limit: limit)
  }

  /// Time ends in each task once its inputs are at their ends: ``run(commitEvery:)`` comes to it.
  package func endTime() { for task in run.tasks { task.endsTime = true } }

  /// Processes records without committing them.
  package func process(_ records: Int) throws {
    while try fetch(atMost: .milliseconds(1)) {}
    for task in run.tasks { _ = try task.process(limit: records) }
  }

  /// - Parameter following: how many units of what follows are run behind each, as if the process
  ///   stopped there.
  package func retryDeadLetters(following limit: Int = .max) throws {
    try decide(following: limit) { _ = try $0.retryDeadLetter($1, alone: false) }
  }

  package func skipDeadLetters() throws {
    try decide(following: .max) { _ = try $0.skipDeadLetter($1) }
  }

  /// Decides one entry of the first task, as an operator does by its id, with all that follows.
  ///
  /// - Returns: what became of it; `nil` where there is none.
  package func decide(_ kind: KeptDecision, _ number: Int64) throws -> Counter? {
    var fate: Counter?
    try decide(following: .max, of: [number]) { task, number in
      switch kind {
      case .retry: fate = try task.retryDeadLetter(number)
      case .skip: fate = try task.skipDeadLetter(number) ? .deadLettered : nil
      case .release: fate = try task.releaseHeld(number)
      }
    }
    return fate
  }

  /// Decides each dead letter with all that follows from it before the next.
  private func decide(
    following limit: Int, of numbers: [Int64]? = nil,
    _ decide: (StreamTask, Int64) throws -> Void
  ) throws {
    for task in numbers == nil ? run.tasks : Array(run.tasks.prefix(1)) {
      for number in try numbers ?? task.deadLetterNumbers() {
        try decide(task, number)
        var left = limit
        while left > 0 {
          let done = try task.runCascade(limit: min(left, 1_000))
          if done == 0 { break }
          left -= done
          if task.intervalRecords >= 50_000 { try task.commit() }
        }
      }
      try task.commit()
    }
  }

  /// Commits what was processed, and publishes nothing.
  package func commit() throws { for task in run.tasks { try task.commit() } }

  /// As an operator does it; the next ``run(commitEvery:)`` goes on behind them.
  package func skipOutboxEntries(_ ids: [OutboxEntryID]) throws -> [OutboxEntryID] {
    try run.skipOutboxEntries(ids)
  }

  package func close() {
    reader.close()
    run.close()
  }

  package var counters: [String: Int64] {
    var total: [String: Int64] = [:]
    for task in run.tasks {
      for counter in Counter.allCases where task.counters[counter] != 0 {
        total[counter.name, default: 0] += task.counters[counter]
      }
    }
    return total
  }

  package var tasks: [StreamTask] { run.tasks }

  /// `nil` where it has none.
  package func outputs(of task: StreamTask) -> TaskOutputs? { run.outputs(of: task) }
  /// Units that all tasks have run since their states were begun.
  package var units: Int64 { run.tasks.reduce(0) { $0 + $1.standing.units } }

  package func rows(_ store: String) throws -> [String: String] {
    var rows: [String: String] = [:]
    for task in run.tasks where task.subTopology.stores.contains(store) {
      try StateReader.open(task.state.directory).read { view in
        for row in try view.scan(try view.store(store), limit: .max - 1).rows {
          rows[try KeyText.text(row.key)] = String(decoding: row.value, as: UTF8.self)
        }
      }
    }
    return rows
  }

  /// Texts of the keys whose rows have these values in an index, in the index's order.
  package func keys(_ store: String, index: String, values: [String]) throws -> [String] {
    var keys: [String] = []
    for task in run.tasks where task.subTopology.stores.contains(store) {
      try StateReader.open(task.state.directory).read { view in
        let description = try view.store(store)
        let components = description.indexes.first { $0.name == index }?.components ?? []
        let parsed = try zip(values, components).map { try KeyText.component($0, $1.type) }
        let page = try view.scanIndex(description, index, values: parsed, limit: .max - 1)
        for row in page.rows { keys.append(try KeyText.text(row.key)) }
      }
    }
    return keys
  }

  package func deadLetters() throws -> [KeptRecord] {
    try run.tasks.flatMap { task in
      try task.deadLetterNumbers().compactMap { number in
        try task.state.deadLetters.entry(number).map { try KeptRecord($0.bytes) }
      }
    }
  }

  /// Numbers of the dead letters of all tasks.
  package func deadLetterNumbers() throws -> [Int64] {
    try run.tasks.flatMap { try $0.deadLetterNumbers() }
  }

  package func heldRecords() throws -> [KeptRecord] {
    try run.tasks.flatMap { task in
      try task.state.held.numbers(after: 0, limit: .max).compactMap { number in
        try task.state.held.entry(number).map { try KeptRecord($0.bytes) }
      }
    }
  }

  private func fetch(atMost timeout: Duration = .zero) throws -> Bool {
    let batches = try reader.poll(timeout: timeout)
    for batch in batches {
      for task in run.tasks
      where task.inputs.contains(where: { $0.topicPartition == batch.topicPartition }) {
        try task.offer(batch)
      }
    }
    return !batches.isEmpty
  }

  private func commit(_ task: StreamTask) throws {
    let outputs = run.outputs(of: task)
    if let outputs, outputs.canTrim {
      try task.openInterval()
      try outputs.trim()
      task.markDirty()
    }
    if try task.commit() { outputs?.note() }
    try outputs?.publish()
  }
}
