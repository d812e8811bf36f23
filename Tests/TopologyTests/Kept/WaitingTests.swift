import StreamCore
import Testing
import Topology
import TopologyTesting

/// Records that wait for rows, lines behind a dead letter that parks, and what operators decide of
/// them (DESIGN, "Waiting and parking").
@Suite("Waiting and parking")
struct WaitingTests {
  /// A fold of words by key: `boom` fails as often as told, `big` is too large for its sink, `wait`
  /// needs a row.
  private func driver(
    _ failures: FailingTimes, sink: Bool = false, grows: FailingTimes = FailingTimes(0)
  ) throws -> TopologyTestDriver {
    let builder = StreamsBuilder("park")
    let source = builder.stream(
      "in", key: StringSerde(), value: StringSerde(), policies: SourcePolicies(process: .parkKey))
    let words = source.mapValues(named: "work") { _, value -> String in
      guard value == "boom" else { return value }
      if failures.next() { throw Failure() }
      return grows.next() ? String(repeating: "x", count: 1_000_001) : value
    }
    words.project(named: "texts", as: StringSerde(), missing: .holdUntilCreated) { row, value, _ in
      if value == "wait" {
        guard let row else { return .missing() }
        return .put(row + "wait,")
      }
      return .put((row ?? "") + value.prefix(5) + ",")
    }.view()
    if sink { words.to("out", key: StringSerde(), value: StringSerde()) }
    let log = SimulatedLog()
    log.limit(recordBytes: 1_000_000, appendBytes: 4_000_000)
    return try TopologyTestDriver(try builder.build(), log: log)
  }

  private struct Failure: Error {}

  private func send(_ values: String..., to driver: TopologyTestDriver) throws {
    for value in values {
      try driver.send(
        value, key: "k", headers: ["eventId": "\(driver.counters) \(value)"], to: "in")
    }
  }

  @Test(
    "a dead letter whose retry fails where nothing parks no longer bars its key: the line goes on")
  func barFalls() throws {
    let driver = try driver(FailingTimes(1), sink: true, grows: FailingTimes(.max))
    try send("a", "boom", "c", "d", to: driver)
    #expect(driver.counters["held"] == 2)
    try driver.retryDeadLetters()
    #expect(try driver.rows("texts") == ["k": "a,c,d,"])
    #expect(try driver.heldRecords() == [])
    #expect(try driver.deadLetters().map(\.reason) == ["produce"])
    try send("e", to: driver)
    #expect(try driver.rows("texts") == ["k": "a,c,d,e,"])
  }

  @Test("the line runs from its head until one parks again, and bars its key until it is empty")
  func lineParksAgain() throws {
    let driver = try driver(FailingTimes(2))
    try send("a", "boom", "b", "boom", "c", to: driver)
    #expect(driver.counters["held"] == 3)
    try driver.retryDeadLetters()
    // The first fails once more: all stay.
    #expect(driver.counters["held"] == 3)
    try driver.retryDeadLetters()
    #expect(try driver.rows("texts") == ["k": "a,boom,b,boom,c,"])
    #expect(driver.counters == ["consumed": 5, "applied": 5])
  }

  @Test("a record that waits for its row bars nobody, and waits on while its key is barred")
  func waitingBarsNobody() throws {
    let driver = try driver(FailingTimes(1))
    try send("wait", "boom", "a", "wait", to: driver)
    #expect(driver.counters["held"] == 3)
    #expect(try driver.rows("texts") == [:])
    try driver.retryDeadLetters()
    // The retried one makes the row; then its line; then what waits.
    #expect(try driver.rows("texts") == ["k": "boom,a,wait,wait,"])
    #expect(driver.counters == ["consumed": 4, "applied": 4])
  }

  @Test("skipping a dead letter that parks lets its line go on; its fate stays, its id is known")
  func skip() throws {
    let driver = try driver(FailingTimes(.max))
    try driver.send("boom", key: "k", headers: ["eventId": "1"], to: "in")
    try driver.send("a", key: "k", headers: ["eventId": "2"], to: "in")
    try driver.skipDeadLetters()
    #expect(try driver.rows("texts") == ["k": "a,"])
    #expect(try driver.deadLetters() == [])
    #expect(
      driver.counters == [
        "consumed": 2, "applied": 1, "deadLettered": 1, "deadLettered{skipped}": 1,
      ])
    try driver.send("boom", key: "k", headers: ["eventId": "1"], to: "in")
    try driver.send("other", key: "k", headers: ["eventId": "1"], to: "in")
    #expect(driver.counters["duplicate"] == 2)
    #expect(driver.counters["duplicate{conflict}"] == 1)
  }

  @Test("work left with a key when an interval ends is gone on with after a crash")
  func cascadeOverCrash() throws {
    let driver = try driver(FailingTimes(1))
    try send("boom", "a", "b", "c", to: driver)
    try driver.retryDeadLetters(units: 1)
    try driver.crash()
    #expect(driver.counters["held"] == 3)
    try driver.run()
    #expect(try driver.rows("texts") == ["k": "boom,a,b,c,"])
    #expect(driver.counters == ["consumed": 4, "applied": 4])
  }

  /// Two topics into one view.
  private func merged() throws -> TopologyTestDriver {
    let builder = StreamsBuilder("merged")
    let policies = SourcePolicies(process: .parkKey)
    let left = builder.stream(
      "left", key: StringSerde(), value: StringSerde(), policies: policies)
    let right = builder.stream(
      "right", key: StringSerde(), value: StringSerde(), policies: policies)
    left.merge(right, named: "both")
      .project(named: "texts", as: StringSerde(), missing: .holdUntilCreated) { row, value, _ in
        if value == "boom" { throw Failure() }
        if value.hasPrefix("make") { return .put((row ?? "") + value + ",") }
        guard let row else { return .missing() }
        return .put(row + value + ",")
      }.view()
    return try TopologyTestDriver(try builder.build())
  }

  @Test("a record that waits is tried whichever source makes its row, in order of arrival")
  func rowOfOtherSource() throws {
    let driver = try merged()
    for (number, sent) in [
      ("left", "a"), ("right", "b"), ("left", "c"), ("right", "make"),
    ].enumerated() {
      try driver.send(
        sent.1, key: "k", headers: ["eventId": "\(number)"],
        at: Timestamp(milliseconds: Int64(number)), to: sent.0)
    }
    #expect(try driver.rows("texts") == ["k": "make,a,b,c,"])
    #expect(driver.counters == ["consumed": 4, "applied": 4])
  }

  @Test("a bar is of one source: the other's records go on, and its waiting ones are tried")
  func barOfOneSource() throws {
    let driver = try merged()
    for (number, sent) in [
      ("left", "a"), ("left", "boom"), ("right", "b"), ("right", "make"),
    ].enumerated() {
      try driver.send(
        sent.1, key: "k", headers: ["eventId": "\(number)"],
        at: Timestamp(milliseconds: Int64(number)), to: sent.0)
    }
    #expect(try driver.rows("texts") == ["k": "make,b,"])
    #expect(try driver.heldRecords().map(\.record.topicPartition.topic) == ["left"])
    try driver.skipDeadLetters()
    #expect(try driver.rows("texts") == ["k": "make,b,a,"])
  }
}
