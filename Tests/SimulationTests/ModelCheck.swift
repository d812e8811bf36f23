import EngineChecks
import StreamCore
import Topology
import TopologyTesting

/// One random topology, built twice and fed the same inputs.
struct ModelCheck {
  let plan: ModelPlan
  private let driver: TopologyTestDriver
  private let engineCode = ModelUserCode()
  private let interpreter: ModelInterpreter

  init(seed: UInt64) throws {
    plan = ModelPlan(seed: seed)
    interpreter = ModelInterpreter(plan, ModelUserCode())
    let log = SimulatedLog(seed: plan.mergesSources || seed % 2 == 0 ? nil : seed)
    log.limit(recordBytes: ModelPlan.recordBytesMax, appendBytes: 64 << 20)
    driver = try TopologyTestDriver(
      try ModelTopology(plan: plan, code: engineCode).build(), partitions: plan.partitions,
      commitEvery: [Int.max, 1, 3, 7][Int(seed % 4)],
      // Which of two inputs is at its end for a moment is up to the log: that is for the journal.
      log: log)
  }

  /// Runs all rounds and compares after each.
  ///
  /// - Returns: what differs, by the first round in which anything does.
  func run() throws -> [String] {
    var hasCrashed = false
    for (number, round) in ModelWorkload(plan).rounds.enumerated() {
      try append(round.records)
      var isComparable = false
      for step in round.steps {
        switch step {
        case .run:
          try driver.run()
          interpreter.run()
          isComparable = true
        case .advance(let milliseconds):
          driver.clock.advance(by: .milliseconds(milliseconds))
          interpreter.advance(by: milliseconds)
          continue
        case .restart:
          try driver.run()
          try driver.crash()
          interpreter.run()
          interpreter.restart()
          isComparable = true
        case .crash where plan.waitsBeforeRetries:
          // A wait commits what came before it: what the outside remembers cannot be taken back.
          try driver.run()
          try driver.crash()
          interpreter.run()
          interpreter.restart()
          isComparable = true
        case .crash(let records):
          let memory = engineCode.memory
          try driver.process(records)
          try driver.crash()
          engineCode.memory = memory
          interpreter.restart()
          (isComparable, hasCrashed) = (false, true)
        case .retryDeadLetters:
          try driver.retryDeadLetters()
          interpreter.retryDeadLetters()
          interpreter.run()
        case .endTime:
          try driver.endTime()
          interpreter.run()
          interpreter.endTime()
        }
        guard isComparable else { continue }
        guard interpreter.fatesAddUp else { return ["round \(number): the model's fates differ"] }
        var expected = interpreter.result
        var found = try result()
        if hasCrashed {
          // Tries that a crash took back are counted all the same, where a wait committed them.
          expected.counters["retried"] = nil
          found.counters["retried"] = nil
        }
        let differences = found.differences(from: expected)
        if !differences.isEmpty { return ["round \(number), after \(step):"] + differences }
      }
    }
    return try repeatedIDs()
  }

  private func append(_ records: [ModelRecord]) throws {
    for record in records {
      let result = try driver.append([record.producerRecord], to: record.topic)
      var stored = record
      stored.offset = result[0].offset
      interpreter.append(stored)
    }
  }

  private func result() throws -> ModelResult {
    var result = ModelResult()
    for node in plan.stores + plan.audits {
      result.rows[node.name] = try driver.rows(node.name)
    }
    result.counters = driver.counters
    for node in plan.sinks { try add(ModelPlan.topic(of: node), to: &result) }
    if plan.publishesDeadLetters { try add(ModelPlan.deadLetterTopic, to: &result) }
    result.deadLetters = try driver.deadLetters().map(\.line).sorted()
    result.held = try driver.heldRecords().map(\.line).sorted()
    return result
  }

  private func add(_ topic: String, to result: inout ModelResult) throws {
    for record in try driver.output(topic) {
      let output = ModelOutput(record)
      result.outputs[topic, default: [:]][output.key ?? "null", default: []].append(output)
    }
    result.sortUnordered()
  }

  /// Every emitted record has an id of its own; a timer's is that of its operator, key and time,
  /// and those may come again.
  private func repeatedIDs() throws -> [String] {
    try plan.sinks.flatMap { node -> [String] in
      if case .process = node.kind { return [] }
      let ids = try driver.output(ModelPlan.topic(of: node)).map { $0.text(of: "eventId") ?? "" }
      return Set(ids).count == ids.count ? [] : ["sink \(node.name) repeats an event id"]
    }
  }
}

extension ModelOutput {
  init(_ record: ConsumerRecord) {
    var dead: String?
    if let topic = record.text(of: "deadLetterTopic") {
      dead =
        "\(record.text(of: "deadLetterReason") ?? "-") in "
        + "'\(record.text(of: "deadLetterOperator") ?? "-")' from \(topic)-"
        + "\(record.text(of: "deadLetterPartition") ?? "-")@"
        + "\(record.text(of: "deadLetterOffset") ?? "-")"
    }
    self.init(
      key: record.key.map { String(decoding: $0, as: UTF8.self) },
      value: record.value.map { String(decoding: $0, as: UTF8.self) },
      type: record.text(of: "eventType"), correlationID: record.text(of: "correlationId"),
      time: record.timestamp?.milliseconds, deadLetter: dead)
  }
}

extension ConsumerRecord {
  /// The last header of that name as text.
  func text(of header: String) -> String? {
    headers.last { $0.name == header }?.value.map { String(decoding: $0, as: UTF8.self) }
  }
}

extension DeadLetterSummary {
  /// As the interpreter lists it.
  var line: String {
    let place = "\(record.topicPartition)@\(record.offset)"
    switch reason {
    case "firing":
      let key = String(decoding: record.key ?? [], as: UTF8.self)
      return "firing '\(operatorName)' of \(key) at \(record.timestamp?.milliseconds ?? 0)"
    case "missingRow" where isHeld: return "\(place) waits for '\(operatorName)'"
    case "missingNumber" where isHeld: return "\(place) waits for its number"
    case "parked" where isHeld: return "\(place) parked"
    default: return "\(place) \(reason)\(parks ? " parks" : "") '\(operatorName)'"
    }
  }
}
