import Foundation
import StateStore
import StreamCore
import Testing
import TopologyTesting

@testable import Topology

/// DESIGN, "One clock decides": an idle advance moves a task's stream time on by the monotonic time
/// waited, one step and one journal entry when it makes something due; only time counts in which all
/// its inputs were known to be at their ends by an answer asked after the last fetch.
@Suite("Idle advances")
struct IdleAdvanceTests {
  /// Each record sets a timer a minute behind it.
  private static func topology(
    _ topics: [String] = ["left"], after: Duration? = .seconds(10)
  ) throws -> Topology {
    let builder = StreamsBuilder("idly", idleAdvance: after)
    let streams = topics.map { builder.stream($0, key: StringSerde(), value: StringSerde()) }
    let all = streams.dropFirst().reduce(streams[0]) { $0.merge($1) }
    all.groupByKey().aggregate(into: "", named: "order", as: StringSerde()) { $0 += $1 }.view()
    all.process(named: "remind") { (context: ProcessorContext<String, String>) in
      Processor(
        onTimer: { key, time in
          let now = context.record.streamTime.map { "\($0.milliseconds)" } ?? "never"
          try context.forward(key, "\(time.milliseconds) at \(now)")
        },
        process: { key, _ in try context.schedule(key, at: context.record.timestamp + .minutes(1)) }
      )
    }
    .to("out", key: StringSerde(), value: StringSerde())
    return try builder.build()
  }

  private func send(
    _ time: Int64, key: String = "k", to topic: String = "left", _ driver: TopologyTestDriver
  ) throws {
    try driver.send("\(time) ", key: key, at: Timestamp(milliseconds: time), to: topic)
  }

  private func outputs(_ driver: TopologyTestDriver) throws -> [String] {
    try driver.output("out").map { String(decoding: $0.value ?? [], as: UTF8.self) }
  }

  private func journal(_ driver: TopologyTestDriver) throws -> [JournalEntry.Content] {
    let task = StateDirectory(root: driver.directory, topology: "idly")
      .task(1, TaskName(subTopology: "left", partition: 0))
    return try StateReader.open(task).read { try $0.journal() }.map { try JournalEntry($0).content }
  }

  private func isVerified(_ driver: TopologyTestDriver) throws -> Bool {
    let directory = StateDirectory(root: driver.directory, topology: "idly")
    try directory.setCurrent(1)
    return try StateVerification(
      driver.topology, directory, log: driver.log, options: RunOptions(), clock: driver.clock,
      canonical: { $0 }
    ).run().allSatisfy(\.isEqual)
  }

  /// Lets time pass, and the engine look.
  private func pass(_ duration: Duration, _ driver: TopologyTestDriver) throws {
    driver.clock.advance(by: duration)
    try driver.run()
  }

  @Test("stream time goes on by the time waited, in one step when it makes something due")
  func goesOn() throws {
    let driver = try TopologyTestDriver(try Self.topology())
    try send(1_000, driver)
    for _ in 0..<59 { try pass(.seconds(1), driver) }
    try pass(.milliseconds(999), driver)
    #expect(try outputs(driver) == [])
    #expect(try journal(driver) == [])
    try pass(.milliseconds(1), driver)
    #expect(try outputs(driver) == ["61000 at 61000"])
    #expect(try journal(driver) == [.idleAdvance(to: Timestamp(milliseconds: 61_000))])
    // What the time makes due at once goes in one step; where nothing is due, time stands still.
    try pass(.hours(1), driver)
    try send(62_000, key: "a", driver)
    try send(63_000, key: "b", driver)
    try pass(.minutes(5), driver)
    #expect(try outputs(driver).suffix(2) == ["122000 at 363000", "123000 at 363000"])
    #expect(try journal(driver).count == 2)
    #expect(try isVerified(driver))
  }

  @Test("no time counts before the declared one has passed without a record", arguments: [9, 10])
  func after(seconds: Int64) throws {
    let driver = try TopologyTestDriver(try Self.topology())
    try send(100_000, driver)
    // Due a second behind the first.
    try send(41_000, key: "late", driver)
    for _ in 0..<5 {
      try pass(.seconds(seconds), driver)
      try send(100_000, key: "other", driver)
    }
    #expect(try outputs(driver).isEmpty == (seconds == 9))
  }

