import StreamCore
import Topology

extension ModelTask {
  /// Decodes a record and sends its event through the operators.
  mutating func process(_ record: ModelRecord) throws {
    let source = source(of: record)
    func decodeFailure(
      _ reason: ProcessingFailure.Reason = .decode, _ action: ErrorPolicy.Action? = nil
    ) -> Failure {
      Failure(stage: .decode, reason: reason, verdict: action.map { .action($0) })
    }
    if record.isPlain { return try processPlain(record, decodeFailure) }
    if case .tombstone = record.body { throw decodeFailure(.tombstone, .deadLetter) }
    guard case .event(let payload) = record.body, !payload.hasBadSequence else {
      throw decodeFailure()
    }
    if source.eventTime == .occurredAt, payload.hasBadTime { throw decodeFailure() }
    unit.time = time(of: record) ?? record.time
    unit.type = payload.type
    unit.correlationID = record.correlationID
    unit.sequence = payload.sequence

    var key = record.key
    if key == nil {
      guard source.policies.nullKey == .warn, payload.aggregateID != nil else {
        throw decodeFailure(.nullKey, .deadLetter)
      }
      key = payload.aggregateID
    } else if let aggregate = payload.aggregateID, aggregate != key {
      guard source.policies.keyMismatch == .warn else {
        throw decodeFailure(.keyMismatch, .deadLetter)
      }
      count(.keyMismatch)
    }
    guard let type = payload.type else { throw decodeFailure() }
    guard ModelUserCode.types.contains(type) else {
      guard source.unknownType != .deadLetter else {
        throw decodeFailure(.unknownType, .deadLetter)
      }
      unit.isIgnored = true
      count(.ignoredType)
      if source.unknownType == .warn { count(.unknownType) }
      return
    }
    let latest = ModelUserCode.latestVersion(of: type)
    guard payload.version <= latest else { throw decodeFailure(.unknownVersion, .deadLetter) }
    let event = ModelEvent(
      type: type,
      number: ModelUserCode.upcast(payload.number, of: type, from: payload.version),
      trouble: payload.trouble, times: payload.times, uid: payload.uid)
    do {
      if payload.version < latest { try code.enter("upcast", event) }
      try code.enter("decode", event)
    } catch {
      throw decodeFailure()
    }
    try pushSource(record, key ?? "", event)
  }

  /// A record of a source without an envelope: its key and value are all there is, but for headers.
  private mutating func processPlain(
    _ record: ModelRecord,
    _ failure: (ProcessingFailure.Reason, ErrorPolicy.Action?) -> Failure
  ) throws {
    guard let key = record.key else { throw failure(.nullKey, .deadLetter) }
    guard case .event(let payload) = record.body else { throw failure(.decode, nil) }
    unit.time = record.time
    unit.type = record.typeIsHeader ? payload.type : nil
    unit.correlationID = record.correlationID
    let event = ModelEvent(plain: payload)
    do { try code.enter("decode", event) } catch { throw failure(.decode, nil) }
    try pushSource(record, key, event)
  }

  private mutating func pushSource(
    _ record: ModelRecord, _ key: String, _ event: ModelEvent
  ) throws {
    for (number, candidate) in plan.sources.enumerated() where candidate.topic == record.topic {
      try push(number, key, event)
    }
  }

  /// Gives an event to all that read the stream, in order of declaration, depth first. Each of them
  /// judges it, and the gravest verdict counts.
  private mutating func push(_ stream: Int, _ key: String, _ event: ModelEvent) throws {
    var gravest: Failure?
    for node in plan.nodes {
      let isOther = node.kind == .merge(with: stream)
      guard node.input == stream || isOther else { continue }
      do { try apply(node, key, event) } catch let failure as Failure {
        gravest = gravest.map { graver($0, failure) } ?? failure
      }
    }
    if let gravest { throw gravest }
  }

  private func graver(_ first: Failure, _ second: Failure) -> Failure {
    let policies = plan.sources.first { $0.topic == unit.order.topic }?.policies
    func verdict(_ failure: Failure) -> Verdict {
      if let verdict = failure.verdict { return verdict }
      switch failure.stage {
      case .decode: return .action(policies?.decode.action ?? .deadLetter)
      case .process: return .action(policies?.process.action ?? .deadLetter)
      case .produce: return .action(policies?.produce.action ?? .deadLetter)
      }
    }
    if verdict(first) == .hold, verdict(second) == .hold {
      // It waits until each that held it has what it waits for.
      var both = first.reason == .sequenceGap ? first : second
      both.operators = first.operators + second.operators.filter { !first.operators.contains($0) }
      return both
    }
    return verdict(second).gravity > verdict(first).gravity ? second : first
  }

