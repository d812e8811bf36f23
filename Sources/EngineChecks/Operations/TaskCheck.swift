import StreamCore

/// One task's state beside what the log's records call for.
struct TaskCheck {
  private(set) var problems: [String] = []
  private(set) var effects = SiteEffects()

  private let site: Site
  private let ledger: DirectoryLedger
  private let task: TaskContents
  private let group: Int
  private let isSettled: Bool
  /// What the task has consumed, each input in order.
  private let consumed: [SiteRecord]
  /// Numbers of applied events by key, in order.
  private var lists: [String: [Int]] = [:]
  private var applied: [Int: Int] = [:]

  /// - Parameter isSettled: all that follows from what was done is done.
  init(site: Site, ledger: DirectoryLedger, task: TaskContents, isSettled: Bool) {
    self.isSettled = isSettled
    self.site = site
    self.ledger = ledger
    self.task = task
    let topics = Set(task.positions.keys.map(\.topic))
    group = site.shape.groups.firstIndex { !topics.isDisjoint(with: $0) } ?? 0
    consumed = site.records.filter { record in
      let place = TopicPartition(record.topic, record.partition)
      guard let position = task.positions[place] else { return false }
      return record.offset < position && record.offset >= task.starts[place] ?? 0
    }
    run()
  }

  private mutating func run() {
    for (place, start) in task.starts
    where task.positions[place] ?? 0 > 0 && ledger.beginnings[place]?.contains(start) == false {
      problems.append("\(place) begins at \(start)")
    }
    for (key, row) in task.rows["lists-\(group)"] ?? [:] {
      lists[key] = row.split(separator: ",").compactMap { Int($0) }
      for uid in lists[key] ?? [] { applied[uid, default: 0] += 1 }
    }
    for (uid, count) in applied { effects.applied["\(uid)"] = count }
    checkFates()
    checkOtherViews()
    if site.shape.nothingFails {
      checkByRule()
    } else {
      checkEachEvent()
      checkTimers()
    }
  }

  // MARK: Sums

  private mutating func checkFates() {
    func count(_ name: String) -> Int { Int(task.counters[name] ?? 0) }
    let fates = ["applied", "duplicate", "late", "ignored", "filtered", "held", "deadLettered"]
    expect("consumed", count("consumed"), consumed.count)
    expect("the sum of fates", fates.reduce(0) { $0 + count($1) }, consumed.count)
    expect("applied", count("applied"), applied.values.reduce(0, +))
    expect("held", count("held"), task.held.count)
    let dead = task.dead.count { $0.firing == nil }
    let skipped = consumed.count { isSkipped($0) }
    expect("deadLettered", count("deadLettered"), dead + skipped)
  }

  private func isSkipped(_ record: SiteRecord) -> Bool {
    guard ledger.skipped.contains(record.place) else { return false }
    return !ledger.mayLackDecisions
      || applied[record.uid] == nil && !(task.dead + task.held).contains { isOf(record, $0) }
  }

  private mutating func expect<Value: Equatable>(_ what: String, _ found: Value, _ wanted: Value) {
    if found != wanted { problems.append("\(what) is \(found), not \(wanted)") }
  }

  /// A record is applied to all views of its source or to none.
  private mutating func checkOtherViews() {
    let counts = lists.mapValues { "\($0.count)" }
    expect("view counts", task.rows["counts-\(group)"] ?? [:], counts)
    if site.shape.holds {
      let rows = task.rows["rows-\(group)"] ?? [:]
      expect(
        "view rows", rows, lists.mapValues { $0.map { "\($0)" }.joined(separator: ",") })
    }
    if ledger.variant.hasExtraView, ledger.extraViewIsBuilt {
      expect("view extra", task.rows["extra-\(group)"] ?? [:], counts)
    }
  }

  // MARK: Events

  /// Nothing fails: which records are applied follows from ids alone, and what timers send from
  /// these: an event that is applied again sets its timer again.
  private mutating func checkByRule() {
    var rule = DuplicateRule(site.shape.ids)
    var timers = TimerRule()
    var wanted: [String: [Int]] = [:]
    for record in consumed.sorted(by: { $0.offset < $1.offset }) {
      let isApplied = rule.admits(record)
      if isApplied { wanted[record.keyText, default: []].append(record.uid) }
      timers.take(record, isApplied: isApplied, clock: rule.streamTime)
    }
    expect("view lists", lists, wanted)
    effects.firings = timers.fired
    noteEarly(timers.pending)
  }

  /// Each event is in one place: applied once, dead, waiting, or resolved by an operator.
  private mutating func checkEachEvent() {
    var firsts: [String: SiteRecord] = [:]
    for record in consumed.sorted(by: { $0.offset < $1.offset }) {
      if let first = firsts[record.name] {
        checkRepeat(record, of: first)
      } else {
        firsts[record.name] = record
      }
    }
    for event in firsts.values.sorted(by: { $0.uid < $1.uid }) {
      let dead = task.dead.filter { isOf(event, $0) }
      let held = task.held.filter { isOf(event, $0) }
      let places =
        applied[event.uid, default: 0] + dead.count + held.count
        + (isSkipped(event) ? 1 : 0)
      if places != 1, places > 1 || !ledger.overtaken.contains(event.name) {
        problems.append(
          "event \(event.uid) (\(event.kind), \(event.place)) is applied "
            + "\(applied[event.uid, default: 0]) times, dead \(dead.map(\.reason)), held "
            + "\(held.map(\.reason))")
      }
      for letter in dead { checkReason(of: letter, event) }
      for entry in held { checkReason(ofHeld: entry, event) }
      if event.kind == .poison, applied[event.uid] != nil {
        problems.append("event \(event.uid) is applied, which fails always")
      }
    }
    let uids = Set(consumed.map(\.uid))
    for uid in applied.keys where !uids.contains(uid) {
      problems.append("event \(uid) is applied, which was not consumed")
    }
    checkOrder(Array(firsts.values))
  }

