import StateStore
import StreamCore

/// What follows for the kept records of a key, and what operators of the process decide of them.
extension StreamTask {
  /// One step with a key whose bar fell, or that has a row or a number it had not: the next record of
  /// its lines, or, behind empty lines, the first waiting one whose row is there or whose number came;
  /// in order of arrival, whichever source it is of, until nothing changes. A bar is of one source
  /// alone.
  func goThrough(_ item: KeptCascade.Item) throws {
    try interval.open()
    let orders = try inputs.map { input -> KeptKey? in
      let order = KeptKey(topic: input.topicPartition.topic, key: item.key)
      return try kept.hasBar(order) ? nil : order
    }
    let heads = try orders.compactMap { try $0.flatMap(kept.firstInLine) }
    if let head = heads.min(by: { $0.record.arrival < $1.record.arrival }) {
      followUp(try resolve(head) { .line($0) }, key: item.key)
      return
    }
    var item = item
    var next: (entry: KeptEntry, input: Int)?
    for (input, order) in orders.enumerated() {
      guard let order, let entry = try nextWaiting(order, &item, input) else { continue }
      if next.map({ entry.record.arrival < $0.entry.record.arrival }) ?? true {
        next = (entry, input)
      }
    }
    cascade.first = item
    guard let next else { return cascade.finish() }
    let result = try resolve(next.entry) { .waiting($0) }
    // Where it was in vain it is not tried again before something changes.
    if next.entry.record.why == .missingRow {
      item.rows[next.input] = next.entry.place.successor
    } else if result.fate == .held, !sequences.hasCome {
      item.numbers[next.input] = false
    }
    cascade.first = item
    followUp(result, key: item.key)
  }

  /// The first record of a key of one source that waits, and whose row or number is there: in order of
  /// arrival, or by the numbers, where the source holds records until theirs come.
  private func nextWaiting(
    _ order: KeptKey, _ item: inout KeptCascade.Item, _ input: Int
  ) throws -> KeptEntry? {
    var waiting: KeptEntry?
    while let place = item.rows[input], waiting == nil {
      let entry = try kept.nextWaiting(order, from: place)
      if let entry, try hasRows(entry) {
        waiting = entry
      } else {
        item.rows[input] = entry?.place.successor
      }
    }
    guard item.numbers[input], let numbered = try kept.firstNumbered(order),
      try hasNumber(numbered)
    else {
      // Where the first one's has not come, no later one's has.
      item.numbers[input] = false
      return waiting
    }
    return waiting.map { $0.place < numbered.place ? $0 : numbered } ?? numbered
  }

  /// Whether each row that a record waits for is there.
  private func hasRows(_ entry: KeptEntry) throws -> Bool {
    try probes(entry).allSatisfy { $0?.hasRow ?? true }
  }

  /// Whether no view that checks numbers waits for one before that of a record any more.
  private func hasNumber(_ entry: KeptEntry) throws -> Bool {
    guard let number = entry.record.sequenceNumber else { return true }
    return try probes(entry).allSatisfy { probe in
      guard let probe, probe.checksNumbers,
        let expected = try sequences.expected(
          entry.record.order, after: probe.last, first: probe.first)
      else { return true }
      return number <= expected
    }
  }

  /// What the operators that a record waits for have of its key; `nil` of one that cannot be asked.
  private func probes(_ entry: KeptEntry) throws -> [RowProbe?] {
    try entry.record.operatorName.split(separator: ", ").map {
      try rowProbes[String($0)]?(entry.record.key)
    }
  }

  /// What follows from the running unit for records of its key that wait.
  func followUp(_ result: UnitResult, key: [UInt8]? = nil) {
    let rows = !context.createdRows.isEmpty
    let numbers = kept.hasNumbered && (result.fate == .applied || sequences.hasCome)
    if rows || numbers {
      cascade.add(key ?? Array(context.waitingKey ?? []), rows: rows, numbers: numbers)
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

  /// Goes on behind a decision: with what its record brought, or with the key that it no longer bars.
  private func follow(_ entry: KeptEntry, _ result: UnitResult) throws {
    followUp(result, key: entry.record.key)
    if entry.record.parks, try !kept.hasBar(entry.record.order) {
      cascade.add(entry.record.key, rows: true, numbers: true)
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
      try follow(entry, result)
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
      sequences.beginUnit()
      if !entry.record.isFiring {
        context.load(entry.record.record)
        forgetLoadedBatch()
        context.streamTime = timers.clock
        let input = inputs.first { $0.topicPartition == entry.record.record.topicPartition }
        if entry.record.hasDurableID, let input {
          try remember(entry.id, in: seenIDs[input.order])
        }
        if let number = entry.record.sequenceNumber {
          try sequences.settle(number, of: entry.record.order)
        }
        if let reason = entry.record.reason { counters[Counter(reason)] -= 1 }
        counters[.deadLetteredSkipped] += 1
      }
      context.createdRows.removeAll(keepingCapacity: true)
      try endUnit()
      try follow(entry, UnitResult(fate: .deadLettered))
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
          cascade.add(entry.record.key, rows: true, numbers: true)
          try endUnit()
          return .held
        }
        try follow(bar, try resolve(bar) { .retried($0, alone: true) })
        return .held
      }
      let result = try resolve(entry) { .released($0) }
      try follow(entry, result)
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