  private func enter(
    _ node: ModelPlan.Node, _ event: ModelEvent, _ stage: ProcessingFailure.Stage = .process
  ) throws {
    do { try code.enter(node.name, event) } catch {
      throw Failure(
        stage: stage, reason: stage == .produce ? .produce : .process, operators: [node.name])
    }
  }

  private mutating func apply(_ node: ModelPlan.Node, _ key: String, _ event: ModelEvent) throws {
    switch node.kind {
    case .filter(let modulus):
      try enter(node, event)
      if event.number % modulus != 0 { try push(node.outputs[0], key, event) }
    case .filterNot(let modulus):
      try enter(node, event)
      if event.number % modulus == 0 { try push(node.outputs[0], key, event) }
    case .mapValues(let summand):
      try enter(node, event)
      var next = event
      next.number += summand
      try push(node.outputs[0], key, next)
    case .flatMapValues:
      try enter(node, event)
      for next in ModelUserCode.flatMap(event) { try push(node.outputs[0], key, next) }
    case .peek:
      try enter(node, event)
      try push(node.outputs[0], key, event)
    case .split(let rest):
      try enter(node, event)
      if let branch = ModelUserCode.branch(event) {
        try push(node.outputs[branch], key, event)
      } else if rest {
        try push(node.outputs[2], key, event)
      }
    case .merge: try push(node.outputs[0], key, event)
    case .count:
      let old = row(node, key)
      try put(node, key, "\((old.flatMap { Int64($0) } ?? 0) + 1)")
    case .reduce:
      if let old = row(node, key).flatMap({ ModelEvent(stored: $0) }) {
        try enter(node, event)
        try put(node, key, ModelUserCode.reduce(old, event).stored)
      } else {
        try put(node, key, event.stored)
      }
    case .aggregate:
      try enter(node, event)
      try put(node, key, (row(node, key) ?? "") + "+\(event.number)")
    case .toTable(let onChange):
      let old = row(node, key)
      try put(node, key, event.type == "DROP" ? nil : event.stored, onChange: onChange, old: old)
    case .project(let missing, let checks): try project(node, missing, checks, key, event)
    case .process(let delay, let deletes):
      try enter(node, event)
      if deletes, event.type == "DROP" {
        try store(node, key, nil)
      } else {
        var row = row(node, key).flatMap { ModelRow(text: $0) } ?? ModelRow(number: 0, note: "")
        row.number += event.number
        row.note = event.type
        try store(node, key, row.text)
      }
      state.timers.insert(
        ModelTimer(
          time: unit.time + delay, order: plan.nodes.firstIndex { $0.name == node.name } ?? 0,
          name: node.name, key: key))
      unit.applied = true
    case .audit:
      try enter(node, event)
      // A value behind others of its entity and number bears how many they are.
      let number = unit.sequence.map { "\($0)" } ?? "null"
      let place = "[\"\(key)\",\(number)"
      let count = state.audits["\(node.name)\(place)", default: 0]
      state.audits["\(node.name)\(place)"] = count + 1
      let sequence = unit.sequence.map { "\($0)" } ?? ""
      state.rows[node.name, default: [:]][place + (count > 0 ? ",\(count)]" : "]")] =
        "\(key)|\(sequence)|\(event.text)"
      unit.applied = true
    case .sink:
      try enter(node, event, .produce)
      if event.isOversized {
        throw Failure(stage: .produce, reason: .produce, operators: [node.name])
      }
      emit(node, key, event.text)
    }
  }