  private func isOf(_ record: SiteRecord, _ entry: SiteKept) -> Bool {
    entry.firing == nil && entry.offset == record.offset && entry.place.topic == record.topic
      && entry.place.partition == record.partition
  }

  private mutating func checkRepeat(_ record: SiteRecord, of first: SiteRecord) {
    let entries = (task.dead + task.held).filter { isOf(record, $0) }
    if record.uid == first.uid {
      for entry in entries {
        problems.append("the redelivery \(record.place) is kept as \(entry.reason)")
      }
    } else {
      for entry in entries where entry.reason != "conflict" || entry.parks {
        problems.append("other content under \(record.id) is kept as \(entry.reason)")
      }
      if applied[record.uid] != nil, !ledger.retriedConflicts.contains(record.uid) {
        problems.append("other content under \(record.id) is applied, \(record.uid)")
      }
    }
  }

  private mutating func checkReason(of letter: SiteKept, _ event: SiteRecord) {
    let since = site.phases[event.uid] ?? []
    let mayDie =
      switch (event.kind, letter.reason) {
      case (.poison, _): true
      case (.bad, "process"): since.contains(.broken)
      case (.brittle, "process"): since.contains(.broken)
      case (.brittle, "produce"): since.contains(.halfMended)
      case (.update, "missingRow"): ledger.released.contains(event.uid)
      default: false
      }
    if !mayDie {
      problems.append(
        "event \(event.uid) (\(event.kind)) is dead for '\(letter.reason)', and nothing failed "
          + "it in a world that was \(since)")
    }
  }

  private mutating func checkReason(ofHeld entry: SiteKept, _ event: SiteRecord) {
    let bars = task.dead.contains {
      $0.parks && $0.key == entry.key && $0.place.topic == entry.place.topic
    }
    switch entry.reason {
    case "parked":
      if !bars && isSettled { problems.append("event \(event.uid) is parked behind nothing") }
    case "missingRow":
      let hasRow = task.rows["rows-\(group)"]?[entry.key] != nil
      if hasRow && !bars && isSettled {
        problems.append("event \(event.uid) waits for a row that is there")
      }
      if event.kind != .update { problems.append("event \(event.uid) waits and needs no row") }
    default: problems.append("event \(event.uid) is held for '\(entry.reason)'")
    }
  }

  /// Events of one key and source are applied in order, where nothing lets one be passed.
  private mutating func checkOrder(_ events: [SiteRecord]) {
    let offsets = Dictionary(events.map { ($0.uid, $0) }, uniquingKeysWith: { first, _ in first })
    // A dead letter that parks nothing is passed; what cannot die keeps its order all the same.
    let keepsOrder = site.shape.process != .deadLetter && !site.shape.holds
    for (key, list) in lists {
      for topic in site.shape.groups[group] {
        let order = list.compactMap { offsets[$0] }.filter { event in
          guard event.topic == topic else { return false }
          switch event.kind {
          case .ok, .timer, .badTimer, .create: return true
          case .bad: return keepsOrder
          case .brittle, .poison, .update: return false
          }
        }.map(\.offset)
        if order != order.sorted() {
          problems.append("key \(key) has events of \(topic) in another order: \(order)")
        }
      }
    }
  }

  // MARK: Timers

  private mutating func checkTimers() {
    guard site.shape.hasTimers else { return }
    let clock = consumed.filter { !$0.isAhead }.map(\.time).max() ?? .min
    var due: [String: SiteRecord] = [:]
    var pending: [String: Int64] = [:]
    for record in consumed where applied[record.uid] != nil {
      guard let firing = record.firing, let time = record.due else { continue }
      if time <= clock { due[firing] = record } else { pending[firing] = time }
    }
    noteEarly(pending)
    for letter in task.dead {
      guard let firing = letter.firing else { continue }
      if effects.early[firing] != nil { continue }
      guard let record = due[firing] else {
        problems.append("the firing \(firing) is dead, and was not due")
        continue
      }
      if record.kind != .badTimer || site.phases[record.uid]?.contains(.broken) == false {
        problems.append("the firing \(firing) is dead, and nothing failed it")
      }
      due[firing] = nil
    }
    for firing in due.keys {
      if !ledger.skippedFirings.contains(firing) {
        effects.firings[firing] = 1
      } else if ledger.mayLackDecisions {
        effects.early[firing] = 1
      }
    }
  }

  /// What is due at D goes as soon as each input has a head of D or later, or is at its end: before
  /// the record that moves the clock there, and a stop may come between.
  private mutating func noteEarly(_ pending: [String: Int64]) {
    guard let partition = task.positions.keys.first?.partition else { return }
    let heads = site.shape.groups[group].compactMap { topic in
      let position = task.positions[TopicPartition(topic, partition)] ?? 0
      return site.records.filter {
        $0.topic == topic && $0.partition == partition && $0.offset >= position
      }.min { $0.offset < $1.offset }
    }
    // One that is ahead has no time: it is the next.
    guard !heads.contains(where: \.isAhead), let bound = heads.map(\.time).min() else { return }
    for (firing, time) in pending where time <= bound { effects.early[firing] = 1 }
  }
}
