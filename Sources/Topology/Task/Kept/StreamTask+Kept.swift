import StateStore
import StreamCore

extension StreamTask {
  /// Releases the records that waited for a row of `key`, each as a unit of its own; a row they
  /// create may release others.
  func releaseHeld(_ operators: [String], key: ArraySlice<UInt8>?) throws {
    var pending = operators.map { ($0, Array(key ?? [])) }
    while !pending.isEmpty {
      let (operatorName, key) = pending.removeFirst()
      for number in try kept.waiting(for: operatorName, key: key) {
        guard let fate = try release(number, from: state.held) else { continue }
        if fate != .held { pending += context.createdRows.map { ($0, key) } }
      }
    }
  }

  /// Goes on with a key behind a dead letter that was resolved: in order, until one fails again.
  func releaseOrder(after entry: KeptRecord) throws {
    guard case .failed(_, _, true) = entry.why else { return }
    releasePending.append(entry.key)
  }

  func releaseParked() throws {
    while let key = releasePending.popLast() {
      for number in try kept.parked(behind: key) {
        if kept.isParked(key[...]) { break }
        _ = try release(number, from: state.held)
        let created = context.createdRows
        if !created.isEmpty { try releaseHeld(created, key: key[...]) }
      }
    }
  }

  /// Processes a kept record again; what it ends as replaces its fate.
  ///
  /// - Returns: the new fate, or `nil` where the entry is gone.
  @discardableResult
  func release(_ number: Int64, from store: EntryStore) throws -> Counter? {
    guard let bytes = try store.entry(number)?.bytes else { return nil }
    let entry = try KeptRecord(bytes)
    guard let input = inputs.first(where: { $0.topicPartition == entry.record.topicPartition })
    else { return nil }
    var batch = RecordBatch(entry.record.topicPartition, nextOffset: entry.record.offset)
    batch.append(
      offset: entry.record.offset, timestamp: entry.record.timestamp, key: entry.record.key,
      value: entry.record.value, headers: entry.record.headers)
    context.load(batch)
    context.select(0)
    context.streamTime = input.streamTime
    forgetLoadedBatch()
    let run = UnitRun(
      source: input.source, input: input,
      kept: KeptEntry(store: store, number: number, record: entry))
    let fate = try runUnit(run)
    counters[store === state.held ? .held : .deadLettered] -= 1
    if case .failed(let reason, _, _) = entry.why,
      let reason = ProcessingFailure.Reason(rawValue: reason)
    {
      counters[Counter(reason)] -= 1
    }
    counters[fate] += 1
    markDirty()
    return fate
  }

  /// Processes kept records again where the journal says that it was done.
  func replayDeadLetters() throws {
    while let number = journal.replayedDeadLetter(at: inputs) { _ = try retryDeadLetter(number) }
  }

  /// Carries out a request to process a dead letter again.
  ///
  /// - Returns: the record's new fate, or `nil` where there is no such dead letter.
  package func retryDeadLetter(_ number: Int64) throws -> Counter? {
    try openInterval()
    guard let bytes = try state.deadLetters.entry(number)?.bytes else { return nil }
    let entry = try KeptRecord(bytes)
    journal.record(.deadLetterRetried(number: number, positions: inputs.map(\.recordPosition)))
    state.commitUnit()
    if entry.isFiring {
      markDirty()
      let wentThrough = try fireAgain(
        KeptEntry(store: state.deadLetters, number: number, record: entry))
      return wentThrough ? .firings : .deadLettered
    }
    let fate = try release(number, from: state.deadLetters)
    let created = context.createdRows
    if !created.isEmpty { try releaseHeld(created, key: entry.key[...]) }
    if fate != .deadLettered { try releaseOrder(after: entry) }
    try releaseParked()
    markDirty()
    return fate
  }
}
