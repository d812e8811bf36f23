import TopologyTesting

/// Seeded inputs of a ``ModelPlan``: rounds of records with all that goes wrong in real topics.
public struct ModelWorkload: Sendable {
  /// What happens after a round was appended.
  public enum Step: Hashable, Sendable {
    case run
    /// Processes a few records, then loses them.
    case crash(after: Int)
    /// Runs, then dies without anything to lose.
    case restart
    case retryDeadLetters
    /// Time ends: what is set fires.
    case endTime
    /// Lets milliseconds of the wall clock pass.
    case advance(Int64)
  }

  public struct Round: Sendable {
    public var records: [ModelRecord]
    public var steps: [Step]
  }

  public private(set) var rounds: [Round] = []
  private let plan: ModelPlan
  private var random: SplitMix64
  private var clockRandom: SplitMix64
  /// All records so far, to be delivered again.
  private var sent: [ModelRecord] = []
  private var sequences: [String: Int64] = [:]
  private var lastUID = 0
  private var time: Int64 = 1_000

  public init(_ plan: ModelPlan, rounds count: Int = 6, recordsMax: Int = 24) {
    self.plan = plan
    random = SplitMix64(seed: plan.seed &* 0x9e37 &+ 0x79b9)
    clockRandom = SplitMix64(seed: plan.seed &* 0x9e37 &+ 0x1d1e)
    for _ in 0..<count { rounds.append(round(1 + below(recordsMax))) }
  }

  private mutating func below(_ limit: Int) -> Int { Int(random.next(upTo: UInt64(limit))) }

  private mutating func round(_ count: Int) -> Round {
    var records: [ModelRecord] = []
    for _ in 0..<count {
      let record = record()
      records.append(record)
      sent.append(record)
      // Adjacent, within a batch.
      if below(20) == 0 { records.append(record) }
    }
    var steps: [Step]
    switch below(6) {
    case 0: steps = [.crash(after: 1 + below(count)), .run]
    case 1: steps = [.restart]
    case 2: steps = [.crash(after: 1 + below(count))]
    case 3: steps = [.run, .retryDeadLetters]
    default: steps = [.run]
    }
    if rounds.count == 5 { steps = [.run, .restart, .retryDeadLetters, .restart] }
    steps = withIdleTimes(steps)
    return Round(records: records, steps: rounds.count == 5 ? steps + [.endTime] : steps)
  }

  /// Some time passes before some of the steps, where a source is waited for; at the end all of it.
  private mutating func withIdleTimes(_ steps: [Step]) -> [Step] {
    guard plan.sources.contains(where: { $0.idle > 0 }) else { return steps }
    var all: [Step] = []
    for step in steps {
      if clockRandom.next(upTo: 2) == 0 {
        all += [.advance(Int64(clockRandom.next(upTo: 20))), .run]
      }
      all.append(step)
    }
    return rounds.count == 5 ? all + [.run, .advance(30), .run] : all
  }

  private mutating func record() -> ModelRecord {
    switch below(20) {
    case 0, 1: if let again = redelivery() { return again }
    case 2, 3: if let corrected = correction() { return corrected }
    case 4: if let conflicting = conflict() { return conflicting }
    default: break
    }
    return fresh()
  }

  /// The same bytes later, with another time.
  private mutating func redelivery() -> ModelRecord? {
    guard !sent.isEmpty else { return nil }
    var again = sent[below(sent.count)]
    if below(2) == 0 { again.time = time }
    return again
  }

  /// The same event without what was wrong with it.
  private mutating func correction() -> ModelRecord? {
    let wrong = sent.filter { record in
      switch record.body {
      case .garbage: record.headerID != nil
      case .event(let payload):
        payload.trouble != nil || payload.type == nil || payload.type == "ODD"
          || payload.hasBadSequence || payload.hasBadTime || payload.version > 2
      case .tombstone: record.headerID != nil
      }
    }
    guard !wrong.isEmpty else { return nil }
    var record = wrong[below(wrong.count)]
    if case .event(var payload) = record.body {
      payload.trouble = below(4) == 0 ? payload.trouble : nil
      payload.type = payload.type == nil || payload.type == "ODD" ? "NEW" : payload.type
      payload.hasBadSequence = false
      payload.hasBadTime = false
      payload.version = 1
      payload.number += 1
      record.body = .event(payload)
    } else {
      lastUID += 1
      record.body = .event(
        ModelRecord.Payload(type: "NEW", number: Int64(below(40)), uid: lastUID))
    }
    return record
  }

