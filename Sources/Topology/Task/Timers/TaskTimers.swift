import StateStore
import StreamCore

/// The durable timers of one task and the time that fires them.
final class TaskTimers {
  private let timers: Timers
  private var operators: [String: any TimerOperator] = [:] {
    didSet { hasOperators = true }
  }
  @exclusivity(unchecked) private var hasOperators = false
  private let words: Words
  private let timeSlot: Int
  /// No timer is due before it; `nil` where there is none.
  private var earliest: Timestamp?

  init(_ timers: Timers, words: Words) throws(StoreError) {
    self.timers = timers
    self.words = words
    timeSlot = words.register("time/task", initial: .min)
  }

  func add(_ target: any TimerOperator, named name: String) { operators[name] = target }

  /// Highest event time of all inputs.
  var time: Timestamp { Timestamp(milliseconds: words[timeSlot]) }

  func advance(to time: Timestamp) {
    if hasOperators, time > self.time { words[timeSlot] = time.milliseconds }
  }

  var isPending: Bool {
    guard hasOperators, let earliest else { return false }
    return earliest <= time
  }

  /// Reads when the next timer is due.
  func refresh() throws {
    earliest = !hasOperators ? nil : try timers.next(upTo: Timestamp(milliseconds: .max))?.time
  }

  func set(_ operatorName: String, key: [UInt8], at time: Timestamp) throws {
    try timers.set(Timer(time: time, operator: operatorName, key: key))
    if earliest.map({ time < $0 }) ?? true { earliest = time }
  }

  func cancel(_ operatorName: String, key: [UInt8], at time: Timestamp) throws {
    try timers.delete(Timer(time: time, operator: operatorName, key: key))
  }

  func target(named name: String) -> (any TimerOperator)? { operators[name] }

  /// The first timer that is due, taken from the store.
  func takeDue() throws -> (timer: Timer, target: any TimerOperator)? {
    guard let timer = try timers.next(upTo: time) else {
      try refresh()
      return nil
    }
    try timers.delete(timer)
    guard let target = operators[timer.name] else {
      preconditionFailure("lineage lets no timer outlive its operator")
    }
    return (timer, target)
  }
}

extension StreamTask {
  /// Fires what is due, each timer as a unit of its own, in order of time, operator and key.
  func fireTimers() throws {
    while let (timer, target) = try timers.takeDue() {
      context.beginFiring(of: timer, input: inputs[0].topicPartition)
      forgetLoadedBatch()
      do {
        try target.fire(key: timer.key, time: timer.time)
      } catch let failure as ProcessingFailure {
        rollbackUnit()
        _ = try timers.takeDue()
        try bury(failure, of: timer)
      }
      counters[.firings] += 1
      commitUnit()
    }
    try timers.refresh()
  }

  /// Fires the timer of a dead letter again; a firing has no fate.
  ///
  /// - Returns: whether it went through, and the dead letter is gone.
  func fireAgain(_ entry: KeptEntry) throws -> Bool {
    let timer = Timer(
      time: entry.record.record.timestamp ?? .epoch, operator: entry.record.operatorName,
      key: entry.record.record.key ?? [])
    guard let target = timers.target(named: timer.name) else {
      preconditionFailure("lineage lets no timer outlive its operator")
    }
    context.beginFiring(of: timer, input: inputs[0].topicPartition)
    forgetLoadedBatch()
    defer { markDirty() }
    do {
      try target.fire(key: timer.key, time: timer.time)
      try kept.remove(entry)
    } catch is ProcessingFailure {
      rollbackUnit()
      return false
    }
    counters[.firings] += 1
    commitUnit()
    return true
  }

  private func bury(_ failure: ProcessingFailure, of timer: Timer) throws {
    let policy = failure.action ?? inputs[0].source.policies.process
    if policy.action == .fail {
      throw TaskError(.recordFailed, inputs[0].topicPartition, nil, failure.description)
    }
    log("a timer of '\(timer.name)' failed: \(failure.description)")
    guard policy.action != .skip else { return }
    let record = ConsumerRecord(
      topicPartition: inputs[0].topicPartition, offset: -1, timestamp: timer.time, key: timer.key,
      value: nil, headers: [])
    let entry = KeptRecord(
      record: record,
      why: .failed(reason: KeptRecord.firingReason, message: failure.message, parks: false),
      operatorName: timer.name, eventID: context.eventID, valueHash: 0, attempts: 1,
      key: timer.key)
    try kept.bury(entry, id: context.idHash)
    if let topic = topology.deadLetterTopic { outbox.append(topic, DeadLetterRecord.make(entry)) }
  }
}

extension RecordContext {
  /// Stands in for a record while a timer fires: its id derives from operator, key and time.
  func beginFiring(of timer: Timer, input: TopicPartition) {
    var batch = RecordBatch(input, nextOffset: 0)
    batch.append(offset: -1, timestamp: timer.time, key: timer.key, value: nil)
    load(batch)
    select(0)
    idHash = Hash128.derived(
      from: Hash128(timer.key.span.bytes), "\(timer.name)/\(timer.time.milliseconds)")
  }
}
