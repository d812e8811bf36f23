import JSONSerdes
import StreamCore
import Synchronization
import Testing
import Topology
import TopologyTesting

/// What operators decide of dead letters and held records (DESIGN, "Errors" and "Seen event ids").
@Suite("Decisions about kept records")
struct DecisionTests {
  private struct Failure: Error, CustomStringConvertible { let description: String }

  /// What is wrong with the world for now: read and set by the test.
  private final class World: Sendable {
    private let text = Mutex<String?>("down")
    var trouble: String? {
      get { text.withLock { $0 } }
      set { text.withLock { $0 = newValue } }
    }
  }

  /// A fold of words by key: `call` fails with what troubles the world, `add` needs a row.
  private func driver(
    _ world: World = World(), process: ErrorPolicy = .deadLetter, conflict: ConflictPolicy? = nil,
    deadLetterTopic: String? = nil
  ) throws -> TopologyTestDriver {
    let builder = StreamsBuilder("decisions", deadLetterTopic: deadLetterTopic)
    builder.stream(
      "in", key: StringSerde(), value: StringSerde(),
      policies: SourcePolicies(process: process, conflict: conflict)
    )
    .project(named: "texts", as: StringSerde(), missing: .holdUntilCreated) { row, value, _ in
      if value.hasPrefix("call"), let trouble = world.trouble {
        throw Failure(description: trouble)
      }
      if value.hasPrefix("add"), row == nil { return .missing() }
      return .put((row ?? "") + value + ",")
    }.view()
    return try TopologyTestDriver(try builder.build())
  }

  private func send(_ value: String, id: String, to driver: TopologyTestDriver) throws {
    try driver.send(value, key: "k", headers: ["eventId": id], to: "in")
  }

  @Test("a dead letter that fails otherwise on retry keeps its place and number")
  func keepsPlace() throws {
    let world = World()
    let driver = try driver(world, deadLetterTopic: "dead")
    for value in ["call a", "call b", "call c"] { try send(value, id: value, to: driver) }
    world.trouble = "still down"
    #expect(try driver.decide(.retry, 2) == .deadLettered)
    try driver.crash()
    #expect(try driver.deadLetterNumbers() == [1, 2, 3])
    let letters = try driver.deadLetters()
    #expect(letters.map(\.message) == ["down", "still down", "down"])
    #expect(letters.map(\.attempts) == [1, 2, 1])
    #expect(letters.map(\.record.offset) == [0, 1, 2])
    #expect(driver.counters == ["consumed": 3, "deadLettered": 3, "deadLettered{process}": 3])
    // As it died: nothing changes, and nobody is told again.
    #expect(try driver.decide(.retry, 2) == .deadLettered)
    #expect(try driver.deadLetters() == letters)
    #expect(try driver.output("dead").count == 4)
    world.trouble = nil
    try driver.retryDeadLetters()
    #expect(try driver.row("texts", key: "k") == "call a,call b,call c,")
  }

  @Test("one that waits for its row after a retry is tried before those that arrived later")
  func arrival() throws {
    let world = World()
    let builder = StreamsBuilder("arrival")
    builder.stream("in", key: StringSerde(), value: StringSerde())
      .mapValues(named: "call") { _, value -> String in
        if value == "a", world.trouble != nil { throw Failure(description: "down") }
        return value
      }
      .project(named: "texts", as: StringSerde(), missing: .holdUntilCreated) { row, value, _ in
        row == nil && value != "make" ? .missing() : .put((row ?? "") + value + ",")
      }.view()
    let driver = try TopologyTestDriver(try builder.build())
    for value in ["a", "b", "c"] { try send(value, id: value, to: driver) }
    world.trouble = nil
    try driver.retryDeadLetters()
    #expect(driver.counters == ["consumed": 3, "held": 3])
    try send("make", id: "make", to: driver)
    #expect(try driver.row("texts", key: "k") == "make,a,b,c,")
  }

