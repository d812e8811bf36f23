import StreamCore

/// What holds after every action, by the promises of DESIGN and the log's records alone.
extension Site {
  /// Compares what a state directory and its sinks hold with what was promised.
  ///
  /// - Parameters:
  ///   - isCaughtUp: everything was processed and sent.
  ///   - isSilent: nothing was to leave.
  func check(
    _ number: Int, _ circumstance: OutcomeTable.Circumstance, isCaughtUp: Bool,
    isSilent: Bool = false
  ) throws {
    let tasks: [TaskContents]
    do { tasks = try directories[number].engine.read() } catch {
      throw fail(circumstance, ["the state cannot be read: \(error)"])
    }
    var problems: [String] = []
    var effects = SiteEffects()
    for task in tasks {
      let check = TaskCheck(
        site: self, ledger: directories[number], task: task, isSettled: isCaughtUp)
      problems += check.problems.map { "task \(task.name): \($0)" }
      effects.add(check.effects)
    }
    if isCaughtUp {
      let positions = tasks.reduce(into: [TopicPartition: Offset]()) {
        $0.merge($1.positions) { first, _ in first }
      }
      for topic in shape.topics {
        for partition in directories[number].partitions {
          let place = TopicPartition(topic, partition)
          let end = try log.offsets(of: place).upperBound
          if positions[place] ?? 0 != end {
            problems.append("\(place) stands at \(positions[place] ?? 0) of \(end)")
          }
        }
      }
    }
    if isCaughtUp { problems += try leftovers(number) }
    problems += try compareSinks(
      number, effects, tasks, isCaughtUp: isCaughtUp, isSilent: isSilent)
    guard problems.isEmpty else { throw fail(circumstance, problems) }
  }

  /// A rewind fills in silence: what it did again is no more to send, but for what was dead or
  /// waited in the state before it.
  func settle(_ number: Int, before: [TaskContents]) throws {
    var effects = SiteEffects()
    var kept = SiteEffects()
    // The state before was worked off.
    var worked = SiteEffects()
    for task in before {
      worked.add(brought(by: task, number))
    }
    for topic in sinkTopics {
      var ledger = directories[number].sinks[topic] ?? SinkLedger()
      account(worked.of(topic), of: topic, number, &ledger)
      // The new state may lack what set the timer.
      if topic == SiteShape.timerTopic { ledger.allowance.add(worked.early) }
      directories[number].sinks[topic] = ledger
    }
    for task in try directories[number].engine.read() {
      effects.add(brought(by: task, number))
    }
    for task in before {
      for entry in task.dead + task.held {
        if let firing = entry.firing {
          kept.firings[firing] = 1
        } else if let record = record(at: entry.place, entry.offset) {
          kept.applied["\(record.uid)"] = 1
        }
      }
    }
    // What dies anew, in silence, is not published, but for what was held in the state before.
    let knew = Set(
      before.flatMap { $0.held + $0.dead }.compactMap { record(at: $0.place, $0.offset)?.uid })
    for letter in try directories[number].engine.read().flatMap(\.dead) {
      guard let uid = record(at: letter.place, letter.offset)?.uid, !knew.contains(uid) else {
        continue
      }
      directories[number].silentDeaths.insert(uid)
    }
    for sink in directories[number].sinks.keys {
      let (now, dead) = (effects.of(sink), kept.of(sink))
      let old = directories[number].sinks[sink]?.baseline ?? [:]
      // What is accounted for in the state before is so now; what was dead there is to be sent.
      directories[number].sinks[sink]?.baseline = now.filter { text, _ in
        dead[text] == nil || old[text] != nil
      }
    }
  }

  /// All that a state makes from where it stands is sent, and what still waits in its outbox.
  func sendAll(_ number: Int) throws {
    var effects = SiteEffects()
    for task in try directories[number].engine.read() { effects.add(brought(by: task, number)) }
    for sink in sinkTopics {
      directories[number].sinks[sink, default: SinkLedger()].baseline = effects.of(sink)
      directories[number].sinks[sink]?.allowance.add(effects.of(sink))
    }
  }

  private func brought(by task: TaskContents, _ number: Int) -> SiteEffects {
    TaskCheck(site: self, ledger: directories[number], task: task, isSettled: false).effects
  }

  // MARK: Sinks

