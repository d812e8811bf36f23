import StreamCore
import Synchronization
import Testing
import Topology
import TopologyTesting

/// Each record has exactly one fate; what fails leaves no trace but its dead letter.
@Suite("Fates")
struct FateTests {
  /// A little read model of texts: `create X` makes a row, `add X` extends it, `boom` throws.
  private func driver(
    process: ErrorPolicy = .deadLetter, missing: MissingRowPolicy = .holdUntilCreated,
    conflict: ConflictPolicy = .warn, deadLetterTopic: String? = nil,
    failures: FailingTimes = FailingTimes(.max)
  ) throws -> TopologyTestDriver {
    let builder = StreamsBuilder("fates", deadLetterTopic: deadLetterTopic)
    builder.stream(
      "in", key: StringSerde(), value: StringSerde(),
      policies: SourcePolicies(process: process, conflict: conflict)
    )
    .project(named: "rows", as: StringSerde(), missing: missing) { row, value, _ in
      let words = value.split(separator: " ").map(String.init)
      switch words[0] {
      case "create": return .put(words[1])
      case "add":
        guard let row else { return .missing(partial: "?" + words[1]) }
        return .put(row + words[1])
      case "delete": return .delete
      case "boom":
        if failures.next() { throw Boom() }
        return .put((row ?? "") + "boomed")
      default: return .unchanged
      }
    }
    .view()
    return try TopologyTestDriver(try builder.build())
  }

  private func send(
    _ values: [(key: String, value: String, id: String)], to driver: TopologyTestDriver
  )
    throws
  {
    for (key, value, id) in values {
      try driver.send(value, key: key, headers: ["eventId": id], to: "in")
    }
  }

  @Test("a duplicate is ignored: at once, later, in one batch, and after a restart")
  func duplicates() throws {
    let driver = try driver()
    try send([("a", "create x", "1"), ("a", "create x", "1"), ("a", "add y", "2")], to: driver)
    try driver.crash()
    try send([("a", "add y", "2"), ("a", "create x", "1")], to: driver)
    #expect(try driver.rows("rows") == ["a": "xy"])
    #expect(driver.counters == ["consumed": 5, "applied": 2, "duplicate": 3])
  }

  @Test(
    "the same id with another content follows its policy",
    arguments: [
      (
        ConflictPolicy.warn,
        ["consumed": 2, "applied": 1, "duplicate": 1, "duplicate{conflict}": 1]
      ),
      (.duplicate, ["consumed": 2, "applied": 1, "duplicate": 1]),
      (
        .deadLetter,
        ["consumed": 2, "applied": 1, "deadLettered": 1, "deadLettered{conflict}": 1]
      ),
    ] as [(ConflictPolicy, [String: Int64])])
  func conflicts(policy: ConflictPolicy, counters: [String: Int64]) throws {
    let driver = try driver(conflict: policy)
    try send([("a", "create x", "1"), ("a", "add z", "1")], to: driver)
    #expect(try driver.rows("rows") == ["a": "x"])
    #expect(driver.counters == counters)
  }

