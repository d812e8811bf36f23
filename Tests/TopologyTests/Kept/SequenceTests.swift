import JSONSerdes
import StreamCore
import Testing
import Topology
import TopologyTesting

/// Sequence numbers: when one has come, what waits for it, and what is judged again (DESIGN, "Waiting
/// and parking").
@Suite("Sequence numbers")
struct SequenceTests {
  private struct Failure: Error {}

  /// A fold of events by number: `NEW` makes the row, `ADD` needs one, `NEED` fails where there is one,
  /// `BAD` fails, `NONE` is ignored, `END` deletes the row. Rows are `LAST:n,n,…`.
  private func driver(
    _ gap: SequenceGapPolicy = .hold, regression: SequenceRegressionPolicy = .deadLetter,
    process: ErrorPolicy = .deadLetter, conflict: ConflictPolicy? = nil, first: Int64? = nil,
    failures: FailingTimes = FailingTimes(.max)
  ) throws -> TopologyTestDriver {
    let builder = StreamsBuilder("numbers")
    var types = EventTypes<JSONView, String>(unknownType: .ignore)
    for name in ["NEW", "ADD", "NEED", "BAD", "END"] { types = types.on(name) { _, _ in name } }
    builder.events(
      "in", format: JSONFormat(), types: types,
      policies: SourcePolicies(
        process: process, conflict: conflict, sequenceGap: gap, sequenceRegression: regression)
    )
    .project(
      named: "rows", as: StringSerde(), missing: .holdUntilCreated,
      sequence: SequenceCheck(first: first) { row in
        Int64(row.split(separator: ":")[0])
      }
    ) { row, type, context in
      if type == "BAD", failures.next() { throw Failure() }
      if type == "END" { return .delete }
      if row == nil, type == "ADD" || type == "NEED" { return .missing() }
      if type == "NEED", failures.next() { throw Failure() }
      let number = context.sequenceNumber ?? -1
      let parts = row?.split(separator: ":").map(String.init) ?? []
      let last = max(number, parts.first.flatMap { Int64($0) } ?? number)
      // No longer than a test looks at.
      let numbers = (parts.last.map { $0 + "," } ?? "") + "\(number)"
      return .put("\(last):\(numbers.suffix(20))")
    }.view()
    return try TopologyTestDriver(try builder.build())
  }

  private func send(
    _ events: [(String, Int64)], to driver: TopologyTestDriver, ids: String = ""
  ) throws {
    for (index, event) in events.enumerated() {
      try send(
        event.0, event.1, id: "\(ids)\(event.0) \(event.1) \(index)", to: driver)
    }
  }

  private func send(
    _ type: String, _ number: Int64, id: String, to driver: TopologyTestDriver
  ) throws {
    try driver.send(
      "{\"sequenceNumber\":\(number)}", key: "k", headers: ["eventType": type, "eventId": id],
      to: "in")
  }

  @Test(
    "under hold a record waits for the missing number, and those that wait go by number",
    arguments: [[1, 2, 3, 4, 5], [1, 5, 4, 3, 2], [1, 3, 5, 2, 4], [1, 4, 3, 5, 2]] as [[Int64]])
  func hold(order: [Int64]) throws {
    let driver = try driver()
    for number in order {
      try send(number == 1 ? "NEW" : "ADD", number, id: "\(number)", to: driver)
      try driver.crash()
    }
    #expect(try driver.row("rows", key: "k") == "5:1,2,3,4,5")
    #expect(driver.counters == ["consumed": 5, "applied": 5])
  }

  @Test("what was ignored, dead-lettered or skipped has come")
  func whateverItsFate() throws {
    let driver = try driver()
    try send(
      [("NEW", 1), ("ADD", 5), ("NONE", 2), ("BAD", 3), ("ADD", 4)], to: driver)
    #expect(try driver.row("rows", key: "k") == "5:1,4,5")
    let skipping = try self.driver(process: .skip)
    try send([("NEW", 1), ("ADD", 3), ("BAD", 2)], to: skipping)
    #expect(try skipping.row("rows", key: "k") == "3:1,3")
  }

