import StreamCore
import Topology

/// One task of the model: units, fates and what follows from them.
struct ModelTask {
  let plan: ModelPlan
  let code: ModelUserCode
  let sources: [Int]
  let partition: Int
  var state = ModelState()
  /// What the running unit has done.
  var unit = Unit()

  struct Unit {
    var time: Int64 = 0
    var type: String?
    var correlationID: String?
    var sequence: Int64?
    var applied = false
    var isIgnored = false
    /// Operators that created the row of ``key``.
    var created: [String] = []
    var key: String?
  }

  struct Failure: Error {
    var stage: ProcessingFailure.Stage
    var reason: ProcessingFailure.Reason
    var operatorName = ""
    /// Of the operator, where it overrides the source's.
    var action: ErrorPolicy.Action?
  }

  struct MissingRow: Error { var operatorName: String }

  enum Admission { case processed, duplicate, conflict, parked }

  init(_ plan: ModelPlan, _ code: ModelUserCode, sources: [Int], partition: Int) {
    self.plan = plan
    self.code = code
    self.sources = sources
    self.partition = partition
  }

  var fatesAddUp: Bool {
    Counter.fates.reduce(0) { $0 + (state.counters[$1] ?? 0) } == (state.counters[.consumed] ?? 0)
  }

  mutating func count(_ counter: Counter, by number: Int64 = 1) {
    state.counters[counter, default: 0] += number
  }

  func source(of record: ModelRecord) -> ModelPlan.Source {
    guard let source = plan.sources.first(where: { $0.topic == record.topic }) else {
      preconditionFailure("a record of a topic that the plan does not read")
    }
    return source
  }

  /// The event time of a record, readable or not.
  func time(of record: ModelRecord) -> Int64 {
    guard source(of: record).eventTime == .occurredAt, case .event(let payload) = record.body,
      !payload.hasBadTime, !payload.hasBadSequence
    else { return record.time }
    return payload.occurredAt ?? record.time
  }

  // MARK: Records

  mutating func take(_ record: ModelRecord) {
    count(.consumed)
    let fate = runUnit(record, kept: nil)
    count(fate)
    releaseHeld(unit.created, key: unit.key)
    releaseParked()
    fireTimers()
  }

  mutating func retryDeadLetters() {
    for entry in state.dead {
      guard state.dead.contains(where: { $0.serial == entry.serial }) else { continue }
      if case .firing(let timer) = entry.why {
        let saved = state
        state.dead.removeAll { $0.serial == entry.serial }
        if fire(timer) { count(.firings) } else { state = saved }
        continue
      }
      let fate = release(entry)
      releaseHeld(unit.created, key: unit.key)
      if fate != .deadLettered, entry.parks { state.releasing.append(entry.key) }
      releaseParked()
    }
  }

  /// All of a record's effects, or none and what its policy says.
  mutating func runUnit(_ record: ModelRecord, kept: ModelKept?) -> Counter {
    let policies = source(of: record).policies
    var attempts = 1
    while true {
      let saved = state
      do {
        return try goThrough(record, kept)
      } catch let missing as MissingRow {
        state = saved
        unit.created = []
        return hold(record, .missingRow, missing.operatorName, kept)
      } catch let failure as Failure {
        state = saved
        unit.created = []
        let policy: ErrorPolicy =
          switch failure.stage {
          case .decode: policies.decode
          case .process: policies.process
          case .produce: policies.produce
          }
        if failure.action == nil, attempts <= policy.retries {
          attempts += 1
          count(.retried)
          continue
        }
        return settle(failure, failure.action ?? policy.action, record, kept)
      } catch {
        preconditionFailure("an operator of the model throws only its own errors")
      }
    }
  }

  private mutating func goThrough(_ record: ModelRecord, _ kept: ModelKept?) throws -> Counter {
    let (id, isDurable) = identity(of: record)
    unit = Unit()
    unit.key = logicalKey(of: record)
    switch try admit(record, id, isDurable, kept) {
    case .parked: return hold(record, .parked, "", kept)
    case .duplicate:
      remove(kept)
      return .duplicate
    case .conflict:
      remove(kept)
      count(.duplicateConflict)
      return .duplicate
    case .processed: break
    }
    try process(record)
    remove(kept)
    if isDurable {
      state.seen[id] = record.value
    }
    if unit.applied { return .applied }
    return unit.isIgnored ? .ignored : .filtered
  }

  /// The rules of the default envelope: header, field, aggregate and sequence, position.
  private func identity(of record: ModelRecord) -> (id: String, isDurable: Bool) {
    if let id = record.headerID { return ("\(record.topic)/\(id)", true) }
    if !record.isPlain, case .event(let payload) = record.body {
      if let id = payload.payloadID { return ("\(record.topic)/\(id)", true) }
      if let aggregate = payload.aggregateID ?? record.key, let sequence = payload.sequence,
        !payload.hasBadSequence
      {
        return ("\(record.topic)/\(aggregate):\(sequence)", true)
      }
    }
    return ("\(record.topic):\(record.partition):\(record.offset)", false)
  }

  private func logicalKey(of record: ModelRecord) -> String? {
    guard record.key == nil, !record.isPlain, source(of: record).policies.nullKey == .warn,
      case .event(let payload) = record.body
    else { return record.key }
    return payload.aggregateID
  }