  @Test("a failing record is dead-lettered with everything, its unit undone")
  func deadLetter() throws {
    let driver = try driver(deadLetterTopic: "dead")
    try send([("a", "create x", "1"), ("a", "boom", "2"), ("a", "add y", "3")], to: driver)
    #expect(try driver.rows("rows") == ["a": "xy"])
    let letters = try driver.deadLetters()
    #expect(letters.map(\.reason) == ["process"])
    #expect(letters.map(\.message) == ["Boom()"])
    #expect(letters.map(\.operatorName) == ["rows"])
    #expect(letters.first?.record.value == Array("boom".utf8))
    #expect(letters.first?.record.offset == 1)
    let published = try driver.output("dead")
    #expect(published.map(\.value) == [Array("boom".utf8)])
    let headers = published.first.map {
      Dictionary(
        $0.headers.map { ($0.name, String(decoding: $0.value ?? [], as: UTF8.self)) },
        uniquingKeysWith: { $1 })
    }
    #expect(
      headers == [
        "eventId": "2", "deadLetterReason": "process", "deadLetterMessage": "Boom()",
        "deadLetterOperator": "rows", "deadLetterTopic": "in", "deadLetterPartition": "0",
        "deadLetterOffset": "1",
      ])
  }

  @Test("a retry succeeds where the failure passes, and has its effect once")
  func retry() throws {
    let driver = try driver(
      process: .deadLetter.retrying(2, backoff: .milliseconds(5)), failures: FailingTimes(2))
    try send([("a", "create x", "1"), ("a", "boom", "2")], to: driver)
    #expect(try driver.rows("rows") == ["a": "xboomed"])
    #expect(driver.counters == ["consumed": 2, "applied": 2, "retried": 2])
  }

  @Test("a wait before a retry commits what came before it in the same run")
  func retryWithinARun() throws {
    let driver = try driver(
      process: .deadLetter.retrying(2, backoff: .milliseconds(5)), failures: FailingTimes(1))
    let values = ["create x", "add y", "boom", "add z"]
    try driver.append(
      values.map {
        ProducerRecord(key: [0x61], value: Array($0.utf8), headers: [Header("eventId", $0)])
      }, to: "in")
    try driver.run()
    #expect(try driver.rows("rows") == ["a": "xyboomedz"])
    #expect(driver.counters == ["consumed": 4, "applied": 4, "retried": 1])
  }

  @Test("the policy fail stops with the position before the record")
  func fail() throws {
    let driver = try driver(process: .fail, failures: FailingTimes(1))
    try send([("a", "create x", "1")], to: driver)
    let error = #expect(throws: TaskError.self) { try send([("a", "boom", "2")], to: driver) }
    #expect(error?.code == .recordFailed)
    #expect(error?.offset == 1)
    try driver.crash()
    try driver.run()
    #expect(try driver.rows("rows") == ["a": "xboomed"])
    #expect(driver.counters == ["consumed": 2, "applied": 2])
  }

  @Test("skip drops the record and counts it")
  func skip() throws {
    let driver = try driver(process: .skip)
    try send([("a", "boom", "1"), ("a", "create x", "2")], to: driver)
    #expect(try driver.rows("rows") == ["a": "x"])
    #expect(try driver.deadLetters() == [])
    #expect(
      driver.counters == [
        "consumed": 2, "applied": 1, "deadLettered": 1, "deadLettered{skipped}": 1,
      ])
  }

  @Test(
    "an update of a missing row follows its policy; then the row is created",
    arguments: [
      (MissingRowPolicy.holdUntilCreated, ["a": "xyz"], ["consumed": 3, "applied": 3]),
      (.ignore, ["a": "x"], ["consumed": 3, "applied": 1, "ignored": 2, "ignored{missingRow}": 2]),
      (.upsert, ["a": "x"], ["consumed": 3, "applied": 3]),
      (
        .deadLetter, ["a": "x"],
        ["consumed": 3, "applied": 1, "deadLettered": 2, "deadLettered{missingRow}": 2]
      ),
    ] as [(MissingRowPolicy, [String: String], [String: Int64])])
  func missing(policy: MissingRowPolicy, rows: [String: String], counters: [String: Int64]) throws {
    let driver = try driver(missing: policy)
    try send([("a", "add y", "1"), ("a", "add z", "2")], to: driver)
    try driver.crash()
    try send([("a", "create x", "3")], to: driver)
    #expect(try driver.rows("rows") == rows)
    #expect(driver.counters == counters)
  }

  @Test("a parked key waits behind its dead letter, in order, until it is retried")
  func parkKey() throws {
    let driver = try driver(process: .parkKey, failures: FailingTimes(2))
    try send(
      [
        ("a", "create x", "1"), ("a", "boom", "2"), ("a", "add y", "3"), ("b", "create p", "4"),
        ("a", "add z", "5"),
      ], to: driver)
    #expect(try driver.rows("rows") == ["a": "x", "b": "p"])
    #expect(
      driver.counters == [
        "consumed": 5, "applied": 2, "held": 2, "deadLettered": 1, "deadLettered{process}": 1,
      ])
    try driver.crash()
    try send([("a", "add w", "6")], to: driver)
    try driver.retryDeadLetters()
    #expect(try driver.rows("rows") == ["a": "x", "b": "p"])
    try driver.retryDeadLetters()
    #expect(try driver.rows("rows") == ["a": "xboomedyzw", "b": "p"])
    #expect(driver.counters == ["consumed": 6, "applied": 6])
  }

  @Test(
    "a kept record is one: the same bytes are a duplicate, others a dead letter that parks nothing")
  func redelivery() throws {
    let driver = try driver(process: .parkKey)
    try send([("a", "boom", "1"), ("a", "boom", "1"), ("b", "create x", "1")], to: driver)
    #expect(try driver.rows("rows") == [:])
    #expect(try driver.deadLetters().map(\.reason) == ["process", "conflict"])
    #expect(try driver.deadLetters().map(\.parks) == [true, false])
    #expect(
      driver.counters == [
        "consumed": 3, "deadLettered": 2, "deadLettered{process}": 1, "deadLettered{conflict}": 1,
        "duplicate": 1,
      ])
  }

  private struct Boom: Error {}
}

/// Says for a number of times that a handler fails.
final class FailingTimes: Sendable {
  private let left: Mutex<Int>

  init(_ times: Int) { left = Mutex(times) }

  func next() -> Bool {
    left.withLock { left in
      guard left > 0 else { return false }
      left -= 1
      return true
    }
  }
}