  private func compareSinks(
    _ number: Int, _ effects: SiteEffects, _ tasks: [TaskContents], isCaughtUp: Bool,
    isSilent: Bool
  ) throws -> [String] {
    var problems: [String] = []
    for topic in sinkTopics {
      var ledger = directories[number].sinks[topic] ?? SinkLedger()
      if !isSilent { account(effects.of(topic), of: topic, number, &ledger) }
      let found = try sent(topic, number)
      let early = topic == SiteShape.timerTopic ? effects.early : [:]
      for (text, count) in found.minus(ledger.expected)
      where count > ledger.allowance[text, default: 0] + early[text, default: 0] {
        problems.append("sink \(topic) has \(text) \(count) times too often")
      }
      guard isCaughtUp else { continue }
      for (text, count) in ledger.expected.minus(found) {
        problems.append("sink \(topic) lacks \(text), \(count) times")
      }
      directories[number].sinks[topic] = ledger
    }
    if isCaughtUp {
      directories[number].variantsSince = [directories[number].variant]
      if shape.publishesDeadLetters { problems += try missingDeadLetters(number, tasks) }
    }
    return problems
  }

  private var sinkTopics: [String] {
    SiteShape.sinks + (shape.hasTimers ? [SiteShape.timerTopic] : [])
  }

  /// Adds what is new among a state's effects to what a sink is to have.
  private func account(
    _ effects: [String: Int], of topic: String, _ number: Int, _ ledger: inout SinkLedger
  ) {
    let fresh = effects.minus(ledger.baseline)
    let variants = directories[number].variantsSince
    let isTimer = topic == SiteShape.timerTopic
    if isTimer || variants.allSatisfy({ $0.sinks.contains(topic) }) {
      ledger.expected.add(fresh)
    } else if variants.contains(where: { $0.sinks.contains(topic) }) {
      ledger.allowance.add(fresh)
    }
    ledger.baseline.merge(effects) { max($0, $1) }
  }

  /// What a read-committed reader finds of a directory's partitions, by text.
  private func sent(_ topic: String, _ number: Int) throws -> [String: Int] {
    var texts: [String: Int] = [:]
    for record in try SinkReader(log).records(of: topic) {
      let text = record.value.map { String(decoding: $0, as: UTF8.self) } ?? "null"
      let key = record.key.map { String(decoding: $0, as: UTF8.self) } ?? "k0"
      let partition = shape.partition(ofKey: Int(key.dropFirst()) ?? 0)
      if directories[number].partitions.contains(partition) { texts[text, default: 0] += 1 }
    }
    return texts
  }

  private func missingDeadLetters(_ number: Int, _ tasks: [TaskContents]) throws -> [String] {
    let published = Set(
      try SinkReader(log).records(of: SiteShape.deadLetterTopic).map { record in
        ["deadLetterTopic", "deadLetterPartition", "deadLetterOffset"].map { name in
          String(
            decoding: record.headers.last { $0.name == name }?.value ?? [], as: UTF8.self)
        }.joined(separator: "/")
      })
    // Of a redelivered event, whichever delivery died.
    let events = Set(records.filter { published.contains($0.publishedPlace) }.map(\.uid))
      .union(directories[number].silentDeaths)
    return tasks.flatMap(\.dead).compactMap { letter in
      guard letter.firing == nil, let record = record(at: letter.place, letter.offset),
        !events.contains(record.uid)
      else { return nil }
      return "dead letter \(letter.id) was not published"
    }
  }

  /// Files that nothing needs any more.
  private func leftovers(_ number: Int) throws -> [String] {
    let root = "\(directories[number].root)/\(SiteShape.topology)"
    return try SiteFiles.files(root).filter { file in
      file.contains(".verify") || file.contains(".partial") || file.contains(".new")
        || file.hasPrefix("requests/")
    }.map { "the file \($0) stays" }
  }
}

/// What a state has brought about, by text of what sinks get of it.
struct SiteEffects {
  var applied: [String: Int] = [:]
  var firings: [String: Int] = [:]
  /// Firings that may have gone, or not yet.
  var early: [String: Int] = [:]

  func of(_ topic: String) -> [String: Int] {
    topic == SiteShape.timerTopic ? firings : applied
  }

  mutating func add(_ other: SiteEffects) {
    applied.add(other.applied)
    firings.add(other.firings)
    early.add(other.early)
  }
}

/// Reads a topic from its start to its end.
struct SinkReader {
  private let log: any RecordLog

  init(_ log: any RecordLog) { self.log = log }

  func records(of topic: String) throws -> [ConsumerRecord] {
    guard let description = try log.topic(topic) else { return [] }
    var records: [ConsumerRecord] = []
    for partition in 0..<description.partitions {
      let place = TopicPartition(topic, partition)
      let offsets = try log.offsets(of: place)
      guard !offsets.isEmpty else { continue }
      let reader = try log.makeReader(ReaderOptions())
      defer { reader.close() }
      try reader.assign([place: offsets.lowerBound])
      var position = offsets.lowerBound
      while position < offsets.upperBound {
        for batch in try reader.poll(timeout: .seconds(1)) {
          records += (0..<batch.count).map(batch.record)
          position = batch.nextOffset
        }
      }
    }
    return records
  }
}
