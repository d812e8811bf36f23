import StateStore
import StreamCore

/// What follows for the kept records of a key, and what operators of the process decide of them.
extension StreamTask {
  /// One step with a key whose bar fell or whose row was created: the next record of its lines, or,
  /// behind empty lines, the first waiting one that was not tried in vain; in order of arrival,
  /// whichever source it is of, until nothing changes. A bar is of one source alone.
  func goThrough(_ key: [UInt8]) throws {
    try interval.open()
    let orders = try inputs.map { KeptKey(topic: $0.topicPartition.topic, key: key) }
      .filter { try !kept.hasBar($0) }
    let heads = try orders.compactMap { try kept.firstInLine($0) }
    if let head = heads.min(by: { $0.number < $1.number }) {
      _ = try resolve(head) { .line($0) }
      return
    }
    let waiting = try orders.compactMap { try nextWaiting($0) }
    guard let entry = waiting.min(by: { $0.number < $1.number }) else { return cascade.finish() }
    let last = state.held.lastNumber
    let result = try resolve(entry) { .waiting($0) }
    guard result.fate == .held else {
      if mayFreeNumbers(result) { cascade.unlockAll() } else { cascade.unlock(context.createdRows) }
      return
    }
    // One that waits for something else now has another number.
    let number = state.held.lastNumber > last ? state.held.lastNumber : entry.number
    let now = try kept.entry(number, in: state.held)?.record
    // The number of one that waits for its row now has come.
    if entry.record.why == .missingNumber, now?.why == .missingRow { cascade.unlockAll() }
    let waits = now?.operatorName
    cascade.note(stuck: number, for: waits ?? "")
  }

  /// The first record of a key of one source that waits and was not tried in vain: in order of arrival, or of the
  /// numbers, where the source holds records until theirs come.
  private func nextWaiting(_ order: KeptKey) throws -> KeptEntry? {
    let source = inputs.first { $0.topicPartition.topic == order.topic }?.source
    var next: KeptEntry?
    for number in try kept.waiting(order) where !cascade.isStuck(number) {
      guard let entry = try kept.entry(number, in: state.held), try hasRows(entry) else { continue }
      guard source?.policies.sequenceGap == .hold else { return entry }
      if next.map({ turn(entry) < turn($0) }) ?? true { next = entry }
    }
    return next
  }

  /// Under `hold` the lower number goes first, and what has none last.
  private func turn(_ entry: KeptEntry) -> (Int64, Offset) {
    (entry.record.sequenceNumber ?? .max, entry.record.record.offset)
  }

  /// Whether each row that a record waits for is there.
  private func hasRows(_ entry: KeptEntry) throws -> Bool {
    guard entry.record.why == .missingRow else { return true }
    return try entry.record.operatorName.split(separator: ", ").allSatisfy {
      try rowProbes[String($0)]?(entry.record.key) ?? true
    }
  }

  /// Runs a kept record as a unit; what it ends as takes the place of its fate.
  @discardableResult
  private func resolve(
    _ entry: KeptEntry, as kind: (KeptEntry) -> UnitOrigin.Kind
  ) throws -> UnitResult {
    guard
      let input = inputs.first(where: { $0.topicPartition == entry.record.record.topicPartition })
    else {
      throw TaskError(
        .sourceRemoved, entry.record.record.topicPartition, entry.record.record.offset,
        "the topology does not read this topic any more: skip the record, or run a topology that "
          + "reads it")
    }
    context.load(entry.record.record)
    context.streamTime = timers.clock
    forgetLoadedBatch()
    let result = try run(UnitOrigin(kind(entry), source: input.source, input: input))
    forget(entry)
    count(result)
    try endUnit()
    return result
  }

  /// Takes the fate of a kept record back.
  private func forget(_ entry: KeptEntry) {
    counters[entry.store === state.held ? .held : .deadLettered] -= 1
    if let reason = entry.record.reason { counters[Counter(reason)] -= 1 }
  }

  /// Goes on behind a decision: with what its record created, or with the key that it no longer bars.
  private func follow(_ entry: KeptEntry) throws {
    if try !context.createdRows.isEmpty || entry.record.parks && !kept.hasBar(entry.record.order) {
      cascade.add(entry.record.key)
    }
  }

  /// Runs `body` as a decision of an operator of the process: an error that is not its unit's own
  /// closes the task.
  private func decide<Result>(_ body: () throws -> Result) throws -> Result {
    try interval.open()
    do {
      return try body()
    } catch let error as TaskError where error.code == .sourceRemoved || error.code == .stopped {
      dropUnit()
      throw error
    } catch let error as TaskError where error.code == .recordFailed {
      // It stays as it was: nobody is stopped by a try that somebody asked for.
      dropUnit()
      throw error
    } catch {
      interval.close(error)
      throw error
    }
  }

