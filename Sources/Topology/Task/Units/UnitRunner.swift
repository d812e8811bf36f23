import StateStore
import StreamCore

extension StreamTask {
  /// Runs the selected record as a unit: all of its effects, or none and what its policy makes of
  /// it. The unit is left open for the caller to add what belongs to it.
  ///
  /// - Throws: ``TaskError`` with `.recordFailed` or `.stopped` where the record is not taken, and
  ///   nothing of it is left; anything else closes the task.
  func run(_ origin: UnitOrigin) throws -> UnitResult {
    guard let traps else { return try runUnit(origin) }
    return try traps.run(input: origin.input.order, offset: context.offset, unit: journal.unit) {
      try runUnit(origin)
    }
  }

  private func runUnit(_ origin: UnitOrigin) throws -> UnitResult {
    var attempts = 1
    context.policies = origin.source.policies
    outbox.beginUnit(unitName)
    let ids = seenIDs[origin.input.order]
    if context.ids !== ids { context.ids = ids }
    context.isReleased = !origin.checksNumber
    var replayedTries: Int?
    if journal.replay != nil {
      if let death = try journal.death(of: unitName) { return try letDie(death, origin) }
      replayedTries = try journal.tries(of: unitName)
    }
    if let traps, traps.isSpent(input: origin.input.order, offset: context.offset) {
      return try passOver(origin)
    }
    while true {
      do {
        sequences.beginUnit()
        let result = try settle(try letIn(origin, runs: true), origin)
        try recordTries(attempts, replayedTries)
        return result
      } catch let failure as ProcessingFailure {
        takeBack()
        guard case .policy(let action) = failure.verdict(origin.source.policies) else {
          let result = try wait(failure, origin)
          if result.fate == .held { try recordTries(attempts, replayedTries) }
          return result
        }
        if failure.verdict == nil {
          let policy = origin.source.policies.policy(of: failure.stage)
          if attempts < max(policy.retries + 1, replayedTries ?? 0) {
            try waitForRetry(policy.backoff)
            attempts += 1
            continue
          }
        }
        return try settle(failure, action, attempts, origin)
      }
    }
  }

  /// Nothing is left of a try.
  private func takeBack() {
    interval.dropUnit()
    sequences.beginUnit()
    context.createdRows.removeAll(keepingCapacity: true)
  }

  /// Lets a record die that is known to, without running it: only its time and id are looked for.
  ///
  /// - Throws: ``TaskError`` with `.diverged` where it does not come so far.
  private func letDie(_ death: Death, _ origin: UnitOrigin) throws -> UnitResult {
    sequences.beginUnit()
    let admission: Admission
    do {
      admission = try letIn(origin, runs: false)
    } catch is ProcessingFailure {
      admission = .processed
    }
    guard admission == .processed else {
      throw journal.diverged("\(unitName) died, and is \(admission) here")
    }
    takeBack()
    retried = Int64(death.attempts - 1)
    let failure = ProcessingFailure(
      .process, ProcessingFailure.Reason(rawValue: death.reason) ?? .process, death.message,
      operatorName: death.operatorName, action: death.action)
    return try settle(
      failure, death.action, death.attempts, origin, isTrapped: try journal.isTrapped(unitName))
  }

  /// Has a record go to its policy whose handler ended the process, without running it: as with one
  /// that dies, only its time and id are looked for.
  private func passOver(_ origin: UnitOrigin) throws -> UnitResult {
    sequences.beginUnit()
    var failure = ProcessingFailure.trapped()
    do {
      let admission = try letIn(origin, runs: false)
      if admission != .processed { return try settle(admission, origin) }
    } catch let found as ProcessingFailure {
      failure = found
    }
    takeBack()
    guard case .policy(let action) = failure.verdict(origin.source.policies) else {
      return try wait(failure, origin)
    }
    return try settle(failure, action, 1, origin, isTrapped: failure.reason == .trapped)
  }

  /// A unit is not run because its handler ended the process.
  func noteTrapped(_ name: UnitName) throws {
    counters.count(.trapped)
    try journal.follow(.trapped(name))
  }