  @Test("without the declaration time stands still")
  func undeclared() throws {
    let driver = try TopologyTestDriver(try Self.topology(after: nil))
    try send(1_000, driver)
    for _ in 0..<3 { try pass(.hours(1), driver) }
    #expect(try outputs(driver) == [])
  }

  @Test("the wall clock moves nothing")
  func wallClock() throws {
    let driver = try TopologyTestDriver(try Self.topology())
    try send(1_000, driver)
    driver.clock.set(to: Timestamp(milliseconds: 1_000_000_000))
    try driver.run()
    #expect(try outputs(driver) == [])
  }

  @Test("an outage of the log makes nothing due", arguments: [false, true])
  func outage(isFound: Bool) throws {
    let driver = try TopologyTestDriver(try Self.topology())
    try send(1_000, driver)
    try pass(.seconds(50), driver)
    if isFound {
      driver.log.fail(.offsets, with: LogError(.unreachable, "the brokers are away"))
      try pass(.hours(1), driver)
      // From here on it is known again.
      try pass(.seconds(1), driver)
      #expect(try outputs(driver) == [])
      try pass(.seconds(59), driver)
      #expect(try outputs(driver) == [])
      try pass(.seconds(1), driver)
    } else {
      try pass(.seconds(10), driver)
    }
    #expect(try outputs(driver) == ["61000 at 61000"])
  }

  @Test("no time counts while an input is not known to be at its end")
  func notAtEnd() throws {
    let driver = try TopologyTestDriver(try Self.topology(["left", "right"]))
    let right = TopicPartition("right", 0)
    try send(1_000, driver)
    // Its end is known, and a record behind what is fetched.
    driver.log.withhold(right, from: 0)
    try send(2_000, to: "right", driver)
    for _ in 0..<4 { try pass(.minutes(1), driver) }
    #expect(try outputs(driver) == [])
    driver.log.withhold(right, from: nil)
    try driver.run()
    #expect(try driver.row("order", key: "k") == "1000 2000 ")
    try pass(.minutes(1), driver)
    #expect(try outputs(driver) == ["61000 at 62000", "62000 at 62000"])
  }

  @Test("a log that answers late vouches for no time that its answer took")
  func slowAnswer() {
    func time(_ seconds: Int64) -> MonotonicTime {
      MonotonicTime(nanoseconds: seconds * 1_000_000_000)
    }
    var idle = IdleAdvance(after: .seconds(10))
    idle.note(isAtEnd: true, asked: time(0), answered: time(100))
    idle.note(isAtEnd: true, asked: time(101), answered: time(200))
    #expect(idle.reach(from: .epoch) == nil)
    idle.note(isAtEnd: true, asked: time(209), answered: time(209))
    #expect(idle.reach(from: .epoch) == Timestamp(milliseconds: 10_000))
    #expect(idle.reach(from: nil) == nil)
    #expect(idle.reach(from: .latest) == .latest)
    idle.take()
    #expect(idle.reach(from: .epoch) == nil)
    idle.note(isAtEnd: true, asked: time(219), answered: time(219))
    idle.note(isAtEnd: false, asked: time(220), answered: time(220))
    #expect(idle.reach(from: .epoch) == nil)
  }