  // MARK: Decisions

  /// Tries a dead letter again, with what follows from it left to ``process(limit:)``.
  ///
  /// - Parameter alone: it was asked for by its id: one of another content under a known id then
  ///   runs as an event of its own; otherwise it stays.
  /// - Returns: its new fate, ``Counter/firings`` for a timer that went through, or `nil` where there
  ///   is no such dead letter.
  package func retryDeadLetter(_ number: Int64, alone: Bool = true) throws -> Counter? {
    try decide {
      guard let entry = try kept.entry(number, in: state.deadLetters) else { return nil }
      if entry.record.reason == .conflict, !alone { return .deadLettered }
      try begin(.retry, entry)
      if entry.record.isFiring {
        if try fireAgain(entry) { return .firings }
        try endUnit()
        return .deadLettered
      }
      let result = try resolve(entry) { .retried($0, alone: alone) }
      try follow(entry)
      return result.fate
    }
  }

  /// Resolves a dead letter without processing it: its id is known from now on, and its line goes on.
  ///
  /// - Returns: whether there was one.
  package func skipDeadLetter(_ number: Int64) throws -> Bool {
    try decide {
      guard let entry = try kept.entry(number, in: state.deadLetters) else { return false }
      try begin(.skip, entry)
      try kept.remove(entry)
      if !entry.record.isFiring {
        context.load(entry.record.record)
        forgetLoadedBatch()
        context.streamTime = timers.clock
        let input = inputs.first { $0.topicPartition == entry.record.record.topicPartition }
        if entry.record.hasDurableID, let input {
          try remember(entry.id, in: seenIDs[input.order])
        }
        sequences.beginUnit()
        if let number = entry.record.sequenceNumber {
          try sequences.settle(number, of: entry.record.order)
        }
        if let reason = entry.record.reason { counters[Counter(reason)] -= 1 }
        counters[.deadLetteredSkipped] += 1
      }
      context.createdRows.removeAll(keepingCapacity: true)
      try endUnit()
      try follow(entry)
      return true
    }
  }

  /// Runs a held record past what it waits for; one in a line begins the line at its head.
  ///
  /// - Returns: its new fate, or `nil` where there is no such record.
  package func releaseHeld(_ number: Int64) throws -> Counter? {
    try decide {
      guard let entry = try kept.entry(number, in: state.held) else { return nil }
      try begin(.release, entry)
      if entry.record.why == .parked {
        guard let bar = try kept.bar(of: entry.record.order) else {
          cascade.add(entry.record.key)
          try endUnit()
          return .held
        }
        try resolve(bar) { .retried($0, alone: true) }
        try follow(bar)
        return .held
      }
      let result = try resolve(entry) { .released($0) }
      try follow(entry)
      return result.fate
    }
  }

  // MARK: Journal

  private func begin(_ kind: Decision.Kind, _ entry: KeptEntry) throws {
    try begin(
      .decided(.decision(Decision(kind, entry.record.unitName), entry: entry.number)))
  }

  /// Carries out what the journal says that an operator of the process decided.
  func follow(_ decision: Decision, entry number: Int64) throws {
    if decision.kind == .outboxSkip { return try followOutboxSkip(decision, entry: number) }
    let store = decision.kind == .release ? state.held : state.deadLetters
    guard let entry = try kept.entry(number, in: store), entry.record.unitName == decision.unit
    else {
      throw TaskError(
        .diverged, nil, nil,
        "the journal has a decision about \(decision.unit), which is not kept; check that --log is "
          + "the log that the state was built from, or rebuild without the journal by `rewind --to "
          + "earliest --from-empty`")
    }
    switch decision.kind {
    case .retry: _ = try retryDeadLetter(number)
    case .skip: _ = try skipDeadLetter(number)
    case .release: _ = try releaseHeld(number)
    case .outboxSkip: throw Self.unknown(.decision(decision, entry: number))
    }
  }

  /// The journal has an entry of a kind that no task of this version writes.
  static func unknown(_ content: JournalEntry.Content) -> TaskError {
    TaskError(
      .diverged, nil, nil,
      "the journal has an entry that this version cannot follow: \(content); use the version that "
        + "wrote it")
  }
}

extension KeptRecord {
  /// Names the unit that it was kept of, for the journal.
  var unitName: UnitName {
    guard isFiring else { return .record(record.topicPartition, record.offset) }
    return Timer(
      time: record.timestamp ?? .epoch, operator: operatorName, key: record.key ?? []
    ).unitName
  }
}