  /// The same id with another content.
  private mutating func conflict() -> ModelRecord? {
    guard !sent.isEmpty else { return nil }
    var record = sent[below(sent.count)]
    guard case .event(var payload) = record.body else { return nil }
    payload.number += 100
    record.body = .event(payload)
    return record
  }

  private mutating func fresh() -> ModelRecord {
    time += Int64(below(20)) - 3
    lastUID += 1
    let source = plan.sources[below(plan.sources.count)]
    let aggregate = below(6)
    let name = "k\(aggregate)"
    let hasKey = below(25) > 0
    var record = ModelRecord(
      topic: source.topic, partition: aggregate % plan.partitions,
      time: time - (below(8) == 0 ? Int64(below(50)) : 0), key: hasKey ? name : nil,
      body: .tombstone)
    if below(2) == 0 { record.headerID = "e\(lastUID)" }
    if below(3) == 0 { record.correlationID = "c\(below(5))" }
    record.typeIsHeader = below(2) == 0
    record.isPlain = source.isPlain
    switch below(40) {
    case 0: return record
    case 1, 2:
      record.body = .garbage(["{\"n\":", "", "nonsense", "{\"n\":1}}"][below(4)])
      return record
    default: break
    }
    let types = ["NEW", "NEW", "MOD", "MOD", "MOD", "SET", "DROP", "ADD", "ADD"]
    var payload = ModelRecord.Payload(
      type: types[below(types.count)], number: Int64(below(40)), uid: lastUID)
    if payload.type == "ADD" { payload.version = 1 + below(2) }
    if below(3) == 0 { payload.payloadID = "p\(lastUID)" }
    if !hasKey || below(3) == 0 { payload.aggregateID = below(25) == 0 ? "k9" : name }
    if below(3) > 0 { payload.sequence = sequence(of: name) }
    if below(3) == 0 { payload.occurredAt = record.time - Int64(below(30)) }
    switch below(40) {
    case 0: payload.type = nil
    case 1: payload.type = "ODD"
    case 2: payload.version = 99
    case 3: payload.hasBadSequence = true
    case 4: payload.hasBadTime = true
    case 5, 6, 7, 8: trouble(&payload)
    default: break
    }
    if plan.isExtended { extend(&record, &payload) }
    record.body = .event(payload)
    return record
  }

  private mutating func extend(
    _ record: inout ModelRecord, _ payload: inout ModelRecord.Payload
  ) {
    switch below(30) {
    case 0, 1, 2: (payload.type, payload.version) = ("TEN", 1 + below(3))
    case 3, 4:
      (payload.type, payload.version) = below(2) == 0 ? ("ADD", 1) : ("TEN", 1 + below(2))
      (payload.trouble, payload.times) = ("upcast", [1, 2, 3, 1_000][below(4)])
    case 5: payload.trouble = "size"
    case 6: payload.padding = 1_000 + below(20_000)
    // No key at all.
    case 7: (record.key, payload.aggregateID) = (nil, nil)
    default: break
    }
  }

  /// Mostly the next number, at times one too many, an old one or the same again.
  private mutating func sequence(of aggregate: String) -> Int64 {
    let last = sequences[aggregate] ?? 0
    let next =
      switch below(12) {
      case 0: last + 2
      case 1: max(1, last - 1)
      case 2: max(1, last)
      default: last + 1
      }
    sequences[aggregate] = max(last, next)
    return next
  }

  private mutating func trouble(_ payload: inout ModelRecord.Payload) {
    let names = ["decode"] + plan.nodes.map(\.name)
    payload.trouble = names[below(names.count)]
    payload.times = [1, 2, 3, 1_000][below(4)]
  }
}