  private func admit(
    _ record: ModelRecord, _ id: String, _ isDurable: Bool, _ kept: ModelKept?
  ) throws -> Admission {
    if isDurable {
      let others = (state.held + state.dead).filter { $0.id == id && $0.serial != kept?.serial }
      let seen = state.seen[id]
      if seen == record.value || others.contains(where: { $0.record.value == record.value }) {
        return .duplicate
      }
      if !others.isEmpty, kept == nil {
        throw Failure(stage: .decode, reason: .conflict, action: .deadLetter)
      }
      if seen != nil {
        switch source(of: record).policies.conflict {
        case nil, .warn: return .conflict
        case .duplicate: return .duplicate
        case .deadLetter, .fail:
          throw Failure(stage: .decode, reason: .conflict, action: .deadLetter)
        }
      }
    }
    let key = logicalKey(of: record)
    let isBarred =
      state.dead.contains { $0.parks && $0.key == key && $0.record.topic == record.topic }
      || state.held.contains {
        $0.why == .parked && $0.key == key && $0.record.topic == record.topic
      }
    return kept == nil && isBarred ? .parked : .processed
  }

  // MARK: Fates

  private mutating func hold(
    _ record: ModelRecord, _ why: ModelKept.Why, _ operatorName: String, _ kept: ModelKept?
  ) -> Counter {
    if let kept, kept.why == why, kept.operatorName == operatorName { return .held }
    remove(kept)
    state.held.append(entry(record, why, operatorName))
    return .held
  }

  private mutating func settle(
    _ failure: Failure, _ action: ErrorPolicy.Action, _ record: ModelRecord, _ kept: ModelKept?
  ) -> Counter {
    remove(kept)
    guard action != .skip else {
      count(.deadLetteredSkipped)
      return .deadLettered
    }
    let dead = entry(
      record, .failed(failure.reason.rawValue, parks: action == .parkKey), failure.operatorName)
    bury(dead)
    count(Counter(failure.reason))
    return .deadLettered
  }

  mutating func bury(_ dead: ModelKept) {
    state.dead.append(dead)
    guard plan.publishesDeadLetters else { return }
    let reason: String
    var time = dead.record.time
    switch dead.why {
    case .failed(let text, _): reason = "\(text) in '\(dead.operatorName)'"
    case .firing(let timer):
      reason = "firing in '\(timer.name)'"
      time = timer.time
    default: reason = ""
    }
    var type: String?
    if dead.record.typeIsHeader, case .event(let payload) = dead.record.body { type = payload.type }
    state.outputs[ModelPlan.deadLetterTopic, default: []].append(
      ModelOutput(
        key: dead.record.key, value: dead.record.value, type: type,
        correlationID: dead.record.correlationID, time: time,
        deadLetter: "\(reason) from \(dead.record.topic)-\(dead.record.partition)"
          + "@\(dead.record.offset)"))
  }

  mutating func entry(_ record: ModelRecord, _ why: ModelKept.Why, _ operatorName: String)
    -> ModelKept
  {
    state.lastSerial += 1
    return ModelKept(
      serial: state.lastSerial, record: record, key: logicalKey(of: record), why: why,
      operatorName: operatorName, id: identity(of: record).id)
  }

  private mutating func remove(_ kept: ModelKept?) {
    guard let kept else { return }
    state.held.removeAll { $0.serial == kept.serial }
    state.dead.removeAll { $0.serial == kept.serial }
  }

  /// Takes back the fate of a kept record.
  private mutating func forget(_ kept: ModelKept) {
    switch kept.why {
    case .failed(let text, _):
      count(.deadLettered, by: -1)
      if let reason = ProcessingFailure.Reason(rawValue: text) { count(Counter(reason), by: -1) }
    case .missingRow, .parked: count(.held, by: -1)
    case .firing: break
    }
  }

  // MARK: What follows

  private mutating func release(_ kept: ModelKept) -> Counter {
    let fate = runUnit(kept.record, kept: kept)
    forget(kept)
    count(fate)
    return fate
  }

  private mutating func releaseHeld(_ operators: [String], key: String?) {
    var pending = operators
    while !pending.isEmpty {
      let name = pending.removeFirst()
      let waiting = state.held.filter {
        $0.why == .missingRow && $0.operatorName == name && $0.key == key
      }
      for kept in waiting {
        let fate = release(kept)
        if fate != .held { pending += unit.created }
      }
    }
  }

  private mutating func releaseParked() {
    while let key = state.releasing.popLast() {
      for kept in state.held.filter({ $0.why == .parked && $0.key == key }) {
        if state.dead.contains(where: { $0.parks && $0.key == key }) { break }
        _ = release(kept)
        releaseHeld(unit.created, key: key)
      }
    }
  }

  private mutating func fireTimers() {
    while let timer = state.timers.min(), timer.time <= state.time {
      state.timers.remove(timer)
      let saved = state
      if !fire(timer) {
        state = saved
        let place = ModelRecord(
          topic: plan.sources[sources[0]].topic, partition: partition, time: timer.time,
          key: timer.key, body: .tombstone)
        if plan.sources[sources[0]].policies.process.action != .skip {
          var dead = entry(place, .firing(timer), timer.name)
          dead.id = "firing/\(timer)"
          bury(dead)
        }
      }
      count(.firings)
    }
  }
}