  private mutating func project(
    _ node: ModelPlan.Node, _ missing: MissingRowPolicy, _ checksSequence: Bool,
    _ key: String, _ event: ModelEvent
  ) throws {
    let old = row(node, key).flatMap { ModelRow(text: $0) }
    if checksSequence { try checkSequence(node, last: old?.sequence) }
    try enter(node, event)
    var row: ModelRow
    switch ModelUserCode.project(old, event, sequence: unit.sequence) {
    case .put(let new): row = new
    case .delete:
      unit.applied = true
      if old != nil { try put(node, key, nil) }
      return
    case .unchanged: return
    case .missing(let partial):
      switch missing {
      case .holdUntilCreated:
        throw Failure(
          stage: .process, reason: .missingRow, operators: [node.name], verdict: .hold)
      case .ignore:
        unit.isIgnored = true
        count(.ignoredMissingRow)
        return
      case .upsert where partial != nil: row = partial ?? ModelRow(number: 0, note: "")
      case .upsert, .deadLetter:
        throw Failure(
          stage: .process, reason: .missingRow, operators: [node.name],
          verdict: .action(.deadLetter))
      }
    }
    try put(node, key, row.text)
  }

  /// A number that has come is not checked again.
  private mutating func checkSequence(_ node: ModelPlan.Node, last: Int64?) throws {
    guard let number = unit.sequence else { return count(.sequenceNone) }
    if unit.kept?.numberHasCome == true { return }
    guard let next = nextNumber(unit.order, node.name), number != next else { return }
    let came = state.numbers[unit.order] ?? []
    // Below numbers that wait for their row nothing is a regression.
    if last == nil, number < came.min() ?? .min { return }
    let policies = plan.sources.first { $0.topic == unit.order.topic }?.policies
    func failure(_ reason: ProcessingFailure.Reason, _ verdict: Verdict) -> Failure {
      Failure(stage: .process, reason: reason, operators: [node.name], verdict: verdict)
    }
    if number < next || came.contains(number) {
      count(number == last ? .sequenceRepeat : .sequenceRegression)
      guard policies?.sequenceRegression == .deadLetter else { return }
      throw failure(.sequenceRegression, .action(.deadLetter))
    }
    switch policies?.sequenceGap {
    case .hold: throw failure(.sequenceGap, .hold)
    case .parkKey: throw failure(.sequenceGap, .action(.parkKey))
    case .deadLetter: throw failure(.sequenceGap, .action(.deadLetter))
    default: count(.sequenceGap)
    }
  }

  // MARK: Rows and outputs

  private func row(_ node: ModelPlan.Node, _ key: String) -> String? {
    state.rows[node.name]?[key]
  }

  private mutating func put(
    _ node: ModelPlan.Node, _ key: String, _ row: String?, onChange: Bool = false,
    old: String? = nil
  ) throws {
    try store(node, key, row)
    unit.applied = true
    if node.emits, !onChange || old != row { emit(node, key, row) }
  }

  private mutating func store(_ node: ModelPlan.Node, _ key: String, _ row: String?) throws {
    if node.refusesRows, let row, !ModelUserCode.hasBytes(row) {
      throw Failure(stage: .process, reason: .process, operators: [node.name])
    }
    state.rows[node.name, default: [:]][key] = row
  }

  private mutating func emit(_ node: ModelPlan.Node, _ key: String, _ value: String?) {
    state.outputs[ModelPlan.topic(of: node), default: []].append(
      ModelOutput(
        key: key, value: value, type: unit.type, correlationID: unit.correlationID,
        time: unit.time))
    unit.applied = true
  }

  /// Fires a timer of a processor.
  ///
  /// - Returns: whether it went through.
  mutating func fire(_ timer: ModelTimer) -> Bool {
    guard let node = plan.nodes.first(where: { $0.name == timer.name }) else { return false }
    unit = Unit()
    // It leaves at the clock; its own time is when it was due.
    unit.time = timer.time
    let row = row(node, timer.key).flatMap { ModelRow(text: $0) }
    do {
      let event = try ModelUserCode.timer(row, at: timer.time)
      if var row {
        row.note = "fired"
        try store(node, timer.key, row.text)
      }
      if node.emits { emit(node, timer.key, event.text) }
      return true
    } catch {
      return false
    }
  }
}

extension ModelEvent {
  /// As rows of events are stored.
  public var stored: String { "\(type)|\(number)|\(trouble ?? "")|\(times)|\(uid)" }

  /// - Returns: `nil` for text that is no event.
  public init?(stored text: String) {
    let parts = text.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 5, let number = Int64(parts[1]), let times = Int(parts[3]),
      let uid = Int(parts[4])
    else { return nil }
    self.init(
      type: parts[0], number: number, trouble: parts[2].isEmpty ? nil : parts[2], times: times,
      uid: uid)
  }
}