  /// Finds a record's time and id and lets it in or not; one that was let in then runs, if it is to.
  private func letIn(_ origin: UnitOrigin, runs: Bool) throws -> Admission {
    var admission: Admission?
    context.keysByAggregate = origin.source.policies.nullKey == .warn
    let known = origin.isRecord ? origin.input.headTimeIfCheap : nil
    if let known { advanceStreamTime(known) }
    do {
      try origin.source.process(context) {
        if let known {
          try setEngineTime(known)
        } else if origin.isRecord {
          let judged = origin.input.judge(context.knownTime)
          advanceStreamTime(judged)
          try setEngineTime(judged)
        } else {
          // Whether it is ahead shows whenever it runs; its time is the stream's, as that is now.
          let time = context.timestamp.milliseconds == .min ? nil : context.timestamp
          try setEngineTime(
            JudgedTime(
              time, logTime: origin.kept?.record.logTime,
              maxAhead: origin.source.policies.maxAhead))
        }
        let answer = try admit(origin)
        admission = answer
        return runs && answer == .processed
      }
    } catch let failure as ProcessingFailure where admission == nil {
      // Its id may be known though its value cannot be read: a redelivery is still a duplicate.
      try origin.source.identify(context)
      let answer = try admit(origin)
      if answer == .processed { throw failure }
      admission = answer
    }
    return admission ?? .processed
  }

  /// A wait closes the interval before it, so that nobody waits for what is done.
  private func waitForRetry(_ backoff: Duration) throws {
    if backoff > .zero, journal.replay == nil {
      try commit()
      guard retryWait(backoff) else {
        throw TaskError(
          .stopped, context.topicPartition, context.offset,
          "the process was stopped while the record waited for its next try")
      }
      try interval.open()
    }
    context.restart()
  }

  /// A record that lives is journalled with its tries; a replay may need fewer or more.
  private func recordTries(_ attempts: Int, _ replayed: Int?) throws {
    let tries = journal.replay == nil ? attempts : replayed ?? 1
    retried = Int64(tries - 1)
    if tries > 1 { try journal.follow(.retried(unitName, attempts: tries, succeeded: true)) }
  }

  private var unitName: UnitName { .record(context.topicPartition, context.offset) }

  /// Each record that is taken moves the task's clock, whatever becomes of it.
  private func advanceStreamTime(_ time: JudgedTime) {
    context.orderTime = time.order.timestamp
    timers.advance(to: time.order)
    context.streamTime = timers.clock
  }

  /// A record that is ahead of the log's clock is processed at stream time; one of no year that
  /// there is cannot be decoded.
  private func setEngineTime(_ time: JudgedTime) throws {
    switch time {
    case .time, .none: return
    case .outsideCalendar(let time):
      throw ProcessingFailure(
        .decode, .decode,
        "its time, \(time.milliseconds) ms since 1970, is not within the years 0000 to 9999")
    case .ahead(let time, let logTime):
      context.isAhead = true
      log(
        "the event at \(context.topicPartition)@\(context.offset) is of \(time), which lies too far "
          + "after \(logTime), when the log took it: it is processed at the stream's time")
      context.timestamp = timers.clock ?? logTime
    }
  }

  // MARK: Admission

  /// What the id and the key of a record say before anything else is asked.
  enum Admission: Equatable {
    case processed
    case duplicate
    /// The same id with another content, by a policy that takes it for a duplicate.
    case conflict(isCounted: Bool)
    /// Its key is barred.
    case parked
  }

  /// Lets a record in whose event was not seen, and whose key is not barred.
  private func admit(_ origin: UnitOrigin) throws -> Admission {
    if origin.runsByPosition {
      context.identifyByPosition()
    } else if context.hasDurableID {
      if let answer = try lookUp(origin) { return answer }
    }
    if origin.isRecord, try kept.isBarred(context.topicPartition.topic, context.waitingKey) {
      return .parked
    }
    return .processed
  }

