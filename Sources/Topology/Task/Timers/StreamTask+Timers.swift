import StateStore
import StreamCore

extension StreamTask {
  /// Fires the first timer that is due, as a unit of its own: at its due time, or at the clock, where
  /// that is later. What was due may have been cancelled meanwhile.
  func fire(_ step: UnitOrder.Step, due: Timestamp) throws {
    guard let timer = try firstDue(upTo: due) else { return }
    try begin(step)
    _ = try fire(timer, resolving: nil)
  }

  /// Lets time end, as a unit of its own: what is set fires after it, each at its time, and the clock
  /// is then at the end, so that what comes later is late.
  func endTime() throws {
    try begin(.decided(.endOfTime))
    try timers.end()
    try endUnit()
  }

  /// The first timer that is due. One whose operator the topology has no more, which needs no
  /// rebuild where that kept no rows, is dropped.
  private func firstDue(upTo due: Timestamp) throws -> Timer? {
    while let timer = try timers.due(upTo: due) {
      if timers.target(named: timer.name) != nil { return timer }
      try interval.open()
      try timers.delete(timer)
      counters[.timersDropped] += 1
      if droppedTimers.insert(timer.name).inserted {
        log(
          "task \(name) has timers of '\(timer.name)', which the topology does not have any more: "
            + "they are dropped and counted as timersDropped")
      }
      try timers.finishEnd()
      // No later unit takes it back.
      interval.keepBetweenUnits()
    }
    return nil
  }

  /// Fires the timer of a dead letter again; a firing has no fate.
  ///
  /// - Returns: whether it went through, and the dead letter is gone.
  func fireAgain(_ entry: KeptEntry) throws -> Bool {
    let timer = Timer(
      time: entry.record.record.timestamp ?? .epoch, operator: entry.record.operatorName,
      key: entry.record.record.key ?? [])
    guard timers.target(named: timer.name) != nil else {
      throw TaskError(
        .sourceRemoved, nil, nil,
        "the topology has no operator '\(timer.name)' any more, whose timer this is: skip it")
    }
    return try fire(timer, resolving: entry)
  }

  private func fire(_ timer: Timer, resolving entry: KeptEntry?) throws -> Bool {
    guard let traps else { return try fireUnit(timer, resolving: entry) }
    return try traps.run(timer, unit: journal.unit) { try fireUnit(timer, resolving: entry) }
  }

  private func fireUnit(_ timer: Timer, resolving entry: KeptEntry?) throws -> Bool {
    let name = timer.unitName
    outbox.beginUnit(name)
    let death = try journal.death(of: name)
    let isTrapped = try death != nil ? journal.isTrapped(name) : traps?.isSpent(timer) ?? false
    var attempts = 1
    while true {
      let time = max(timer.time, timers.clock ?? timer.time)
      timers.advance(to: OrderTime(time))
      context.beginFiring(of: timer, input: inputs[0].topicPartition)
      context.policies = timers.policies(of: timer)
      context.streamTime = time
      forgetLoadedBatch()
      do {
        if isTrapped { throw ProcessingFailure.trapped(operatorName: timer.name) }
        if let death { throw ProcessingFailure(.process, .process, death.message) }
        if let entry { try kept.remove(entry) } else { try timers.delete(timer) }
        try timers.fire(timer, at: time)
        try finish()
        return true
      } catch let failure as ProcessingFailure {
        interval.dropUnit()
        // Before the failure is settled, nobody knows of it.
        try timers.refresh()
        if death == nil, !isTrapped,
          attempts <= context.policies.policy(of: failure.stage).retries
        {
          attempts += 1
          continue
        }
        try journal.checkDeath(of: name, failure.description)
        let wasSkipped = try wasSkipped(name)
        let action =
          wasSkipped ? .skip : death.map(\.action) ?? failure.action(context.policies)
        if action == .fail, entry == nil {
          throw TaskError(
            .recordFailed, inputs[0].topicPartition, nil,
            "\(failure.description); the policy is to stop: \(failure.todo(traps))")
        }
        if isTrapped { try noteTrapped(name) }
        try journal.follow(
          .died(
            name,
            death
              ?? Death(
                reason: failure.firingReason(action), message: failure.message,
                operatorName: timer.name, attempts: attempts, parks: false,
                wasSkipped: wasSkipped)))
        // One that is tried again in vain stays as it was.
        guard entry == nil else { return false }
        timers.advance(to: OrderTime(time))
        try timers.delete(timer)
        try bury(failure, of: timer, action)
        try finish()
        return false
      }
    }
  }

  private func finish() throws {
    counters[.firings] += 1
    try timers.finishEnd()
    try endUnit()
    if context.waitingKey != nil { followUp(UnitResult(fate: .applied)) }
  }

  /// A firing parks nothing, and its dead letter is outside the sum; `skip` keeps none.
  private func bury(
    _ failure: ProcessingFailure, of timer: Timer, _ action: ErrorPolicy.Action
  ) throws {
    log(
      "a timer of '\(timer.name)' failed\(action == .skip ? " and is skipped" : ""): "
        + failure.description)
    if action == .skip { return }
    let record = ConsumerRecord(
      topicPartition: inputs[0].topicPartition, offset: KeptRecord.firingOffset,
      timestamp: timer.time, key: timer.key, value: nil, headers: [])
    let entry = KeptRecord(
      record: record,
      why: .failed(
        reason: failure.firingReason(action), message: failure.message, parks: false),
      operatorName: timer.name, eventID: context.eventID, valueHash: 0, attempts: 1,
      key: timer.key, hasDurableID: false)
    try kept.keep(entry, id: context.idHash, replacing: nil)
    if let topic = topology.deadLetterTopic { outbox.bury(entry, in: topic) }
  }
}

extension ProcessingFailure {
  /// What becomes of a firing; only what waits for a row is held, and a firing waits for none.
  fileprivate func action(_ policies: SourcePolicies) -> ErrorPolicy.Action {
    if case .policy(let action) = verdict(policies) { action } else { .deadLetter }
  }

  /// The word of a firing's death.
  fileprivate func firingReason(_ action: ErrorPolicy.Action) -> String {
    if action == .skip { return Reason.skipped.rawValue }
    return reason == .trapped ? reason.rawValue : KeptRecord.firingReason
  }
}

extension Death {
  /// What its policy was.
  var action: ErrorPolicy.Action {
    if reason == ProcessingFailure.Reason.skipped.rawValue { return .skip }
    return parks ? .parkKey : .deadLetter
  }
}

extension Timer {
  /// Its firing's id, by operator, key and time.
  var idHash: Hash128 {
    Hash128.derived(from: Hash128(key.span.bytes), "\(name)/\(time.milliseconds)")
  }

  /// Names the firing for the journal.
  var unitName: UnitName { .derived(idHash) }
}

extension RecordContext {
  /// Stands in for a record while a timer fires: its id derives from operator, key and time.
  func beginFiring(of timer: Timer, input: TopicPartition) {
    load(
      ConsumerRecord(
        topicPartition: input, offset: KeptRecord.firingOffset, timestamp: timer.time,
        key: timer.key, value: nil, headers: []))
    idHash = timer.idHash
  }

  /// Points at a record that lies in no batch of the log's.
  func load(_ record: ConsumerRecord) {
    var batch = RecordBatch(record.topicPartition, nextOffset: record.offset)
    batch.append(
      offset: record.offset, timestamp: record.timestamp, key: record.key, value: record.value,
      headers: record.headers)
    load(batch)
    select(0)
  }
}