  @Test("the number of one that is taken for a duplicate has come, too")
  func conflictingNumber() throws {
    let driver = try driver()
    try send("NEW", 1, id: "a", to: driver)
    try send("ADD", 3, id: "b", to: driver)
    try send("ADD", 2, id: "a", to: driver)
    #expect(try driver.row("rows", key: "k") == "3:1,3")
    #expect(
      driver.counters == ["consumed": 3, "applied": 2, "duplicate": 1, "duplicate{conflict}": 1])
  }

  @Test("a row that is gone expects no number: what waited for one is tried")
  func rowGone() throws {
    let driver = try driver()
    try send([("NEW", 1), ("NEW", 4)], to: driver)
    #expect(driver.counters["held"] == 1)
    try driver.send("{}", key: "k", headers: ["eventType": "END", "eventId": "end"], to: "in")
    #expect(try driver.row("rows", key: "k") == "4:4")
    #expect(driver.counters["held"] == nil)
  }

  @Test("below numbers that wait for their row nothing is a regression")
  func belowWaiting() throws {
    let driver = try driver(.deadLetter)
    try send([("ADD", 5), ("ADD", 4), ("NEW", 3)], to: driver)
    #expect(try driver.deadLetters() == [])
    #expect(try driver.row("rows", key: "k") == "5:3,5,4")
    try send([("ADD", 6), ("ADD", 4)], to: driver, ids: "again ")
    #expect(try driver.row("rows", key: "k") == "6:3,5,4,6")
    #expect(try driver.deadLetters().map(\.reason) == ["sequenceRegression"])
  }

  @Test("a number that waits for its row has come: the same again is a repeat")
  func repeatOfWaiting() throws {
    let driver = try driver(.deadLetter)
    try send([("ADD", 5), ("ADD", 5), ("ADD", 7)], to: driver)
    #expect(
      try driver.deadLetters().map(\.reason) == ["sequenceRegression", "sequenceGap"])
    // So has the one that died.
    try send([("ADD", 6), ("ADD", 8)], to: driver, ids: "more ")
    #expect(driver.counters["held"] == 3)
  }

  @Test("a number that the row has passed long since is not kept beside it")
  func passed() throws {
    let driver = try driver(.deadLetter)
    // 2 dies though the row stands at 3; then the row goes and comes again.
    try send([("NEW", 3), ("BAD", 2), ("END", 4)], to: driver)
    #expect(try driver.deadLetters().map(\.reason) == ["sequenceRegression"])
    try send([("NEW", 5), ("ADD", 6)], to: driver)
    #expect(try driver.row("rows", key: "k") == "6:5,6")
    #expect(driver.counters["deadLettered"] == 1)
  }

  @Test("the first number is what comes first, or is declared", arguments: [nil, 2] as [Int64?])
  func first(declared: Int64?) throws {
    let driver = try driver(first: declared)
    try send([("NEW", 3), ("NEW", 2)], to: driver)
    let reasons = try driver.deadLetters().map(\.reason)
    #expect(try driver.row("rows", key: "k") == (declared == nil ? "3:3" : "3:2,3"))
    #expect(reasons == (declared == nil ? ["sequenceRegression"] : []))
  }

  @Test("one whose number waits or stands in a line has not come; a skipped one has")
  func line() throws {
    let driver = try driver(.parkKey, process: .parkKey, failures: FailingTimes(.max))
    try send([("NEW", 1), ("BAD", 2), ("ADD", 3), ("ADD", 4)], to: driver)
    #expect(driver.counters["held"] == 2)
    #expect(try driver.decide(.skip, 1) == .deadLettered)
    #expect(try driver.row("rows", key: "k") == "4:1,3,4")
    #expect(
      driver.counters == [
        "consumed": 4, "applied": 3, "deadLettered": 1, "deadLettered{skipped}": 1,
      ])
  }

  @Test("a line whose record parks for its number stands until the number is there")
  func parksForNumber() throws {
    let driver = try driver(.parkKey)
    try send([("NEW", 1), ("ADD", 3), ("ADD", 2), ("ADD", 4)], to: driver)
    #expect(try driver.deadLetters().map(\.reason) == ["sequenceGap"])
    // 2 stands in the line behind 3: the head fails again.
    try driver.retryDeadLetters()
    #expect(try driver.row("rows", key: "k") == "1:1")
    try driver.decide(.skip, 1)
    // With 3 come, 2 and then 4 are next.
    #expect(try driver.row("rows", key: "k") == "4:1,2,4")
  }

  @Test("one that was released is past what it waits for; without a row it is a dead letter")
  func release() throws {
    let driver = try driver()
    try send([("NEW", 1), ("ADD", 4)], to: driver)
    #expect(try driver.decide(.release, 1) == .applied)
    #expect(try driver.row("rows", key: "k") == "4:1,4")
    let empty = try self.driver()
    try send([("ADD", 4)], to: empty)
    #expect(try empty.decide(.release, 1) == .deadLettered)
    #expect(try empty.deadLetters().map(\.reason) == ["missingRow"])
    #expect(
      empty.counters == ["consumed": 1, "deadLettered": 1, "deadLettered{missingRow}": 1])
  }

  @Test("a number that came is not judged again, though its record parks later")
  func parksOnceCome() throws {
    let driver = try driver(.warn, process: .parkKey, failures: FailingTimes(1))
    try send([("NEED", 5), ("NEW", 4)], to: driver)
    #expect(try driver.deadLetters().map(\.parks) == [true])
    try driver.retryDeadLetters()
    #expect(try driver.deadLetters() == [])
    #expect(try driver.row("rows", key: "k") == "5:4,5")
  }

  @Test("thousands that wait for one number are each tried once")
  func many() throws {
    let count = Int64(5_000)
    let driver = try driver()
    try send([("NEW", 1)], to: driver)
    // From the last down, so that nothing is next before all are there.
    try driver.append(
      (3...count).reversed().map { number in
        ProducerRecord(
          key: [0x6b], value: Array("{\"sequenceNumber\":\(number)}".utf8),
          headers: [Header("eventType", "ADD"), Header("eventId", "\(number)")],
          timestamp: .epoch)
      }, to: "in")
    try driver.run()
    #expect(driver.counters["held"] == count - 2)
    let before = driver.units
    try send([("ADD", 2)], to: driver)
    #expect(driver.counters == ["consumed": count, "applied": count])
    // The record itself, and each of those that waited once.
    #expect(driver.units - before == count - 1)
  }
}
