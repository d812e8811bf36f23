import StreamCore
import Testing
import Topology
import TopologyTesting

/// All views of a source judge a record; it is taken by all of them or by none, and the gravest
/// verdict is its own (DESIGN, "Errors").
@Suite("Verdicts of several views")
struct VerdictTests {
  /// Two read models of one source, each told by the value's words what to do: `left` and `right`
  /// are `put`, `missing`, `fail`, `late` or `none`.
  private func driver(
    _ process: ErrorPolicy = .deadLetter, right: MissingRowPolicy = .holdUntilCreated
  ) throws -> TopologyTestDriver {
    let builder = StreamsBuilder("verdicts")
    let source = builder.stream(
      "in", key: StringSerde(), value: StringSerde(), policies: SourcePolicies(process: process))
    for (index, (name, missing)) in [("left", MissingRowPolicy.holdUntilCreated), ("right", right)]
      .enumerated()
    {
      source.project(named: name, as: StringSerde(), missing: missing) { row, value, _ in
        let word = String(value.split(separator: " ")[index])
        switch word {
        case "put": return .put((row ?? "") + "p")
        case "add":
          guard let row else { return .missing() }
          return .put(row + "a")
        case "fail": throw Failure()
        default: return .unchanged
        }
      }.view()
    }
    return try TopologyTestDriver(try builder.build())
  }

  private struct Failure: Error {}

  private func send(_ values: [String], to driver: TopologyTestDriver) throws {
    for (number, value) in values.enumerated() {
      try driver.send(value, key: "k", headers: ["eventId": "\(value) \(number)"], to: "in")
    }
  }

  @Test("a record that one view holds is taken by none, and waits until each has its row")
  func held() throws {
    let driver = try driver()
    try send(["put add"], to: driver)
    #expect(try driver.rows("left") == [:])
    #expect(driver.counters == ["consumed": 1, "held": 1])
    try send(["none put"], to: driver)
    #expect(try driver.rows("left") == ["k": "p"])
    #expect(try driver.rows("right") == ["k": "pa"])
    #expect(driver.counters == ["consumed": 2, "applied": 2])
  }

  @Test("one that two views hold waits for both rows")
  func heldByBoth() throws {
    let driver = try driver()
    try send(["add add"], to: driver)
    #expect(try driver.heldRecords().map(\.operatorName) == ["left, right"])
    try send(["put none"], to: driver)
    #expect(try driver.heldRecords().map(\.operatorName) == ["left, right"])
    try send(["none put"], to: driver)
    #expect(try driver.rows("left") == ["k": "pa"])
    #expect(try driver.rows("right") == ["k": "pa"])
    #expect(driver.counters == ["consumed": 3, "applied": 3])
  }

  @Test(
    "the gravest verdict is the record's, whichever view's it is",
    arguments: [
      ("add fail", ErrorPolicy.deadLetter, "process"), ("fail add", .deadLetter, "process"),
      ("add fail", .parkKey, "process"), ("put add", .deadLetter, "missingRow"),
    ])
  func gravest(value: String, process: ErrorPolicy, reason: String) throws {
    let driver = try driver(
      process, right: reason == "missingRow" ? .deadLetter : .holdUntilCreated)
    try send([value], to: driver)
    #expect(try driver.rows("left") == [:])
    #expect(try driver.rows("right") == [:])
    let letters = try driver.deadLetters()
    #expect(letters.map(\.reason) == [reason])
    #expect(letters.map(\.parks) == [process == .parkKey])
  }
}
