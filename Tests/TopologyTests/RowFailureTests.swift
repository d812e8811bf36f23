import JSONSerdes
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// A row that its serde cannot write fails the record that made it, and nothing else.
@Suite("Rows without bytes")
struct RowFailureTests {
  /// A row that JSON can express or not.
  struct Sum: Codable, Hashable, Sendable {
    var sum: Double
  }

  /// An operator that keeps a ``Sum`` a key in a store named `sums`.
  struct Keeper: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// The last value where it does not add up.
    let keepsLast: Bool
    let declare: @Sendable (StreamsBuilder, KStream<String, Double>) -> Void

    init(
      _ description: String, keepsLast: Bool = false,
      _ declare: @escaping @Sendable (StreamsBuilder, KStream<String, Double>) -> Void
    ) {
      testDescription = description
      self.keepsLast = keepsLast
      self.declare = declare
    }
  }

  static let keepers: [Keeper] = [
    Keeper("project") { _, numbers in
      numbers.project(named: "sums", as: JSONSerde<Sum>(), missing: .upsert) { row, number, _ in
        guard let row else { return .missing(partial: Sum(sum: number)) }
        return .put(Sum(sum: row.sum + number))
      }.view()
    },
    Keeper("aggregate") { _, numbers in
      numbers.groupByKey()
        .aggregate(into: Sum(sum: 0), named: "sums", as: JSONSerde<Sum>()) { $0.sum += $1 }.view()
    },
    Keeper("reduce") { _, numbers in
      numbers.mapValues { Sum(sum: $1) }.groupByKey()
        .reduce(named: "sums", as: JSONSerde<Sum>()) { Sum(sum: $0.sum + $1.sum) }.view()
    },
    Keeper("toTable", keepsLast: true) { _, numbers in
      numbers.mapValues { Sum(sum: $1) }.toTable(named: "sums", as: JSONSerde<Sum>()).view()
    },
    Keeper("toTable of tombstones", keepsLast: true) { _, numbers in
      numbers.mapValues { Sum?(Sum(sum: $1)) }.toTable(named: "sums", as: JSONSerde<Sum>()).view()
    },
    Keeper("process") { builder, numbers in
      let sums = builder.store(named: "sums", key: String.self, as: JSONSerde<Sum>())
      let _: KStream<String, Double> = numbers.process(named: "sums", stores: ["sums"]) { context in
        let store = context.store(sums)
        return Processor { key, number in
          try store.put(key, Sum(sum: (try store.get(key)?.sum ?? 0) + number))
          context.markApplied()
        }
      }
    },
  ]

  private func topology(
    _ policy: ErrorPolicy = .deadLetter, deadLetterTopic: String? = nil,
    _ declare: (StreamsBuilder, KStream<String, Double>) -> Void
  ) throws -> Topology {
    let builder = StreamsBuilder("sums", deadLetterTopic: deadLetterTopic)
    let texts = builder.stream(
      "in", key: StringSerde(), value: StringSerde(), policies: SourcePolicies(process: policy))
    declare(builder, texts.mapValues { Double($1) ?? 0 })
    return try builder.build()
  }

  private func records(_ sent: [(key: String, value: String)]) -> [ProducerRecord] {
    sent.enumerated().map { number, record in
      ProducerRecord(
        key: Array(record.key.utf8), value: Array(record.value.utf8),
        headers: [Header("eventId", "\(number)")], timestamp: .epoch)
    }
  }

  private func message(_ key: String, _ number: String) -> String {
    "the row of key '\(key)' in store 'sums' cannot be written: JSON has no number for \(number)"
  }

  @Test(
    "each operator that keeps rows: only the records that made bad ones fail", arguments: keepers,
    [1, 2, 3, Int.max])
  func operators(keeper: Keeper, commitEvery: Int) throws {
    let driver = try TopologyTestDriver(
      try topology(.deadLetter, keeper.declare), commitEvery: commitEvery)
    // `c` begins with a bad row, and each bad row is followed by a good one of its key.
    try driver.append(
      records([
        ("a", "1"), ("b", "1"), ("a", "nan"), ("a", "2"), ("c", "inf"), ("b", "2"), ("c", "4"),
      ]), to: "in")
    try driver.run()
    try driver.crash()
    let sum = keeper.keepsLast ? "{\"sum\":2.0}" : "{\"sum\":3.0}"
    #expect(try driver.rows("sums") == ["a": sum, "b": sum, "c": "{\"sum\":4.0}"])
    let letters = try driver.deadLetters()
    #expect(letters.map(\.message) == [message("a", "nan"), message("c", "inf")])
    #expect(letters.map(\.record.offset) == [2, 4])
    #expect(letters.map(\.reason) == ["process", "process"])
    #expect(letters.map(\.operatorName) == ["sums", "sums"])
    #expect(
      driver.counters == [
        "consumed": 7, "applied": 5, "deadLettered": 2, "deadLettered{process}": 2,
      ])
  }

  struct Outcome: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let policy: ErrorPolicy
    let rows: [String: String]
    let counters: [String: Int64]
    /// Once the event came again with other bytes: where the first is kept, that is a conflict.
    let correctedRows: [String: String]
    let correctedCounters: [String: Int64]
  }

  static let outcomes: [Outcome] = [
    Outcome(
      testDescription: "deadLetter", policy: .deadLetter, rows: ["a": "3.0", "b": "3.0"],
      counters: ["consumed": 4, "applied": 3, "deadLettered": 1, "deadLettered{process}": 1],
      correctedRows: ["a": "3.0", "b": "3.0"],
      correctedCounters: [
        "consumed": 6, "applied": 3, "duplicate": 1, "deadLettered": 2, "deadLettered{process}": 1,
        "deadLettered{conflict}": 1,
      ]),
    Outcome(
      testDescription: "retry, then deadLetter", policy: .deadLetter.retrying(2),
      rows: ["a": "3.0", "b": "3.0"],
      counters: [
        "consumed": 4, "applied": 3, "deadLettered": 1, "deadLettered{process}": 1, "retried": 2,
      ],
      correctedRows: ["a": "3.0", "b": "3.0"],
      correctedCounters: [
        "consumed": 6, "applied": 3, "duplicate": 1, "deadLettered": 2, "deadLettered{process}": 1,
        "deadLettered{conflict}": 1, "retried": 4,
      ]),
    Outcome(
      testDescription: "skip", policy: .skip, rows: ["a": "3.0", "b": "3.0"],
      counters: ["consumed": 4, "applied": 3, "deadLettered": 1, "deadLettered{skipped}": 1],
      correctedRows: ["a": "8.0", "b": "3.0"],
      correctedCounters: [
        "consumed": 6, "applied": 4, "deadLettered": 2, "deadLettered{skipped}": 2,
      ]),
    Outcome(
      testDescription: "parkKey", policy: .parkKey, rows: ["a": "1.0", "b": "3.0"],
      counters: [
        "consumed": 4, "applied": 2, "held": 1, "deadLettered": 1, "deadLettered{process}": 1,
      ],
      correctedRows: ["a": "1.0", "b": "3.0"],
      correctedCounters: [
        "consumed": 6, "applied": 2, "held": 1, "duplicate": 1, "deadLettered": 2,
        "deadLettered{process}": 1, "deadLettered{conflict}": 1,
      ]),
  ]

  @Test(
    "the record's policy decides; then it is retried, delivered again, and sent with other bytes",
    arguments: outcomes, [1, Int.max])
  func policies(outcome: Outcome, commitEvery: Int) throws {
    let driver = try TopologyTestDriver(
      try topology(outcome.policy, Self.keepers[0].declare), commitEvery: commitEvery)
    try driver.append(
      records([("a", "1"), ("a", "nan"), ("a", "2"), ("b", "3")]), to: "in")
    try driver.run()
    func rows() throws -> [String: String] {
      try driver.rows("sums").mapValues { String($0.dropFirst(7).dropLast()) }
    }
    #expect(try rows() == outcome.rows)
    #expect(driver.counters == outcome.counters)
    try driver.crash()
    try driver.retryDeadLetters()
    #expect(try rows() == outcome.rows)
    try driver.send("nan", key: "a", headers: ["eventId": "1"], to: "in")
    #expect(try rows() == outcome.rows)
    try driver.crash()
    try driver.send("5", key: "a", headers: ["eventId": "1"], to: "in")
    #expect(try rows() == outcome.correctedRows)
    #expect(driver.counters == outcome.correctedCounters)
    #expect(
      try driver.deadLetters().map(\.reason)
        == (outcome.policy == .skip ? [] : ["process", "conflict"]))
  }

  @Test("the policy fail stops at the record, with all before it committed", arguments: keepers)
  func fail(keeper: Keeper) throws {
    let driver = try TopologyTestDriver(try topology(.fail, keeper.declare))
    try driver.append(records([("a", "1"), ("b", "1"), ("a", "nan"), ("b", "2")]), to: "in")
    // The second time as the first: a restart meets the same record.
    for _ in 0..<2 {
      let error = #expect(throws: TaskError.self) { try driver.run() }
      #expect(error?.code == .recordFailed && error?.offset == 2)
      #expect(error?.message.hasPrefix(message("a", "nan")) == true)
      try driver.crash()
      #expect(try driver.rows("sums") == ["a": "{\"sum\":1.0}", "b": "{\"sum\":1.0}"])
      #expect(driver.counters == ["consumed": 2, "applied": 2])
    }
  }

  @Test("a unit that wrote a good row before the bad one leaves neither, and sends nothing")
  func wholeUnit() throws {
    let driver = try TopologyTestDriver(
      try topology(deadLetterTopic: "dead") { builder, numbers in
        numbers.groupByKey().count(named: "counts").toStream()
          .to("out", key: StringSerde(), value: CountSerde())
        Self.keepers[1].declare(builder, numbers)
      })
    try driver.append(records([("a", "1"), ("a", "nan"), ("a", "2")]), to: "in")
    try driver.run()
    #expect(try driver.rows("counts") == ["a": "2"])
    #expect(try driver.rows("sums") == ["a": "{\"sum\":3.0}"])
    #expect(try driver.output("out").map(\.value) == [Array("1".utf8), Array("2".utf8)])
    let dead = try driver.output("dead")
    #expect(dead.map(\.value) == [Array("nan".utf8)])
    #expect(
      dead.first?.headers.first { $0.name == "deadLetterMessage" }?.value
        == Array(message("a", "nan").utf8))
  }

  @Test("a timer that puts a bad row is a dead letter of its own")
  func timer() throws {
    let driver = try TopologyTestDriver(
      try topology { builder, numbers in
        let sums = builder.store(named: "sums", key: String.self, as: JSONSerde<Sum>())
        let _: KStream<String, Double> = numbers.process(named: "double", stores: ["sums"]) {
          context in
          let store = context.store(sums)
          return Processor(
            onTimer: { key, _ in
              let sum = try store.get(key)?.sum ?? 0
              try store.put(key, Sum(sum: sum == 1 ? .nan : sum * 2))
            },
            process: { key, number in
              try store.put(key, Sum(sum: number))
              try context.schedule(key, at: context.record.timestamp + .milliseconds(10))
            })
        }
      })
    for (number, key) in ["a", "b", "c"].enumerated() {
      let time = Timestamp(milliseconds: Int64(number * 10))
      try driver.send("\(number + 1)", key: key, at: time, to: "in")
    }
    try driver.crash()
    #expect(
      try driver.rows("sums") == ["a": "{\"sum\":1.0}", "b": "{\"sum\":4.0}", "c": "{\"sum\":3.0}"])
    let letters = try driver.deadLetters()
    #expect(letters.map(\.message) == [message("a", "nan")])
    #expect(letters.map(\.reason) == ["firing"])
    #expect(letters.map(\.operatorName) == ["double"])
    #expect(driver.counters == ["consumed": 3, "applied": 3, "firings": 2])
  }

  @Test("a processor may catch the refusal and go on: nothing was put")
  func caught() throws {
    let driver = try TopologyTestDriver(
      try topology { builder, numbers in
        let sums = builder.store(named: "sums", key: String.self, as: JSONSerde<Sum>())
        let _: KStream<String, Double> = numbers.process(named: "last", stores: ["sums"]) {
          context in
          let store = context.store(sums)
          return Processor { key, number in
            do {
              try store.put(key, Sum(sum: number))
            } catch is SerdeError {
              try store.put("refused", Sum(sum: (try store.get("refused")?.sum ?? 0) + 1))
            }
            context.markApplied()
          }
        }
      })
    try driver.append(records([("a", "1"), ("a", "nan"), ("b", "inf")]), to: "in")
    try driver.run()
    try driver.crash()
    #expect(try driver.rows("sums") == ["a": "{\"sum\":1.0}", "refused": "{\"sum\":2.0}"])
    #expect(driver.counters == ["consumed": 3, "applied": 3])
  }

  @Test("a sink's value without bytes fails at the stage produce")
  func sink() throws {
    let driver = try TopologyTestDriver(
      try topology(.skip) { _, numbers in
        numbers.mapValues { Sum(sum: $1) }
          .to("out", key: StringSerde(), value: JSONSerde<Sum>(), named: "send")
      })
    try driver.append(records([("a", "1"), ("a", "nan"), ("a", "2")]), to: "in")
    try driver.run()
    #expect(try driver.output("out").count == 2)
    let letters = try driver.deadLetters()
    #expect(letters.map(\.reason) == ["produce"])
    #expect(letters.map(\.message) == ["JSON has no number for nan"])
    #expect(letters.map(\.operatorName) == ["send"])
  }

  /// Writes what it cannot read.
  private struct ForgetfulSerde: Serde {
    var name: String { "forgetful" }
    func serialize(_ value: String, into bytes: inout [UInt8]) { bytes += Array(value.utf8) }
    func deserialize(_ bytes: RawSpan) throws -> String {
      let text = try StringSerde().deserialize(bytes)
      if text == "bad" { throw SerdeError("no text of mine") }
      return text
    }
  }

  @Test(
    "a stored row that cannot be read fails the record that needs it, from sources of both kinds",
    arguments: [false, true])
  func unreadable(events: Bool) throws {
    let builder = StreamsBuilder("forgetful")
    let texts =
      if events {
        builder.events(
          "in", format: JSONFormat(),
          types: EventTypes<JSONView, String>(unknownType: .ignore)
            .on("TEXT", version: 1) { json, _ in try json.field("text").string() })
      } else {
        builder.stream("in", key: StringSerde(), value: StringSerde())
      }
    texts.groupByKey()
      .aggregate(into: "", named: "texts", as: ForgetfulSerde()) { $0 += $1 }.view()
    let driver = try TopologyTestDriver(try builder.build())
    func send(_ key: String, _ text: String) throws {
      try driver.send(
        events ? "{\"text\":\"\(text)\"}" : text, key: key, headers: ["eventType": "TEXT"],
        to: "in")
    }
    try send("a", "bad")
    try send("a", "x")
    try send("b", "y")
    #expect(try driver.rows("texts") == ["a": "bad", "b": "y"])
    let letters = try driver.deadLetters()
    #expect(letters.map(\.reason) == ["process"])
    #expect(letters.map(\.operatorName) == ["texts"])
    #expect(
      letters.map(\.message) == [
        "the stored row of key 'a' in store 'texts' cannot be read: no text of mine; rebuild the "
          + "view if the type of its rows has changed"
      ])
  }
}
