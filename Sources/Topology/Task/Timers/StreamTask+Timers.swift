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
    let name = timer.unitName
    let death = try journal.death(of: name)
    var attempts = 1
    while true {
      let time = max(timer.time, timers.clock ?? timer.time)
      timers.advance(to: OrderTime(time))
      context.beginFiring(of: timer, input: inputs[0].topicPartition)
      context.policies = timers.policies(of: timer)
      context.streamTime = time
      forgetLoadedBatch()
      do {
        if let death { throw ProcessingFailure(.process, .process, death.message) }
        if let entry { try kept.remove(entry) } else { try timers.delete(timer) }
        try timers.fire(timer, at: time)
        try finish()
        return true
      } catch let failure as ProcessingFailure {
        interval.dropUnit()
        // Before the failure is settled, nobody knows of it.
        try timers.refresh()
        if death == nil, attempts <= context.policies.policy(of: failure.stage).retries {
          attempts += 1
          continue
        }
        try journal.checkDeath(of: name, failure.description)
        if case .policy(.fail) = failure.verdict(context.policies), death == nil, entry == nil {
          throw TaskError(.recordFailed, inputs[0].topicPartition, nil, failure.description)
        }
        try journal.follow(
          .died(
            name,
            death
              ?? Death(
                reason: KeptRecord.firingReason, message: failure.message,
                operatorName: timer.name, attempts: attempts, parks: false)))
        // One that is tried again in vain stays as it was.
        guard entry == nil else { return false }
        timers.advance(to: OrderTime(time))
        try bury(failure, of: timer)
        try finish()
        return false
      }
    }
  }

  private func finish() throws {
    counters[.firings] += 1
    try timers.finishEnd()
    try endUnit()
    if !context.createdRows.isEmpty, let key = context.waitingKey { cascade.add(Array(key)) }
  }

  /// A firing parks nothing, and its dead letter is outside the sum.
  private func bury(_ failure: ProcessingFailure, of timer: Timer) throws {
    try timers.delete(timer)
    log("a timer of '\(timer.name)' failed: \(failure.description)")
    let record = ConsumerRecord(
      topicPartition: inputs[0].topicPartition, offset: -1, timestamp: timer.time, key: timer.key,
      value: nil, headers: [])
    let entry = KeptRecord(
      record: record,
      why: .failed(reason: KeptRecord.firingReason, message: failure.message, parks: false),
      operatorName: timer.name, eventID: context.eventID, valueHash: 0, attempts: 1,
      key: timer.key, hasDurableID: false)
    kept.bury(entry, id: context.idHash)
    if let topic = topology.deadLetterTopic { outbox.bury(entry, in: topic) }
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
        topicPartition: input, offset: -1, timestamp: timer.time, key: timer.key, value: nil,
        headers: []))
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
