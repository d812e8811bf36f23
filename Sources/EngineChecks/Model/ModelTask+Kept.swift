import StreamCore
import Topology

/// Lines, waiting records, sequence numbers and timers: what follows from a unit.
extension ModelTask {
  // MARK: Lines and waiting

  /// A dead letter that parks bars its key of its source, and so does a line until it is empty.
  func isBarred(_ order: ModelOrder) -> Bool {
    hasParkingDeadLetter(order) || state.held.contains { $0.why == .parked && $0.order == order }
  }

  private func hasParkingDeadLetter(_ order: ModelOrder) -> Bool {
    state.dead.contains { $0.parks && $0.order == order }
  }

  /// What follows for a key, of whichever source: a line whose head is gone runs until one parks
  /// again; behind empty lines the waiting records are tried until nothing changes.
  mutating func goOn(_ key: String?) {
    let orders = sources.map { ModelOrder(topic: plan.sources[$0].topic, key: key) }
    var inVain: Set<Int> = []
    while true {
      let free = orders.filter { !hasParkingDeadLetter($0) }
      let heads = free.compactMap { order in
        inOrder(order) { $0.why == .parked }.min { $0.arrival < $1.arrival }
      }
      if let head = heads.min(by: { $0.arrival < $1.arrival }) {
        resolve(head)
        inVain = []
        continue
      }
      let ready = free.compactMap { order in
        waiting(order).first { !inVain.contains($0.serial) && isReady($0) }
      }
      guard let next = ready.min(by: { $0.arrival < $1.arrival }) else { return }
      if resolve(next) == .held { inVain.insert(next.serial) } else { inVain = [] }
    }
  }

  private func inOrder(_ order: ModelOrder, _ isMeant: (ModelKept) -> Bool) -> [ModelKept] {
    state.held.filter { $0.order == order && isMeant($0) }
  }

  /// Those of a key of a source that wait, in order of arrival; by their numbers where the source holds
  /// records until those come, then by when they came to wait.
  private func waiting(_ order: ModelOrder) -> [ModelKept] {
    let all = inOrder(order) { $0.why != .parked }
    guard
      plan.sources.first(where: { $0.topic == order.topic })?.policies.sequenceGap == .hold
    else { return all.sorted { $0.arrival < $1.arrival } }
    return all.sorted { left, right in
      (sequence(of: left.record) ?? .max, left.serial)
        < (sequence(of: right.record) ?? .max, right.serial)
    }
  }

  /// Whether what a record waits for is there.
  private func isReady(_ kept: ModelKept) -> Bool {
    switch kept.why {
    case .missingRow(let operators):
      return operators.allSatisfy { state.rows[$0]?[kept.order.key ?? ""] != nil }
    case .missingNumber:
      guard let number = sequence(of: kept.record), let node = checker(of: kept.order.topic),
        let expected = nextNumber(kept.order, node)
      else { return true }
      return number <= expected
    default: return false
    }
  }

  /// Runs a kept record again; what it ends as takes the place of its fate.
  @discardableResult
  private mutating func resolve(_ kept: ModelKept) -> Counter {
    let fate = runUnit(kept.record, kept: kept)
    switch kept.why {
    case .failed(let text, _):
      count(.deadLettered, by: -1)
      if let reason = ProcessingFailure.Reason(rawValue: text) { count(Counter(reason), by: -1) }
    case .missingRow, .missingNumber, .parked: count(.held, by: -1)
    case .firing: break
    }
    count(fate)
    return fate
  }

  /// All but those of another content under a known id.
  mutating func retryDeadLetters() {
    for entry in state.dead {
      guard state.dead.contains(where: { $0.serial == entry.serial }) else { continue }
      switch entry.why {
      case .failed(ProcessingFailure.Reason.conflict.rawValue, _): continue
      case .firing(let timer):
        let saved = state
        state.dead.removeAll { $0.serial == entry.serial }
        if fire(timer) { count(.firings) } else { state = saved }
        goOn(timer.key)
      default:
        resolve(entry)
        goOn(entry.order.key)
      }
    }
    fireTimers(upTo: state.time)
  }

  // MARK: Sequence numbers

  /// The view that checks the numbers of a source's events.
  func checker(of topic: String) -> String? {
    plan.nodes.first { node in
      guard case .project(_, checksSequence: true) = node.kind else { return false }
      return plan.topics(above: node.input) == [topic]
    }?.name
  }

  /// A number has come once a record of it was consumed, except while it waits for its number or
  /// stands in a line; those that the row has passed need not be kept.
  mutating func numberHasCome(_ record: ModelRecord) {
    let order = order(of: record)
    guard let number = sequence(of: record), let node = checker(of: order.topic) else { return }
    state.numbers[order, default: []].insert(number)
    if let last = rowNumber(order, node) {
      state.numbers[order] = state.numbers[order]?.filter { $0 > last }
    }
  }

  private func rowNumber(_ order: ModelOrder, _ node: String) -> Int64? {
    state.rows[node]?[order.key ?? ""].flatMap { ModelRow(text: $0)?.sequence }
  }

  /// The number that comes next of a key; `nil` where any may be the first.
  func nextNumber(_ order: ModelOrder, _ node: String) -> Int64? {
    let came = state.numbers[order] ?? []
    guard var next = rowNumber(order, node).map({ $0 + 1 }) ?? came.min() else { return nil }
    while came.contains(next) { next += 1 }
    return next
  }

  // MARK: Timers

  /// What is set fires; no firing of a plan sets another.
  mutating func endTime() {
    fireTimers(upTo: .max)
    state.time = max(state.time, Timestamp.latest.milliseconds)
  }

  /// Each goes at its due time, or at the clock where that is later, and is a unit of its own.
  mutating func fireTimers(upTo limit: Int64) {
    while let timer = state.timers.min(), timer.time <= limit {
      state.timers.remove(timer)
      state.time = max(state.time, timer.time)
      let saved = state
      if !fire(timer) {
        state = saved
        let place = ModelRecord(
          topic: plan.sources[sources[0]].topic, partition: partition, time: timer.time,
          key: timer.key, body: .tombstone)
        var dead = entry(place, .firing(timer), timer.name, nil)
        dead.id = "firing/\(timer)"
        bury(dead, replacing: nil)
      }
      count(.firings)
    }
  }
}
