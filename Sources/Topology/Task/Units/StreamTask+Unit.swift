import StateStore
import StreamCore

/// How one record is run: from its input, or from where it was kept.
final class UnitRun {
  let source: any SourceOperator
  let input: TaskInput
  /// The kept entry that is being released or retried.
  let kept: KeptEntry?

  init(source: any SourceOperator, input: TaskInput, kept: KeptEntry? = nil) {
    self.source = source
    self.input = input
    self.kept = kept
  }
}

/// A kept record and where it lies.
final class KeptEntry {
  let store: EntryStore
  let number: Int64
  let record: KeptRecord

  init(store: EntryStore, number: Int64, record: KeptRecord) {
    self.store = store
    self.number = number
    self.record = record
  }
}

extension StreamTask {
  /// Runs the selected record as a unit: all of its effects, or none and the policy's.
  ///
  /// - Returns: the record's fate.
  func runUnit(_ run: UnitRun) throws -> Counter {
    var attempts = 1
    let streamTime = run.input.streamTime
    while true {
      do {
        let fate = try goThrough(run)
        commitUnit()
        if attempts > 1 || journal.isReplaying { recordRetry(attempts, succeeded: true) }
        return fate
      } catch let signal as HoldSignal {
        rollbackUnit(run, to: streamTime)
        let fate = try hold(.missingRow, signal.operatorName, run)
        commitUnit()
        return fate
      } catch let failure as ProcessingFailure {
        rollbackUnit(run, to: streamTime)
        let policy = failure.action ?? policy(failure.stage, run.source.policies)
        let replayed = journal.replayedAttempts(context.topicPartition, context.offset)
        if attempts < replayed ?? (policy.retries + 1) {
          try prepareRetry(after: policy.backoff, run)
          attempts += 1
          continue
        }
        if attempts > 1 || journal.isReplaying { recordRetry(attempts, succeeded: false) }
        let fate = try settle(failure, policy.action, attempts, run)
        commitUnit()
        return fate
      }
    }
  }

  private func goThrough(_ run: UnitRun) throws -> Counter {
    var admission: Admission?
    context.keysByAggregate = run.source.policies.nullKey == .warn
    do {
      try run.source.process(context) {
        let answer = try admit(run)
        admission = answer
        return answer == .processed
      }
    } catch let failure as ProcessingFailure where admission == nil {
      // Its id may be known though its value cannot be read: a redelivery is still a duplicate.
      try run.source.identify(context)
      let answer = try admit(run)
      if answer == .processed { throw failure }
      admission = answer
    }
    return try settle(admission ?? .processed, run)
  }

  private func policy(_ stage: ProcessingFailure.Stage, _ policies: SourcePolicies) -> ErrorPolicy {
    switch stage {
    case .decode: policies.decode
    case .process: policies.process
    case .produce: policies.produce
    }
  }

  func commitUnit() {
    state.commitUnit()
    counters.commitUnit()
    kept.commitUnit()
    context.hasHeldRecords = kept.hasHeld
  }

  func rollbackUnit() {
    state.rollbackUnit()
    counters.rollbackUnit()
    kept.rollbackUnit()
  }

  /// Takes back what the unit did, the clock included.
  private func rollbackUnit(_ run: UnitRun, to streamTime: Timestamp?) {
    rollbackUnit()
    run.input.streamTime = streamTime
    context.streamTime = streamTime
    if !context.createdRows.isEmpty { context.createdRows.removeAll(keepingCapacity: true) }
  }

  /// A wait closes the interval before it, so that nobody waits for what is done; but not between
  /// a record and what it releases, which must not be lost.
  private func prepareRetry(after backoff: Duration, _ run: UnitRun) throws {
    counters[.retried] += 1
    if backoff > .zero, !journal.isReplaying {
      if run.kept == nil {
        // Records of the running slice came before: they are part of what is committed.
        markDirty()
        try commit()
      }
      wait(backoff)
      try openInterval()
    }
    context.restart()
  }

  private func recordRetry(_ attempts: Int, succeeded: Bool) {
    let attempts = journal.replayedAttempts(context.topicPartition, context.offset) ?? attempts
    guard attempts > 1 else { return }
    journal.record(
      .retried(context.topicPartition, context.offset, attempts: attempts, succeeded: succeeded))
    state.commitUnit()
  }

  // MARK: Admission

  /// What the envelope alone says of a record.
  enum Admission: Equatable {
    case processed
    case duplicate
    case parked
    /// The same id with another content, by a policy that drops it.
    case conflict
  }

  /// Lets a record in whose event was not seen, and whose key waits behind no other.
  private func admit(_ run: UnitRun) throws -> Admission {
    let earlier = try run.kept == nil && context.hasDurableID ? kept.find(context.idHash) : nil
    if let earlier, earlier.record.valueHash == context.valueHash { return .duplicate }
    if context.hasDurableID {
      if let seen = try state.seenIDs.find(context.idHash) {
        if seen.valueHash == UInt32(truncatingIfNeeded: context.valueHash) {
          noteDuplicate()
          return .duplicate
        }
        if try isRewritten(seen, run) {
          noteDuplicate()
          return .duplicate
        }
        return try conflict(seen, run.source.policies.conflict)
      }
    }
    // What corrects the record that its key waits for does not wait for it.
    // Nor does what was parked before; a record that got its row meanwhile does.
    let mayWait = run.kept.map { $0.record.why == .missingRow } ?? (earlier?.record.parks != true)
    if mayWait, kept.hasParkedKeys, kept.isParked(context.waitingKey) { return .parked }
    // A record that is not processed moves no clock.
    advanceStreamTime(run.input)
    return .processed
  }