  @Test("a retry in the middle of a line begins at its head")
  func middle() throws {
    let world = World()
    let driver = try driver(world, process: .parkKey)
    for value in ["call", "b", "c", "d"] { try send(value, id: value, to: driver) }
    #expect(driver.counters["held"] == 3)
    // The head fails as before: all of the line stays.
    #expect(try driver.decide(.release, 2) == .held)
    #expect(driver.counters["held"] == 3)
    world.trouble = nil
    #expect(try driver.decide(.release, 2) == .held)
    #expect(try driver.row("texts", key: "k") == "call,b,c,d,")
    #expect(driver.counters == ["consumed": 4, "applied": 4])
  }

  @Test("retry of all leaves conflicts out; by its id one runs under its position")
  func conflicts() throws {
    let driver = try driver(conflict: .deadLetter)
    try send("a", id: "1", to: driver)
    try send("b", id: "1", to: driver)
    try driver.retryDeadLetters()
    #expect(try driver.deadLetters().map(\.reason) == ["conflict"])
    #expect(try driver.decide(.retry, 1) == .applied)
    #expect(try driver.row("texts", key: "k") == "a,b,")
    // Its own id is known with its bytes, as with the first one's; others are a conflict still.
    try send("b", id: "1", to: driver)
    try send("a", id: "1", to: driver)
    try send("c", id: "1", to: driver)
    #expect(
      driver.counters == [
        "consumed": 5, "applied": 2, "duplicate": 2, "deadLettered": 1,
        "deadLettered{conflict}": 1,
      ])
  }

  @Test(
    "a conflict that was decided stays so, where it waits or fails first", arguments: [true, false])
  func decidedConflict(waits: Bool) throws {
    let world = World()
    let driver = try driver(world, conflict: .deadLetter)
    try driver.send("x", key: "other", headers: ["eventId": "1"], to: "in")
    try send(waits ? "add" : "call", id: "1", to: driver)
    #expect(try driver.deadLetters().map(\.reason) == ["conflict"])
    #expect(try driver.decide(.retry, 1) == (waits ? .held : .deadLettered))
    world.trouble = nil
    if waits { try send("make", id: "2", to: driver) } else { try driver.retryDeadLetters() }
    #expect(try driver.row("texts", key: "k") == (waits ? "make,add," : "call,"))
    #expect(try driver.deadLetters() == [])
    try send(waits ? "add" : "call", id: "1", to: driver)
    #expect(driver.counters["duplicate"] == 1)
  }

  @Test(
    "an event under the id of a kept one is a dead letter that parks nothing, also a parked one's")
  func conflictWithKept() throws {
    let driver = try driver(process: .parkKey)
    try send("call", id: "1", to: driver)
    try send("b", id: "2", to: driver)
    try send("c", id: "2", to: driver)
    try send("b", id: "2", to: driver)
    let letters = try driver.deadLetters()
    #expect(letters.map(\.reason) == ["process", "conflict"])
    #expect(letters.map(\.parks) == [true, false])
    #expect(driver.counters["duplicate"] == 1)
    #expect(driver.counters["held"] == 1)
  }

  @Test("a skipped id is known with its bytes: other bytes under it are a conflict")
  func skip() throws {
    let driver = try driver(conflict: .deadLetter)
    try send("call", id: "1", to: driver)
    #expect(try driver.decide(.skip, 1) == .deadLettered)
    #expect(try driver.decide(.skip, 1) == nil)
    try send("call", id: "1", to: driver)
    try send("else", id: "1", to: driver)
    #expect(
      driver.counters == [
        "consumed": 3, "deadLettered": 2, "deadLettered{skipped}": 1, "duplicate": 1,
        "deadLettered{conflict}": 1,
      ])
  }

  @Test("whether an event is ahead is judged whenever it runs; its time is the stream's then")
  func ahead() throws {
    let builder = StreamsBuilder("ahead")
    var types = EventTypes<JSONView, String>(unknownType: .ignore)
    for name in ["NEW", "ADD"] { types = types.on(name) { _, _ in name } }
    builder.events("in", format: JSONFormat(), types: types, eventTime: .occurredAt)
      .project(named: "times", as: StringSerde(), missing: .holdUntilCreated) {
        row, type, context in
        if type == "ADD", row == nil { return .missing() }
        return .put((row ?? "") + "\(context.timestamp.milliseconds),")
      }.view()
    let driver = try TopologyTestDriver(try builder.build())
    func send(_ type: String, _ time: String, at milliseconds: Int64) throws {
      try driver.send(
        "{\"occurredAt\":\"\(time)\"}", key: "k", headers: ["eventType": type, "eventId": type],
        at: Timestamp(milliseconds: milliseconds), to: "in")
    }
    try send("ADD", "2170-01-01T00:00:00Z", at: 1_000)
    #expect(driver.counters == ["consumed": 1, "held": 1, "ahead": 1])
    try driver.crash()
    try send("NEW", "1970-01-01T00:00:05Z", at: 5_000)
    #expect(try driver.row("times", key: "k") == "5000,5000,")
    #expect(driver.counters == ["consumed": 2, "applied": 2, "ahead": 1])
  }

  @Test("one that is ahead and dies is counted as ahead, once")
  func aheadAndDead() throws {
    let builder = StreamsBuilder("ahead")
    let types = EventTypes<JSONView, String>(unknownType: .ignore)
      .on("BAD") { _, _ in throw Failure(description: "bad") }
    builder.events(
      "in", format: JSONFormat(), types: types, eventTime: .occurredAt,
      policies: SourcePolicies(decode: .deadLetter.retrying(2))
    ).groupByKey().count(named: "counts").view()
    let driver = try TopologyTestDriver(try builder.build())
    try driver.send(
      "{\"occurredAt\":\"2170-01-01T00:00:00Z\"}", key: "k", headers: ["eventType": "BAD"],
      at: Timestamp(milliseconds: 1), to: "in")
    try driver.retryDeadLetters()
    #expect(driver.counters["ahead"] == 1)
    #expect(driver.counters["deadLettered"] == 1)
  }

  @Test(
    "the dead letter of a firing is outside the sum: tried again, or skipped",
    arguments: [true, false])
  func firing(skips: Bool) throws {
    let world = World()
    let builder = StreamsBuilder("firings")
    let store = builder.store(named: "fired", key: String.self, as: StringSerde())
    let _: KStream<String, String> = builder.stream("in", key: StringSerde(), value: StringSerde())
      .process(named: "remind", stores: ["fired"]) { context in
        let rows = context.store(store)
        return Processor(
          onTimer: { key, _ in
            if let trouble = world.trouble { throw Failure(description: trouble) }
            try rows.put(key, "fired")
          },
          process: { key, _ in
            try context.schedule(key, at: context.record.timestamp + .milliseconds(5))
          })
      }
    let driver = try TopologyTestDriver(try builder.build())
    try driver.send("x", key: "a", at: .epoch, to: "in")
    try driver.send("x", key: "b", at: .epoch + .milliseconds(9), to: "in")
    let counters: [String: Int64] = ["consumed": 2, "applied": 2, "firings": 1]
    #expect(driver.counters == counters)
    #expect(try driver.deadLetters().map(\.reason) == ["firing"])
    #expect(try driver.deadLetters().map(\.operatorName) == ["remind"])
    #expect(try driver.decide(.retry, 1) == .deadLettered)
    #expect(try driver.deadLetterNumbers() == [1])
    #expect(driver.counters == counters)
    world.trouble = nil
    #expect(try driver.decide(skips ? .skip : .retry, 1) == (skips ? .deadLettered : .firings))
    #expect(try driver.deadLetters() == [])
    #expect(try driver.rows("fired") == (skips ? [:] : ["a": "fired"]))
    #expect(driver.counters["deadLettered"] == nil)
  }

  @Test("a line of thousands runs each of its records once")
  func longLine() throws {
    let world = World()
    let driver = try driver(world, process: .parkKey)
    try send("call", id: "head", to: driver)
    let count = 4_000
    try driver.append(
      (0..<count).map { number in
        ProducerRecord(
          key: [0x6b], value: Array("x".utf8),
          headers: [Header("eventId", "\(number)")], timestamp: .epoch)
      }, to: "in")
    try driver.run()
    #expect(driver.counters["held"] == Int64(count))
    world.trouble = nil
    let before = driver.units
    try driver.retryDeadLetters()
    #expect(driver.counters == ["consumed": Int64(count) + 1, "applied": Int64(count) + 1])
    #expect(driver.units - before == Int64(count) + 1)
  }
}