  /// What is known of the record's id; `nil` where nothing is.
  private func lookUp(_ origin: UnitOrigin) throws -> Admission? {
    let answer = try seenIDs[origin.input.order].look(
      context.idHash, valueHash: context.valueHash, at: context.streamTime)
    if case .duplicate = answer {
      noteDuplicate()
      return .duplicate
    }
    if !kept.isEmpty {
      switch try kept.look(
        context.idHash, valueHash: context.valueHash, except: origin.kept)
      {
      case .none: break
      case .same:
        noteDuplicate()
        return .duplicate
      // Nothing is applied unasked, and neither is lost.
      case .other(let first) where origin.kept == nil:
        throw conflict(with: "the one kept of offset \(first.record.record.offset)", .deadLetter)
      case .other: break
      }
    }
    guard case .conflict(let seen) = answer else { return nil }
    let policy =
      origin.source.policies.conflict ?? (context.hasComposedID ? .deadLetter : .warn)
    switch policy {
    case .duplicate: return .conflict(isCounted: false)
    case .warn:
      log(
        "event '\(context.eventID)' at \(context.topicPartition)@\(context.offset) has another "
          + "content than at \(seen.place): taken as a duplicate")
      return .conflict(isCounted: true)
    case .deadLetter: throw conflict(with: seen.place, .deadLetter)
    case .fail: throw conflict(with: seen.place, .fail)
    }
  }

  private func conflict(with place: String, _ action: ErrorPolicy.Action) -> ProcessingFailure {
    ProcessingFailure(
      .decode, .conflict, "event '\(context.eventID)' has another content than \(place)",
      action: action)
  }

  // MARK: Results

  /// The result of a unit that went through.
  private func settle(_ admission: Admission, _ origin: UnitOrigin) throws -> UnitResult {
    countAhead(origin)
    if admission == .parked {
      try kept.keep(
        keptRecord(.parked, "", attempts: 0, origin), id: context.idHash, replacing: nil)
      return UnitResult(fate: .held)
    }
    if let entry = origin.kept { try kept.remove(entry) }
    if case .duplicate = admission { return UnitResult(fate: .duplicate) }
    try settleNumber()
    if case .conflict(let isCounted) = admission {
      if isCounted { counters.count(.duplicateConflict) }
      return UnitResult(fate: .duplicate)
    }
    if let id = ownID(origin) { try remember(id, in: seenIDs[origin.input.order]) }
    if context.outcome.applied { return UnitResult(fate: .applied) }
    if context.outcome.late { return UnitResult(fate: .late) }
    return UnitResult(fate: context.outcome.ignored ? .ignored : .filtered)
  }

  /// The id under which later records are compared with this one; `nil` for one without.
  private func ownID(_ origin: UnitOrigin) -> Hash128? {
    if let entry = origin.kept { return entry.record.hasDurableID ? entry.id : nil }
    return context.hasDurableID ? context.idHash : nil
  }

  /// The id enters the runs with the record's bytes.
  func remember(_ id: Hash128, in ids: SeenIDs) throws {
    try ids.insert(
      id, offset: context.offset, valueHash: context.valueHash, streamTime: context.streamTime)
  }

  /// The record waits for rows or a number that are not there.
  private func wait(_ failure: ProcessingFailure, _ origin: UnitOrigin) throws -> UnitResult {
    retake(origin)
    let why: KeptRecord.Why = failure.reason == .sequenceGap ? .missingNumber : .missingRow
    if why == .missingRow { try settleNumber() }
    if case .released = origin.kind {
      let missing = ProcessingFailure(
        .process, .missingRow, "no row to update", operatorName: failure.operatorName,
        action: .deadLetter)
      return try settle(missing, .deadLetter, 1, origin)
    }
    if let entry = origin.kept, entry.record.why == why,
      entry.record.operatorName == failure.operatorName
    {
      return UnitResult(fate: .held)
    }
    try kept.keep(
      keptRecord(why, failure.operatorName, attempts: 1, origin),
      id: origin.kept?.id ?? context.idHash, replacing: origin.kept)
    return UnitResult(fate: .held)
  }

