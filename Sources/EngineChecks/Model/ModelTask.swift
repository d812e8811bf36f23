import StreamCore
import Topology

/// One task of the model: units and fates. What follows from a unit for the kept records of its key
/// is in `ModelTask+Kept.swift`.
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
    /// The kept record that it runs again.
    var kept: ModelKept?
    var order = ModelOrder(topic: "", key: nil)
  }

  /// What several operators may make of one record.
  enum Verdict: Equatable {
    case action(ErrorPolicy.Action)
    /// The record waits for a row, or for its number.
    case hold

    var gravity: Int {
      switch self {
      case .hold: 0
      case .action(.skip): 1
      case .action(.deadLetter): 2
      case .action(.parkKey): 3
      case .action(.fail): 4
      }
    }
  }

  struct Failure: Error {
    var stage: ProcessingFailure.Stage
    var reason: ProcessingFailure.Reason
    /// Several, where several hold a record.
    var operators: [String] = []
    /// Of the operator, where it overrides the source's.
    var verdict: Verdict?

    var operatorName: String { operators.joined(separator: ", ") }
  }

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

  /// The event time of a record; `nil` where it has none that can be read.
  func time(of record: ModelRecord) -> Int64? {
    guard source(of: record).eventTime == .occurredAt else { return record.time }
    guard case .event(let payload) = record.body, !payload.hasBadTime, !payload.hasBadSequence
    else { return nil }
    return payload.occurredAt ?? record.time
  }

  /// The number of a record's event among those of its aggregate.
  func sequence(of record: ModelRecord) -> Int64? {
    guard !record.isPlain, case .event(let payload) = record.body, !payload.hasBadSequence
    else { return nil }
    return payload.sequence
  }

  // MARK: Records

  /// Before a record is taken at T, everything due at or before T has gone. The record moves the
  /// clock, whatever becomes of it.
  mutating func take(_ record: ModelRecord) {
    if let time = time(of: record) {
      fireTimers(upTo: time)
      state.time = max(state.time, time)
    }
    count(.consumed)
    state.taken += 1
    let fate = runUnit(record, kept: nil)
    count(fate)
    goOn(order(of: record).key)
    fireTimers(upTo: state.time)
  }

  /// All of a record's effects, or none and what its policy says.
  mutating func runUnit(_ record: ModelRecord, kept: ModelKept?) -> Counter {
    let policies = source(of: record).policies
    var attempts = 1
    while true {
      let saved = state
      do {
        return try goThrough(record, kept)
      } catch let failure as Failure {
        state = saved
        let policy: ErrorPolicy =
          switch failure.stage {
          case .decode: policies.decode
          case .process: policies.process
          case .produce: policies.produce
          }
        if failure.verdict == nil, attempts <= policy.retries {
          attempts += 1
          count(.retried)
          continue
        }
        switch failure.verdict ?? .action(policy.action) {
        case .hold:
          let why: ModelKept.Why =
            failure.reason == .sequenceGap ? .missingNumber : .missingRow(failure.operators)
          return hold(record, why, failure.operatorName, kept)
        case .action(let action): return settle(failure, action, record, kept)
        }
      } catch {
        preconditionFailure("an operator of the model throws only its own errors")
      }
    }
  }

  private mutating func goThrough(_ record: ModelRecord, _ kept: ModelKept?) throws -> Counter {
    let (id, isDurable) = identity(of: record)
    unit = Unit()
    unit.kept = kept
    unit.order = order(of: record)
    switch try admit(record, id, isDurable, kept) {
    case .parked: return hold(record, .parked, "", kept)
    case .duplicate:
      remove(kept)
      return .duplicate
    case .conflict:
      remove(kept)
      numberHasCome(record)
      return .duplicate
    case .processed: break
    }
    try process(record)
    remove(kept)
    if isDurable { state.seen[id, default: []].insert(record.value) }
    numberHasCome(record)
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

  func order(of record: ModelRecord) -> ModelOrder {
    var key = record.key
    if key == nil, !record.isPlain, source(of: record).policies.nullKey == .warn,
      case .event(let payload) = record.body
    {
      key = payload.aggregateID
    }
    return ModelOrder(topic: record.topic, key: key)
  }

  /// An id is asked for before anything else, in the runs and among what is kept.
  private mutating func admit(
    _ record: ModelRecord, _ id: String, _ isDurable: Bool, _ kept: ModelKept?
  ) throws -> Admission {
    if isDurable {
      let others = (state.held + state.dead).filter { $0.id == id && $0.serial != kept?.serial }
      let seen = state.seen[id] ?? []
      if seen.contains(record.value) || others.contains(where: { $0.record.value == record.value })
      {
        return .duplicate
      }
      let conflict = Failure(
        stage: .decode, reason: .conflict, verdict: .action(.deadLetter))
      if !others.isEmpty, kept == nil { throw conflict }
      if !seen.isEmpty {
        let isComposed =
          record.headerID == nil && id.hasSuffix(":\(sequence(of: record) ?? -1)")
        switch source(of: record).policies.conflict ?? (isComposed ? .deadLetter : .warn) {
        case .warn:
          count(.duplicateConflict)
          return .conflict
        case .duplicate: return .conflict
        case .deadLetter, .fail: throw conflict
        }
      }
    }
    return kept == nil && isBarred(order(of: record)) ? .parked : .processed
  }

  // MARK: Fates

  private mutating func hold(
    _ record: ModelRecord, _ why: ModelKept.Why, _ operatorName: String, _ kept: ModelKept?
  ) -> Counter {
    if case .missingRow = why { numberHasCome(record) }
    if let kept, kept.why == why { return .held }
    keep(entry(record, why, operatorName, kept), in: \.held, replacing: kept)
    return .held
  }

  private mutating func settle(
    _ failure: Failure, _ action: ErrorPolicy.Action, _ record: ModelRecord, _ kept: ModelKept?
  ) -> Counter {
    if action != .parkKey { numberHasCome(record) }
    guard action != .skip else {
      remove(kept)
      count(.deadLetteredSkipped)
      return .deadLettered
    }
    count(Counter(failure.reason))
    let why = ModelKept.Why.failed(failure.reason.rawValue, parks: action == .parkKey)
    // One that dies again as it died stays as it was.
    if let kept, kept.why == why, kept.operatorName == failure.operatorName { return .deadLettered }
    bury(entry(record, why, failure.operatorName, kept), replacing: kept)
    return .deadLettered
  }

  /// One that was kept in the same list for something else stays in its place there.
  private mutating func keep(
    _ entry: ModelKept, in list: WritableKeyPath<ModelState, [ModelKept]>,
    replacing old: ModelKept?
  ) {
    if let old, let place = state[keyPath: list].firstIndex(where: { $0.serial == old.serial }) {
      state[keyPath: list][place] = entry
      state[keyPath: list][place].serial = old.serial
    } else {
      remove(old)
      state[keyPath: list].append(entry)
    }
  }

  mutating func bury(_ dead: ModelKept, replacing old: ModelKept?) {
    keep(dead, in: \.dead, replacing: old)
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

  mutating func entry(
    _ record: ModelRecord, _ why: ModelKept.Why, _ operatorName: String, _ kept: ModelKept?
  ) -> ModelKept {
    state.lastSerial += 1
    var entry = ModelKept(
      serial: state.lastSerial, record: record, order: order(of: record), why: why,
      operatorName: operatorName, id: identity(of: record).id)
    entry.arrival = kept?.arrival ?? state.taken
    let withholds = entry.parks || why == .parked || why == .missingNumber
    entry.numberHasCome = kept?.numberHasCome ?? false || !withholds
    return entry
  }

  private mutating func remove(_ kept: ModelKept?) {
    guard let kept else { return }
    state.held.removeAll { $0.serial == kept.serial }
    state.dead.removeAll { $0.serial == kept.serial }
  }
}