  @Test(
    "whatever it decides is followed by replays, crashes between",
    arguments: UInt64(0)..<6, [1, 3, 100])
  func followed(seed: UInt64, commitEvery: Int) throws {
    var random = SplitMix64(seed: seed)
    let driver = try TopologyTestDriver(
      try Self.topology(["left", "right"], after: .seconds(5)), commitEvery: commitEvery)
    var time: Int64 = 1_000_000
    for _ in 0..<40 {
      time += Int64(random.next(upTo: 60_000))
      let late = Int64(random.next(upTo: 3) == 0 ? random.next(upTo: 200_000) : 0)
      try send(
        time - late, key: "\(random.next(upTo: 5))",
        to: random.next(upTo: 2) == 0 ? "left" : "right", driver)
      for _ in 0..<random.next(upTo: 4) {
        try pass(.milliseconds(Int64(random.next(upTo: 40_000))), driver)
      }
      if random.next(upTo: 8) == 0 { try driver.crash() }
    }
    #expect(
      try journal(driver).filter { if case .idleAdvance = $0 { true } else { false } }.count > 3)
    #expect(try outputs(driver).count > 10)
    #expect(try isVerified(driver))
  }

  @Test("a loop asks where the log ends while something may become due")
  func loop() throws {
    let driver = try TopologyTestDriver(try Self.topology())
    try driver.append(
      [ProducerRecord(key: [0x6b], value: [], timestamp: .epoch)], to: "left")
    let directory = NSTemporaryDirectory() + "projector-idly-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var options = RunOptions()
    options.publishes = false
    let engine = try ManualEngine(
      driver.topology, log: driver.log,
      directory: StateDirectory(root: directory, topology: "idly"),
      options: options, clock: driver.clock, report: { _ in })
    defer { engine.close() }
    let buffers = FetchBuffers(bytesMax: .max)
    let reader = try driver.log.makeReader(ReaderOptions())
    defer { reader.close() }
    try reader.assign([TopicPartition("left", 0): 0])
    let ends = EndsWatch(driver.log, clock: driver.clock)
    var commits = 0
    let loop = TaskLoop(
      engine.tasks.map { ($0, nil) }, buffers: buffers,
      fetch: FetchLoop(reader: reader, buffers: buffers), budget: IntervalBudget(),
      clock: driver.clock, ends: ends
    ) { _ in commits += 1 }
    func firings() -> Int64 { engine.counters["firings"] ?? 0 }
    for batch in try reader.poll(timeout: .zero) { _ = buffers.push(batch) }
    while try loop.turn() {}
    #expect(firings() == 0)
    #expect(commits == 1)
    for (seconds, fired) in [(0, 0), (30, 0), (30, 1), (600, 1)] as [(Int64, Int64)] {
      driver.clock.advance(by: .seconds(seconds))
      ends.round()
      while try loop.turn() {}
      #expect(firings() == fired)
      // Nothing wakes it until there is an answer.
      #expect(loop.pause == nil)
    }
    #expect(commits == 2)
  }

  @Test("a process goes on idly, and is verified")
  func process() throws {
    let (topology, log, clock) = (try Self.topology(), SimulatedLog(), VirtualClock())
    try log.administration?.createTopic("left", partitions: 2, retention: TopicRetention())
    let root = NSTemporaryDirectory() + "projector-idly-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: root) }
    _ = try log.makeAppender().append(
      (0..<2).map {
        ProducerRecord(key: [0x6b], value: [], timestamp: .epoch, partition: $0)
      }, to: "left")
    let directory = StateDirectory(root: root, topology: "idly")
    // A run to the end waits for nothing.
    try TopologyOwner(
      topology, stateRoot: root, log: log, options: RunOptions(), clock: clock, report: { _ in }
    ).run(untilEnd: true)
    func sent() throws -> Int {
      try (0..<2).reduce(0) { try $0 + log.offsets(of: TopicPartition("out", $1)).count }
    }
    #expect(try sent() == 0)
    do {
      let owner = try TopologyOwner(
        topology, stateRoot: root, log: log, options: RunOptions(), clock: clock,
        report: { _ in })
      let running = Background { try owner.run(untilEnd: false) }
      while try sent() < 2, !running.hasEnded { clock.advance(by: .milliseconds(1)) }
      owner.stop()
      try running.join()
    }
    #expect(try sent() == 2)
    let comparisons = try StateVerification(
      topology, directory, log: log, options: RunOptions(), clock: clock, canonical: { $0 }
    ).run()
    #expect(comparisons.allSatisfy { $0.isEqual })
  }

  @Test("describe names it; one below zero is refused")
  func declared() throws {
    let text = try Self.topology().describe()
    #expect(text.contains("\n  Idle advance: after 10s\n"))
    #expect(try Self.topology().json().hasSuffix("\"idleAdvance\":\"10s\"}"))
    let error = #expect(throws: TopologyError.self) { try Self.topology(after: .seconds(-1)) }
    #expect(
      error?.problems.map(\.message) == ["'idly' goes on idly after less than no time; correct it"])
  }
}
