package import StreamCore
import TopologyTesting

/// A log and the state directories of one topology on it, to which a list of actions is done; what
/// DESIGN promises of each is compared after it.
package final class Site {
  package let shape: SiteShape
  let log: any RecordLog
  let world = World()
  let base: String
  var records: [SiteRecord] = []
  /// What the world was like since a record could be processed, by record.
  var phases: [Int: Set<World.Phase>] = [:]
  var directories: [DirectoryLedger] = []
  var isTrimmed = false
  private var time: Int64 = 1_000
  /// When a log that can be told takes all records.
  static let logTime = Timestamp(milliseconds: 1_000_000)
  /// The year 9000.
  private static let farFuture: Int64 = 221_845_392_000_000
  /// Starts the process; `nil` where nobody can be killed.
  private let kill: ((Victim) throws -> Void)?

  /// - Parameters:
  ///   - log: empty, with the shape's topics made by this.
  ///   - base: a directory of the caller's, which removes it.
  package init(
    _ shape: SiteShape, log: any RecordLog, base: String, kill: ((Victim) throws -> Void)? = nil
  ) throws {
    self.shape = shape
    self.log = log
    self.base = base
    self.kill = kill
    if let log = log as? SimulatedLog {
      // Else it takes each record at the record's own time, and nothing is ahead of that.
      log.setTime(Self.logTime)
      log.limit(recordBytes: SiteOutputSerde.bytesMax, appendBytes: 1 << 20)
    }
    for topic in shape.topics {
      try log.administration?.createTopic(
        topic, partitions: shape.partitions, retention: TopicRetention())
    }
    for number in 0..<shape.directories {
      let root = "\(base)/state-\(number)"
      let partitions = shape.partitions(of: number)
      try SiteFiles.makeDirectory(root)
      var ledger = DirectoryLedger(
        root: root, partitions: partitions,
        engine: SiteEngine(shape, world, log, root: root, partitions: partitions))
      ledger.forgetBeginnings(shape)
      directories.append(ledger)
    }
  }

  /// What is not as it was promised; the site is of no use then.
  package struct Violation: Error, CustomStringConvertible {
    package let description: String
  }

  func fail(_ circumstance: OutcomeTable.Circumstance?, _ lines: [String]) -> Violation {
    Violation(
      description: (circumstance.map { ["\($0.rawValue):"] } ?? []).joined()
        + lines.map { "\n  \($0)" }.joined())
  }

  // MARK: Actions

  /// Does one action and compares.
  ///
  /// - Throws: ``Violation``.
  package func perform(_ action: Action) throws {
    switch action {
    case .append(let count, let seed): try append(count, seed)
    case .world(let phase):
      world.phase = phase
      for uid in phases.keys { phases[uid]?.insert(phase) }
    case .run(let number, let plan, let ending): try run(place(number), plan, ending)
    case .retry(let number, let one): try retry(place(number), one)
    case .skip(let number, let one): try skip(place(number), one)
    case .release(let number, let one): try release(place(number), one)
    case .rewind(let number, let share, let options, let plan, let ending):
      try rewind(place(number), share, options, plan, ending)
    case .copyState(let number): try copyState(place(number))
    case .restoreCopy(let number, let outputs): try restoreCopy(place(number), outputs)
    case .removeState(let number, let outputs): try removeState(place(number), outputs)
    case .change(let number, let sinks, let hasExtraView):
      try change(place(number), sinks, hasExtraView)
    case .trim(let share): try trim(share)
    case .verify(let number): try verify(place(number))
    }
  }

  private func place(_ number: Int) -> Int { number % directories.count }

  /// What an operator does at last: everything is mended, run, retried; then nothing is left but
  /// what cannot go through.
  package func finish() throws {
    try perform(.world(.whole))
    for number in directories.indices {
      try run(number, RunPlan(), .end)
      try retry(number, nil)
      while try skip(number, nil) {}
      let stranded = try directories[number].engine.read().flatMap(\.held)
        .filter { $0.reason == "parked" }
      guard stranded.isEmpty else {
        throw fail(.skip, ["records stay parked behind nothing: \(stranded.map(\.id))"])
      }
      try verify(number)
    }
    // All of it once more is nothing more.
    guard !shape.nothingFails else { return }
    let again = records
    for record in again { try append([record]) }
    for number in directories.indices { try run(number, RunPlan(), .end) }
  }

  private func append(_ count: Int, _ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    func below(_ limit: Int) -> Int { Int(random.next(upTo: UInt64(limit))) }
    var fresh: [SiteRecord] = []
    for _ in 0..<count {
      let known = records + fresh
      let draw = below(20)
      if draw < (shape.nothingFails ? 9 : 3), !known.isEmpty {
        var again = known[below(known.count)]
        // The same bytes; its time is that of its delivery, where nothing hangs on it.
        if again.due == nil, !again.isAhead {
          time += 2 * Int64(below(6))
          again.time = time
        }
        fresh.append(again)
        continue
      }
      time += 2 * Int64(below(10))
      let key = below(SiteShape.keys)
      var record = SiteRecord(
        uid: (known.map(\.uid).max() ?? 0) + 1, kind: kind(&random),
        topic: shape.topics[below(shape.topics.count)], partition: shape.partition(ofKey: key),
        key: key, id: "", time: below(6) == 0 ? time - 2 * Int64(below(20)) : time)
      record.id = "e\(record.uid)"
      if shape.hasFuture, record.due == nil, below(15) == 0 {
        (record.time, record.isAhead) = (Self.farFuture, true)
      }
      if draw == 3, shape.hasConflicts, let first = known.filter({ $0.kind != .poison }).last {
        record = first
        record.uid = (known.map(\.uid).max() ?? 0) + 1
        record.kind = .ok
        (record.time, record.isAhead) = (time, false)
      }
      // A timer of its own for each event: what it sends tells of that event alone.
      while let firing = record.firing, known.contains(where: { $0.firing == firing }) {
        record.time += 2
      }
      fresh.append(record)
    }
    try append(fresh)
  }

  private func append(_ fresh: [SiteRecord]) throws {
    let appender = try log.makeAppender()
    defer { appender.close() }
    for record in fresh {
      var stored = record
      stored.offset = try appender.append([record.producerRecord], to: record.topic)[0].offset
      if record.isAhead { stored.logTime = try logTime(of: stored) }
      records.append(stored)
      if phases[record.uid] == nil { phases[record.uid] = [world.phase] }
    }
  }

  private func logTime(of record: SiteRecord) throws -> Int64 {
    let reader = try log.makeReader(ReaderOptions())
    defer { reader.close() }
    try reader.assign([TopicPartition(record.topic, record.partition): record.offset])
    while true {
      for batch in try reader.poll(timeout: .seconds(1)) where batch.count > 0 {
        return batch.appendTime(of: 0)?.milliseconds ?? 0
      }
    }
  }

  private func kind(_ random: inout SplitMix64) -> SiteRecord.Kind {
    let draw = Int(random.next(upTo: 20))
    if shape.nothingFails { return shape.hasTimers && draw < 4 ? .timer : .ok }
    if shape.holds, draw < 9 { return draw < 2 ? .create : .update }
    switch draw {
    case 10, 11: return .bad
    case 12: return .brittle
    case 13 where shape.process != .fail: return .poison
    case 14, 15, 16: return shape.hasTimers ? .timer : .ok
    case 17: return shape.hasTimers ? .badTimer : .bad
    default: return shape.holds ? .create : .ok
    }
  }

  // MARK: Runs

  /// Records of the directory's partitions that are behind its positions.
  private func pending(_ number: Int, _ tasks: [TaskContents]) -> [SiteRecord] {
    let positions = tasks.reduce(into: [TopicPartition: Offset]()) {
      $0.merge($1.positions) { first, _ in first }
    }
    return records.filter { record in
      directories[number].partitions.contains(record.partition)
        && record.offset >= positions[TopicPartition(record.topic, record.partition)] ?? 0
    }
  }

  func run(_ number: Int, _ plan: RunPlan, _ ending: Ending) throws {
    let ledger = directories[number]
    // `fail` is for what the world makes fail, and a firing's policies may say so, too.
    let mayStop =
      shape.process == .fail && world.phase == .broken
      && records.contains { [.bad, .brittle, .badTimer].contains($0.kind) }
    var stopsBefore: SiteRecord?
    if shape.process == .fail, world.phase == .broken {
      // A redelivery does not come to the operator.
      stopsBefore = pending(number, try ledger.engine.read()).first { record in
        (record.kind == .bad || record.kind == .brittle)
          && !records.contains {
            $0.topic == record.topic && $0.id == record.id && $0.offset < record.offset
          }
      }
    }
    directories[number].hasRun = true
    if ledger.variant.hasOutputs(shape) { directories[number].hadOutputs = true }
    directories[number].variantsSince.insert(ledger.variant)
    defer { world.calm() }
    switch ending {
    case .kill(let operation):
      guard let kill else { return try run(number, plan, .end) }
      try kill(
        Victim(
          seed: shape.seed, state: ledger.root, partitions: ledger.partitions,
          variant: ledger.variant, plan: plan,
          phase: world.phase, rewind: nil, operation: operation))
      return try check(number, .kill, isCaughtUp: false)
    case .fault(let calls): world.fault(at: calls)
    case .faultDuringRequest(let calls):
      let asked = try ledger.engine.submitRetry()
      // Long enough for the owner to have the request in hand.
      world.fault(at: calls) { Pause.milliseconds(5) }
      do { try ledger.engine.run(plan, ledger.variant) } catch let refusal as SiteEngine.Refusal {
        try expectFault(refusal)
      }
      withExtendedLifetime(asked) {}
      return try check(number, .fault, isCaughtUp: false)
    case .stop, .end: break
    }
    do {
      try ledger.engine.run(plan, ledger.variant) { stop in
        if case .stop(let calls) = ending { self.world.stop(at: calls, stop) }
      }
    } catch let refusal as SiteEngine.Refusal {
      if case .fault = ending {
        try expectFault(refusal)
        return try check(number, .fault, isCaughtUp: false)
      }
      guard refusal.exit == 1, mayStop else {
        throw fail(.restart, ["a run ended with \(refusal.exit): \(refusal)"])
      }
      return try check(number, .failPolicy, isCaughtUp: false)
    }
    if ending == .end, let stopsBefore {
      throw fail(.failPolicy, ["record \(stopsBefore.uid) fails, and the run went on"])
    }
    try check(number, .restart, isCaughtUp: ending == .end)
    if ending == .end, shape.sends(ledger.variant) { directories[number].hasSent = true }
  }

  private func expectFault(_ refusal: SiteEngine.Refusal) throws {
    guard refusal.exit == 1 else {
      throw fail(.fault, ["a run that met a failing disk ended with \(refusal.exit): \(refusal)"])
    }
  }

  // MARK: Decisions

  private func letters(_ number: Int, _ one: UInt64?) throws -> [SiteKept] {
    let dead = try directories[number].engine.read().flatMap(\.dead)
    guard let one else { return dead }
    return dead.isEmpty ? [] : [dead[Int(one % UInt64(dead.count))]]
  }

  private func retry(_ number: Int, _ one: UInt64?) throws {
    let ledger = directories[number]
    guard ledger.hasRun, shape.process != .fail || world.phase != .broken else { return }
    let dead = try letters(number, one)
    if dead.isEmpty, one != nil { return }
    for letter in dead where one != nil && letter.reason == "conflict" {
      if let record = record(at: letter.place, letter.offset) {
        directories[number].retriedConflicts.insert(record.uid)
        directories[number].overtaken.insert(record.name)
      }
    }
    do {
      try ledger.engine.retry(one == nil ? nil : dead.map(\.id), RunPlan(), ledger.variant)
    } catch let refusal as SiteEngine.Refusal {
      throw fail(.retryMended, ["a retry ended with \(refusal.exit): \(refusal)"])
    }
    if one == nil, world.phase == .whole {
      // What failed because of the world has no reason to be dead any more.
      for record in records where ledger.partitions.contains(record.partition) {
        phases[record.uid] = [.whole]
      }
    }
    try run(number, RunPlan(), .end)
  }

  @discardableResult
  private func skip(_ number: Int, _ one: UInt64?) throws -> Bool {
    let ledger = directories[number]
    guard ledger.hasRun else { return false }
    let dead = try letters(number, one)
    guard !dead.isEmpty else { return false }
    try ledger.engine.skip(dead.map(\.id), RunPlan(), ledger.variant)
    for letter in dead {
      if let firing = letter.firing {
        directories[number].skippedFirings.insert(firing)
      } else if let record = record(at: letter.place, letter.offset) {
        directories[number].skipped.insert(record.place)
        // Its id enters the runs with its bytes.
        if letter.reason == "conflict" { directories[number].overtaken.insert(record.name) }
      }
    }
    try run(number, RunPlan(), .end)
    return true
  }

  private func release(_ number: Int, _ one: UInt64?) throws {
    let ledger = directories[number]
    guard ledger.hasRun else { return }
    var held = try ledger.engine.read().flatMap(\.held).filter { $0.reason == "missingRow" }
    if let one, !held.isEmpty { held = [held[Int(one % UInt64(held.count))]] }
    guard !held.isEmpty else { return }
    for entry in held {
      if let record = record(at: entry.place, entry.offset) {
        directories[number].released.insert(record.uid)
      }
    }
    try ledger.engine.release(held.map(\.id), RunPlan(), ledger.variant)
    try run(number, RunPlan(), .end)
  }

  func record(at place: TopicPartition, _ offset: Offset) -> SiteRecord? {
    records.first {
      $0.topic == place.topic && $0.partition == place.partition && $0.offset == offset
    }
  }

  // MARK: Rebuilds

  private func rewind(
    _ number: Int, _ share: Int, _ options: RewindAction, _ plan: RunPlan, _ ending: Ending
  ) throws {
    let ledger = directories[number]
    let before = try ledger.engine.read()
    guard ledger.hasRun, !before.isEmpty else { return }
    if shape.process == .fail, world.phase == .broken { return }
    var target = RewindAction.Target.earliest
    if share > 0 {
      var offsets: [TopicPartition: Offset] = [:]
      for (place, position) in before.flatMap(\.positions) {
        let start = try log.offsets(of: place).lowerBound
        offsets[place] = start + max(0, position - start) * Offset(min(share, 1_000)) / 1_000
      }
      target = .offsets(offsets)
    }
    let generation = try ledger.engine.current
    let mayDiverge = !options.fromEmpty && failsNow(number)
    directories[number].variantsSince.insert(ledger.variant)
    for place in ledger.beginnings.keys where options.fromEmpty {
      let start: Offset
      if case .offsets(let offsets) = target {
        start = offsets[place] ?? 0
      } else {
        start = try log.offsets(of: place).lowerBound
      }
      directories[number].beginnings[place]?.insert(start)
    }
    defer { world.calm() }
    if case .kill(let operation) = ending, let kill {
      try kill(
        Victim(
          seed: shape.seed, state: ledger.root, partitions: ledger.partitions,
          variant: ledger.variant, plan: plan,
          phase: world.phase, rewind: (target, options), operation: operation))
      if try ledger.engine.current != generation { directories[number].epoch += 1 }
      try check(number, .rewindGivenUp, isCaughtUp: false)
      // What it left half-made is finished now.
      try run(number, RunPlan(), .end)
      if try ledger.engine.current != generation { directories[number].epoch += 1 }
      return
    }
    let untouched = try SiteFiles.fingerprint(ledger.root)
    if case .fault(let calls) = ending { world.fault(at: calls) }
    do {
      try ledger.engine.rewind(target, options, plan, ledger.variant) { stop in
        if case .stop(let calls) = ending { self.world.stop(at: calls, stop) }
      }
    } catch let refusal as SiteEngine.Refusal {
      switch ending {
      case .fault, .stop:
        guard refusal.exit == 1 || (isTrimmed || mayDiverge) && refusal.exit == 6 else {
          throw fail(.rewindGivenUp, ["a rewind given up ended with \(refusal.exit): \(refusal)"])
        }
        if try ledger.engine.current != generation {
          throw fail(.rewindGivenUp, ["another generation serves than before"])
        }
        world.calm()
        return try run(number, RunPlan(), .end)
      default:
        guard isTrimmed || mayDiverge, refusal.exit == 6 else {
          throw fail(.rewind, ["a rewind ended with \(refusal.exit): \(refusal)"])
        }
        let now = try SiteFiles.fingerprint(ledger.root)
        guard now == untouched else {
          throw fail(
            mayDiverge ? .rewindBroken : .rewindTrimmed,
            ["the refused rewind changed \(Self.changed(untouched, now))"])
        }
        return
      }
    }
    directories[number].epoch += 1
    if ledger.variant.hasExtraView { directories[number].extraViewIsBuilt = true }
    try settle(number, before: before)
    try check(number, options.fromEmpty ? .rewindFromEmpty : .rewind, isCaughtUp: false)
    world.calm()
    try run(number, RunPlan(), .end)
  }

  /// Whether something that went through once would not now: a replay of it cannot follow its
  /// journal.
  private func failsNow(_ number: Int) -> Bool {
    let kinds: Set<SiteRecord.Kind> =
      switch world.phase {
      case .broken: [.bad, .brittle, .badTimer]
      case .halfMended: [.brittle]
      case .whole: []
      }
    return records.contains {
      directories[number].partitions.contains($0.partition) && kinds.contains($0.kind)
        && phases[$0.uid, default: []].contains { $0 != world.phase }
    }
  }

  static func changed(_ before: [String: Int], _ after: [String: Int]) -> [String] {
    Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }.sorted()
  }

  // MARK: Copies and removals

  private func copyState(_ number: Int) throws {
    guard directories[number].hasRun else { return }
    let path = "\(base)/copy-\(number)"
    try SiteFiles.removeTree(path)
    try SiteFiles.copyTree(directories[number].root, to: path)
    directories[number].copy = DirectoryLedger.Copy(
      path: path, epoch: directories[number].epoch, beginnings: directories[number].beginnings)
  }

  private func restoreCopy(_ number: Int, _ outputs: Action.Outputs) throws {
    guard let copy = directories[number].copy, !isTrimmed else { return }
    if shape.process == .fail, world.phase == .broken { return }
    // What follows the journal cannot where something fails that went through.
    if failsNow(number), outputs != .all || copy.epoch == directories[number].epoch { return }
    if outputs != .continue { try run(number, RunPlan(), .end) }
    try SiteFiles.removeTree(directories[number].root)
    try SiteFiles.copyTree(copy.path, to: directories[number].root)
    directories[number].beginnings.merge(copy.beginnings) { $0.union($1) }
    directories[number].mayLackDecisions = true
    if copy.epoch == directories[number].epoch {
      return try run(number, RunPlan(), .end)
    }
    try choose(number, .foreignCopy, outputs)
  }

  private func removeState(_ number: Int, _ outputs: Action.Outputs) throws {
    if isTrimmed || shape.process == .fail && world.phase == .broken { return }
    let ledger = directories[number]
    // A task that never had outputs wrote no checkpoint, and is asked for none.
    guard ledger.hadOutputs else { return }
    // What follows the journal cannot where something fails that went through.
    if failsNow(number), outputs != .all { return }
    let wasThere = try ledger.hasRun && !ledger.engine.read().isEmpty
    // What was sent is then known.
    if wasThere, outputs != .continue { try run(number, RunPlan(), .end) }
    try SiteFiles.removeTree(ledger.root)
    try SiteFiles.makeDirectory(ledger.root)
    // What operators decided is in the journal, which only `continue` follows, and only one that was
    // begun as a fresh state is.
    if outputs != .continue || ledger.beginnings.values.contains(where: { $0 != [0] }) {
      directories[number].forgetDecisions()
    }
    directories[number].forgetBeginnings(shape)
    if ledger.variant.hasExtraView { directories[number].extraViewIsBuilt = true }
    if wasThere { try choose(number, .removedState, outputs) }
  }

  /// A state that sinks were not written by: it is refused, then an operator chooses.
  private func choose(
    _ number: Int, _ circumstance: OutcomeTable.Circumstance, _ outputs: Action.Outputs
  ) throws {
    let ledger = directories[number]
    let untouched = try SiteFiles.fingerprint(ledger.root)
    do {
      try ledger.engine.run(RunPlan(), ledger.variant)
      // Before anything was sent nothing speaks against a fresh state.
      guard !ledger.hasSent else { throw fail(circumstance, ["the run was not refused"]) }
      return try run(number, RunPlan(), .end)
    } catch let refusal as SiteEngine.Refusal {
      guard
        .refused(exit: refusal.exit, choices: ["--outputs continue", "all", "none"])
          == OutcomeTable.outcome(circumstance)
      else { throw fail(circumstance, ["the run ended with \(refusal.exit): \(refusal)"]) }
    }
    let now = try SiteFiles.fingerprint(ledger.root)
    guard now == untouched else {
      throw fail(circumstance, ["the refused run changed \(Self.changed(untouched, now))"])
    }
    directories[number].epoch += 1
    var plan = RunPlan()
    plan.outputs = outputs
    switch outputs {
    case .continue:
      // It is silent up to what was sent, whatever it does there.
      for sink in directories[number].sinks.keys where !shape.nothingFails {
        let sent = directories[number].sinks[sink]?.expected ?? [:]
        directories[number].sinks[sink]?.baseline.merge(sent) { max($0, $1) }
      }
    case .all: try sendAll(number)
    case .none:
      try ledger.engine.run(plan, ledger.variant)
      try check(number, .outputsNone, isCaughtUp: true, isSilent: true)
      return try removeState(number, .continue)
    }
    try run(number, plan, .end)
  }

  // MARK: Changes of the topology and the log

  private func change(_ number: Int, _ sinks: Set<String>, _ hasExtraView: Bool) throws {
    if shape.process == .fail, world.phase == .broken { return }
    directories[number].variant.sinks = sinks
    if hasExtraView { directories[number].variant.hasExtraView = true }
    try run(number, RunPlan(), .end)
  }

  private func trim(_ share: Int) throws {
    guard let log = log as? SimulatedLog else { return }
    var limits: [TopicPartition: Offset] = [:]
    for ledger in directories {
      guard ledger.hasRun else { return }
      for (place, position) in try ledger.engine.read().flatMap(\.positions) {
        limits[place] = position
      }
    }
    for (place, limit) in limits {
      let start = try log.offsets(of: place).lowerBound
      let offset = start + (limit - start) * Offset(min(share, 1_000)) / 1_000
      if offset > start {
        log.removeStart(of: place, before: offset)
        isTrimmed = true
      }
    }
  }

  private func verify(_ number: Int) throws {
    let ledger = directories[number]
    guard ledger.hasRun, try !ledger.engine.read().isEmpty else { return }
    if shape.process == .fail, world.phase == .broken { return }
    let untouched = try SiteFiles.fingerprint(ledger.root)
    do {
      let different = try ledger.engine.verify(RunPlan(), ledger.variant)
      guard different.isEmpty else {
        throw fail(.rewind, ["verify finds other rows in \(different)"])
      }
    } catch let refusal as SiteEngine.Refusal {
      guard isTrimmed || failsNow(number), refusal.exit == 6 else {
        throw fail(.rewind, ["verify ended with \(refusal.exit): \(refusal)"])
      }
    }
    let now = try SiteFiles.fingerprint(ledger.root)
    guard now == untouched else {
      throw fail(.rewind, ["verify changed \(Self.changed(untouched, now))"])
    }
  }
}