  /// Whether the event seen before says the same in other bytes: the original is read again.
  private func isRewritten(_ seen: SeenID, _ run: UnitRun) throws -> Bool {
    guard let offset = seen.offset, Int(seen.scope) < inputs.count,
      let value = context.entry.value,
      let original = try readOriginal(inputs[Int(seen.scope)].topicPartition, offset)
    else { return false }
    let bytes = context.batch.bytes
    return run.source.areEqual(bytes.span.bytes.extracting(value), original)
  }

  private func conflict(_ seen: SeenID, _ policy: ConflictPolicy) throws -> Admission {
    switch policy {
    case .duplicate: return .duplicate
    case .warn:
      log(
        "event '\(context.eventID)' at \(context.topicPartition)@\(context.offset) has another "
          + "content than at \(seen.place): taken as a duplicate")
      return .conflict
    case .deadLetter, .fail:
      throw ProcessingFailure(
        .decode, .conflict,
        "event '\(context.eventID)' was seen at \(seen.place) with another content",
        action: policy == .fail ? .fail : .deadLetter)
    }
  }

  private func advanceStreamTime(_ input: TaskInput) {
    guard context.timestamp.milliseconds != .min else { return }
    input.streamTime = max(input.streamTime ?? context.timestamp, context.timestamp)
    context.streamTime = input.streamTime
    timers.advance(to: context.timestamp)
  }

  // MARK: Fates

  /// The fate of a unit that went through.
  private func settle(_ admission: Admission, _ run: UnitRun) throws -> Counter {
    if admission == .parked { return try hold(.parked, "", run) }
    try removeKept(run)
    switch admission {
    case .duplicate: return .duplicate
    case .conflict:
      counters.count(.duplicateConflict)
      return .duplicate
    default: break
    }
    if context.hasDurableID {
      try supersede(run)
      try state.seenIDs.insert(
        context.idHash, offset: context.offset,
        valueHash: UInt32(truncatingIfNeeded: context.valueHash),
        scope: UInt8(truncatingIfNeeded: run.input.order), timestamp: context.timestamp)
    }
    if context.outcome.applied { return .applied }
    if context.outcome.late { return .late }
    return context.outcome.ignored ? .ignored : .filtered
  }

  /// The entry kept under the record's id is a duplicate now: a corrected redelivery got through,
  /// or takes its place, for there is one entry an id.
  private func supersede(_ run: UnitRun) throws {
    guard run.kept == nil, context.hasDurableID, let earlier = try kept.find(context.idHash)
    else { return }
    try kept.remove(earlier)
    counters.count(earlier.store === state.held ? .held : .deadLettered, by: -1)
    if case .failed(let reason, _, _) = earlier.record.why,
      let reason = ProcessingFailure.Reason(rawValue: reason)
    {
      counters.count(Counter(reason), by: -1)
    }
    counters.count(.duplicate)
    counters.count(.duplicateSuperseded)
    try releaseOrder(after: earlier.record)
  }

  /// Keeps the record until its row or its turn comes.
  private func hold(_ why: KeptRecord.Why, _ operatorName: String, _ run: UnitRun) throws -> Counter
  {
    if let kept = run.kept, kept.store === state.held, kept.record.why == why,
      kept.record.operatorName == operatorName
    {
      return .held
    }
    let entry = keptRecord(why, operatorName, attempts: 1)
    try supersede(run)
    // One that waits for something else now takes no second place.
    try removeKept(run)
    if try kept.hold(entry, id: context.idHash) { return .held }
    let failure = ProcessingFailure(
      .process, .heldLimit, "no room to hold another record that waits",
      operatorName: operatorName)
    return try settle(failure, .deadLetter, 1, run)
  }

  private func settle(
    _ failure: ProcessingFailure, _ action: ErrorPolicy.Action, _ attempts: Int, _ run: UnitRun
  ) throws -> Counter {
    var reason = failure.reason
    switch action {
    case .fail where run.kept == nil:
      throw TaskError(
        .recordFailed, context.topicPartition, context.offset,
        "\(failure.description); the policy is to stop: correct the topology or the record's "
          + "policy and start again")
    case .skip:
      try removeKept(run)
      reason = .skipped
    default:
      let entry = keptRecord(
        .failed(
          reason: reason.rawValue, message: failure.message, parks: action == .parkKey),
        failure.operatorName, attempts: attempts)
      try removeKept(run)
      try supersede(run)
      try kept.bury(entry, id: context.idHash)
      if let topic = topology.deadLetterTopic {
        outbox.append(topic, DeadLetterRecord.make(entry))
      }
    }
    log(
      "dead letter (\(reason.rawValue)) at \(context.topicPartition)@\(context.offset): "
        + failure.description)
    counters.count(Counter(reason))
    return .deadLettered
  }

  func removeKept(_ run: UnitRun) throws {
    if let entry = run.kept { try kept.remove(entry) }
  }

  private func keptRecord(_ why: KeptRecord.Why, _ operatorName: String, attempts: Int)
    -> KeptRecord
  {
    KeptRecord(
      record: context.record, why: why, operatorName: operatorName, eventID: context.eventID,
      valueHash: context.valueHash, attempts: attempts, key: Array(context.waitingKey ?? []))
  }
}

extension SeenID {
  /// Where the id was seen first, for messages.
  var place: String { offset.map { "offset \($0)" } ?? "an earlier offset" }
}