  private func settle(
    _ failure: ProcessingFailure, _ action: ErrorPolicy.Action, _ attempts: Int,
    _ origin: UnitOrigin, isTrapped: Bool = false
  ) throws -> UnitResult {
    try journal.checkDeath(of: unitName, failure.description)
    let wasSkipped = try wasSkipped(unitName)
    let action = wasSkipped ? .skip : action
    if case .fail = action {
      // A kept one stays as it was, and the next try that somebody asks for is one again.
      if origin.isDecided { traps?.pass(input: origin.input.order, offset: context.offset) }
      throw TaskError(
        .recordFailed, context.topicPartition, context.offset,
        "\(failure.description); the policy is to stop: \(failure.todo(traps))")
    }
    retake(origin)
    if isTrapped { try noteTrapped(unitName) }
    if action != .parkKey { try settleNumber() }
    retried = Int64(attempts - 1)
    let place = "\(context.topicPartition)@\(context.offset)"
    try journal.follow(
      .died(
        unitName,
        Death(
          reason: action == .skip
            ? ProcessingFailure.Reason.skipped.rawValue : failure.reason.rawValue,
          message: failure.message, operatorName: failure.operatorName, attempts: attempts,
          parks: action == .parkKey, wasSkipped: wasSkipped)))
    if action == .skip {
      if let entry = origin.kept { try kept.remove(entry) }
      if wasSkipped, let id = ownID(origin) { try remember(id, in: seenIDs[origin.input.order]) }
      log("skipped (\(failure.reason.rawValue)) at \(place): \(failure.description)")
      return UnitResult(fate: .deadLettered, reason: .skipped)
    }
    let why = KeptRecord.Why.failed(
      reason: failure.reason.rawValue, message: failure.message, parks: action == .parkKey)
    if let entry = origin.kept, entry.record.why == why,
      entry.record.operatorName == failure.operatorName
    {
      return UnitResult(fate: .deadLettered, reason: failure.reason)
    }
    let dead = keptRecord(why, failure.operatorName, attempts: attempts, origin)
    try kept.keep(dead, id: origin.kept?.id ?? context.idHash, replacing: origin.kept)
    if let topic = topology.deadLetterTopic { outbox.bury(dead, in: topic) }
    log("dead letter (\(failure.reason.rawValue)) at \(place): \(failure.description)")
    return UnitResult(fate: .deadLettered, reason: failure.reason)
  }

  /// Whether an operator of the process skipped a unit in a generation before: it is skipped wherever
  /// it dies.
  func wasSkipped(_ name: UnitName) throws -> Bool {
    if journal.replay != nil { return try journal.death(of: name)?.wasSkipped ?? false }
    return decisions.decision(about: name) == .skip
  }

  /// The record's number has come: it neither waits for it nor stands in a line.
  private func settleNumber() throws {
    if sequences.isUsed, let number = context.sequenceNumber {
      try sequences.settle(number, of: context.order)
    }
  }

  /// A unit that was taken back is taken all the same: the clock has moved.
  private func retake(_ origin: UnitOrigin) {
    if origin.isRecord { timers.advance(to: OrderTime(context.orderTime)) }
    countAhead(origin)
  }

  /// Counted once a record, when it is taken.
  private func countAhead(_ origin: UnitOrigin) {
    if origin.isRecord, context.isAhead { counters.count(.ahead) }
  }

  private func keptRecord(
    _ why: KeptRecord.Why, _ operatorName: String, attempts: Int, _ origin: UnitOrigin
  ) -> KeptRecord {
    let before = origin.kept?.record
    var record = KeptRecord(
      record: context.record, why: why, operatorName: operatorName, eventID: context.eventID,
      valueHash: context.valueHash, attempts: (before?.attempts ?? 0) + attempts,
      key: Array(context.waitingKey ?? []),
      hasDurableID: before?.hasDurableID ?? context.hasDurableID,
      sequenceNumber: context.sequenceNumber)
    record.arrival = before?.arrival ?? interval.unitNumber
    record.logTime = before.map(\.logTime) ?? origin.input.headLogTime
    record.numberHasCome = before?.numberHasCome ?? false || !record.withholdsNumber
    record.runsByPosition = origin.runsByPosition
    return record
  }
}

extension SeenID {
  /// Where the id was seen first, for messages.
  var place: String { offset.map { "offset \($0)" } ?? "an earlier offset" }
}
