import Foundation
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// DESIGN, "The journal": the end of time (`--final`): windows close, timers fire, those set by
/// firings stay set; what comes later is late.
@Suite("End of time")
struct EndOfTimeTests {
  /// Each record sets a timer 100 ms behind it, and each firing another one behind that. What a timer
  /// forwards says at which stream time.
  private static func topology(
    _ fire: @escaping @Sendable (Timestamp) throws -> Void = { _ in }
  ) throws -> Topology {
    let builder = StreamsBuilder("ending")
    let streams = ["left", "right"].map {
      builder.stream($0, key: StringSerde(), value: StringSerde())
    }
    let both = streams[0].merge(streams[1], named: "both")
    both.groupByKey().count(named: "counts").view()
    both.process(named: "remind") { (context: ProcessorContext<String, String>) in
      func now() -> String { context.record.streamTime.map { "\($0.milliseconds)" } ?? "never" }
      return Processor(
        onTimer: { key, time in
          try fire(time)
          try context.schedule(key, at: time + .milliseconds(100))
          try context.forward(key, "\(time.milliseconds) at \(now())")
        },
        process: { key, value in
          if value == "cancel" {
            try context.cancelTimer(key, at: context.record.timestamp)
          } else {
            try context.schedule(key, at: context.record.timestamp + .milliseconds(100))
          }
          try context.forward(key, "record at \(now())")
        })
    }
    .to("out", key: StringSerde(), value: StringSerde())
    return try builder.build()
  }

  private func send(
    _ key: String, _ time: Int64, value: String = "x", to topic: String = "left",
    _ driver: TopologyTestDriver
  ) throws {
    try driver.send(value, key: key, at: Timestamp(milliseconds: time), to: topic)
  }

  private func outputs(_ driver: TopologyTestDriver) throws -> [String] {
    try driver.output("out").map { String(decoding: $0.value ?? [], as: UTF8.self) }
  }

  private static let end = Timestamp.latest.milliseconds

  @Test("what is set fires at its time, what firings set stays set, and what comes later is late")
  func ends() throws {
    let driver = try TopologyTestDriver(try Self.topology())
    try send("a", 10, driver)
    try send("b", 20, to: "right", driver)
    try driver.endTime()
    let ended = ["record at 10", "record at 20", "110 at 110", "120 at 120"]
    #expect(try outputs(driver) == ended)
    // Time has ended, so it does not end again.
    try driver.endTime()
    try driver.crash()
    try driver.run()
    #expect(try outputs(driver) == ended)
    // A record sets a timer that is past, so it fires; what that sets stays set.
    try send("c", 1_000, driver)
    let late = ended + ["record at \(Self.end)", "1100 at \(Self.end)"]
    #expect(try outputs(driver) == late)
    #expect(driver.counters["firings"] == 3 && driver.counters["deadLettered"] ?? 0 == 0)
    // What stays set can be cancelled.
    #expect(try timers(driver) == 3)
    try send("a", 210, value: "cancel", driver)
    #expect(try timers(driver) == 2)
  }

  private func timers(_ driver: TopologyTestDriver) throws -> Int64? {
    let task = StateDirectory(root: driver.directory, topology: "ending")
      .task(1, TaskName(subTopology: "left", partition: 0))
    return try StateReader.open(task).read { try $0.words()["timers.count"] }
  }

  @Test("it ends in a task without timers, and in one whose timers lie beyond the calendar")
  func boundaries() throws {
    let driver = try TopologyTestDriver(try Self.topology())
    try driver.endTime()
    try send("a", 10, driver)
    #expect(try outputs(driver) == ["record at \(Self.end)", "110 at \(Self.end)"])
    let other = try TopologyTestDriver(try Self.topology())
    try send("a", Self.end, other)
    try other.endTime()
    #expect(
      try outputs(other) == ["record at \(Self.end)", "\(Self.end + 100) at \(Self.end + 100)"])
  }

  @Test("a start goes on with an end that was cut off", arguments: 0..<5)
  func cutOff(units: Int) throws {
    let driver = try TopologyTestDriver(try Self.topology(), commitEvery: 1)
    for (number, key) in ["a", "b", "c"].enumerated() { try send(key, Int64(number), driver) }
    try driver.endTime(units: units)
    try driver.crash()
    if units == 0 { try driver.endTime() } else { try driver.run() }
    #expect(try outputs(driver).suffix(3) == ["100 at 100", "101 at 101", "102 at 102"])
    try send("d", 50, driver)
    #expect(try outputs(driver).suffix(2) == ["record at \(Self.end)", "150 at \(Self.end)"])
  }

  @Test("a firing that fails at the end of time is a dead letter, and time ends")
  func failing() throws {
    let driver = try TopologyTestDriver(
      try Self.topology { if $0.milliseconds == 110 { throw Boom() } })
    for (key, time) in [("a", 9), ("b", 10)] as [(String, Int64)] { try send(key, time, driver) }
    try driver.endTime()
    #expect(try driver.deadLetters().map(\.reason) == ["firing"])
    try send("c", 0, driver)
    #expect(
      try outputs(driver).suffix(3)
        == ["109 at 109", "record at \(Self.end)", "100 at \(Self.end)"])
  }

  @Test(
    "a run to the end ends time once in each task, journalled: replay and verification follow it",
    arguments: UInt64(0)..<6, [1, 3])
  func followed(seed: UInt64, budget: Int) throws {
    let site = try Site(seed: seed, budget: budget)
    let before = try site.round(10, endsTime: false)
    let ended = try site.round(10, endsTime: true)
    #expect(ended.contains { $0.hasSuffix("at \(Self.end)") } == false)
    #expect(ended.count > before.count + 20)
    #expect(try site.journal().map { $0.filter { $0 == .endOfTime }.count } == [1, 1])
    #expect(try site.isVerified())
    // What comes later is late, and does not end time once more.
    let later = try site.round(10, endsTime: true)
    #expect(later.count(where: { $0 == "record at \(Self.end)" }) == 40)
    #expect(try site.journal().map { $0.filter { $0 == .endOfTime }.count } == [1, 1])
    #expect(try site.isVerified())
    let result = try site.digests()
    try site.owner().rewind(to: .earliest, RewindOptions())
    #expect(try site.digests() == result)
    #expect(try site.outputs() == later)
    #expect(try site.isVerified())
  }

  /// Two partitions of both topics, on which process after process runs to the end.
  private final class Site {
    let log = SimulatedLog()
    let root = NSTemporaryDirectory() + "projector-ending-" + UUID().uuidString
    private var random: SplitMix64
    private let budget: Int
    private let topology: Topology

    init(seed: UInt64, budget: Int) throws {
      random = SplitMix64(seed: seed)
      self.budget = budget
      topology = try EndOfTimeTests.topology()
      for topic in ["left", "right"] {
        try log.administration?.createTopic(topic, partitions: 2, retention: TopicRetention())
      }
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    private var directory: StateDirectory { StateDirectory(root: root, topology: "ending") }

    func owner() throws -> TopologyOwner {
      var options = RunOptions()
      options.threads = 2
      options.budget.records = budget
      return try TopologyOwner(
        topology, stateRoot: root, log: log, options: options, clock: VirtualClock(),
        report: { _ in })
    }

    func round(_ records: Int, endsTime: Bool) throws -> [String] {
      for topic in ["left", "right"] {
        for partition in 0..<2 {
          let records = (0..<records).map { number in
            ProducerRecord(
              key: Array("\(number)".utf8), value: [],
              timestamp: Timestamp(milliseconds: Int64(random.next(upTo: 1_000))),
              partition: partition)
          }
          _ = try log.makeAppender().append(records, to: topic)
        }
      }
      try owner().run(untilEnd: true, endsTime: endsTime)
      return try outputs()
    }

    func outputs() throws -> [String] {
      guard try log.topic("out") != nil else { return [] }
      let reader = try log.makeReader(ReaderOptions())
      defer { reader.close() }
      var values: [String] = []
      let places = (0..<2).map { TopicPartition("out", $0) }
      var positions = Dictionary(uniqueKeysWithValues: places.map { ($0, Offset(0)) })
      try reader.assign(positions)
      while try places.contains(where: {
        try log.offsets(of: $0).upperBound > positions[$0] ?? 0
      }) {
        for batch in try reader.poll(timeout: .zero) {
          values += (0..<batch.count).map {
            String(decoding: batch.record(at: $0).value ?? [], as: UTF8.self)
          }
          positions[batch.topicPartition] = batch.nextOffset
        }
      }
      return values.sorted()
    }

    func journal() throws -> [[JournalEntry.Content]] {
      guard let current = try directory.current() else { return [] }
      return try directory.tasks(of: current).map { task in
        try StateReader.open(directory.task(current, task)).read { try $0.journal() }
          .map { try JournalEntry($0).content }
      }
    }

    func digests() throws -> [String] {
      guard let current = try directory.current() else { return [] }
      let readers = try directory.tasks(of: current).map {
        try StateReader.open(directory.task(current, $0))
      }
      return try StateDigest(topology, canonical: { $0 }).digests(of: readers)
        .map { "\($0.name) \($0.rows) \($0.hexadecimal)" }
    }

    func isVerified() throws -> Bool {
      try StateVerification(
        topology, directory, log: log, options: RunOptions(), clock: VirtualClock(),
        canonical: { $0 }
      ).run().allSatisfy(\.isEqual)
    }
  }
}
