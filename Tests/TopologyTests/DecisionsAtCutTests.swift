import Foundation
import StateStore
import StreamCore
import Synchronization
import Testing
import Topology
import TopologyTesting

/// What operators had decided is done again at a rebuild's cut; what a state says of itself is there.
@Suite("Decisions at the cut")
struct DecisionsAtCutTests {
  private let site: OwnerSite

  init() throws { site = try OwnerSite() }

  private func topology(
    _ version: Int, _ outage: FailingTimes, _ policy: ErrorPolicy = .deadLetter,
    seen: @escaping @Sendable (String) -> Void = { _ in }
  ) throws -> Topology {
    let builder = StreamsBuilder("site")
    let source = builder.stream(
      "in", key: StringSerde(), value: StringSerde(), policies: SourcePolicies(process: policy))
    source.project(named: "texts", as: StringSerde(), missing: .upsert, version: version) {
      row, value, _ in
      if value == "call", outage.next() { throw Boom() }
      seen(value)
      return .put((row ?? "") + value + ",")
    }.view()
    return try builder.build()
  }

  private static let always = FailingTimes(.max)

  private func send(_ records: [(id: String, value: String)]) throws {
    let start = try site.log.offsets(of: TopicPartition("in", 0)).upperBound
    _ = try site.log.makeAppender().append(
      records.enumerated().map { index, record in
        ProducerRecord(
          key: Array("a".utf8), value: Array(record.value.utf8),
          headers: [Header("eventId", record.id)],
          timestamp: Timestamp(milliseconds: start + Int64(index)))
      }, to: "in")
  }

  private func rebuild(_ topology: Topology, fromEmpty: Bool = false) throws {
    var options = RewindOptions()
    options.fromEmpty = fromEmpty
    try site.owner(topology).rewind(to: .earliest, options)
  }

  private func check(
    _ topology: Topology, row: String, dead: Int, held: Int = 0, verifies: Bool = true,
    at location: SourceLocation = #_sourceLocation
  ) throws {
    try site.withTasks(topology) { engine in
      let (rows, letters) = (try engine.rows("texts"), try engine.deadLetters())
      #expect(rows == (row.isEmpty ? [:] : ["a": row]), sourceLocation: location)
      #expect(letters.count == dead, sourceLocation: location)
      #expect(try engine.heldRecords().count == held, sourceLocation: location)
    }
    guard verifies else { return }
    let verification = StateVerification(
      topology, site.directory, log: site.log, options: RunOptions(), clock: SystemWallClock(),
      canonical: { $0 })
    #expect(try verification.run().allSatisfy(\.isEqual), sourceLocation: location)
  }

  @Test("a meta.json cut in its list of tasks is refused")
  func metaCut() throws {
    let two = try OwnerSite(partitions: 2)
    try two.send(["a", "b", "c", "d"])
    let builder = StreamsBuilder("site")
    builder.stream("in", key: StringSerde(), value: StringSerde()).groupByKey()
      .count(named: "counts").view()
    let topology = try builder.build()
    try two.owner(topology).run(untilEnd: true)
    let path = "\(two.directory.directory(of: 1))/meta.json"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let cut = try #require(text.range(of: "in-0"))
    try String(text[..<cut.lowerBound]).write(toFile: path, atomically: true, encoding: .utf8)
    try FileManager.default.removeItem(atPath: "\(two.directory.directory(of: 1))/in-1")
    #expect(throws: StoreError.self) { try two.owner(topology).run(untilEnd: true) }
  }

  @Test("a `current` that names a generation that is not there is refused")
  func currentDangling() throws {
    try send([("1", "x")])
    let topology = try topology(1, Self.always)
    try site.owner(topology).run(untilEnd: true)
    try site.directory.setCurrent(9)
    #expect(throws: (any Error).self) { try site.owner(topology).run(untilEnd: true) }
  }

  @Test("a stop is heard while a line is run at the cut")
  func stopInLine() throws {
    let count = 3_000
    try send(
      [("0", "call")] + (1...count).map { ("\($0)", "y\($0)") })
    let old = try topology(1, FailingTimes(1), .parkKey)
    try site.owner(old).run(untilEnd: true)
    try site.withTasks(old) { try $0.retryDeadLetters() }
    let seen = Mutex(0)
    let stopper = Mutex<(@Sendable () -> Void)?>(nil)
    let changed = try topology(2, FailingTimes(1), .parkKey) { value in
      seen.withLock { $0 += 1 }
      if value == "y10" { stopper.withLock { $0?() } }
    }
    let owner = try site.owner(changed) { $0.budget.records = 100 }
    stopper.withLock { $0 = owner.stopper }
    #expect(throws: (any Error).self) {
      try owner.rewind(to: .earliest, RewindOptions())
    }
    #expect(seen.withLock { $0 } < 1_500)
  }

  private func perCall(_ version: Int, _ outages: [String: FailingTimes], _ policy: ErrorPolicy)
    throws -> Topology
  {
    let builder = StreamsBuilder("site")
    let source = builder.stream(
      "in", key: StringSerde(), value: StringSerde(), policies: SourcePolicies(process: policy))
    source.project(named: "texts", as: StringSerde(), missing: .upsert, version: version) {
      row, value, _ in
      if outages[value]?.next() == true { throw Boom() }
      return .put((row ?? "") + value + ",")
    }.view()
    return try builder.build()
  }

  @Test("each of a line that was retried is retried at the cut")
  func chain() throws {
    func once() -> [String: FailingTimes] { ["call1": FailingTimes(1), "call2": FailingTimes(1)] }
    try send([("1", "x"), ("2", "call1"), ("3", "y"), ("4", "call2"), ("5", "z")])
    let old = try perCall(1, once(), .parkKey)
    try site.owner(old).run(untilEnd: true)
    try site.withTasks(old) { try $0.retryDeadLetters() }
    try site.withTasks(old) { try $0.retryDeadLetters() }
    try check(old, row: "x,call1,y,call2,z,", dead: 0)
    let changed = try perCall(2, once(), .parkKey)
    try rebuild(changed)
    try check(changed, row: "x,call1,y,call2,z,", dead: 0)
  }

  @Test("what was skipped stays so after the state is removed and continued", arguments: [1, 2])
  func removedState(generations: Int) throws {
    func make(_ version: Int) throws -> Topology {
      let builder = StreamsBuilder("site")
      let source = builder.stream("in", key: StringSerde(), value: StringSerde())
      source.project(named: "texts", as: StringSerde(), missing: .upsert, version: version) {
        row, value, _ in
        if value == "call" { throw Boom() }
        return .put((row ?? "") + value + ",")
      }.view().toStream().to("out", key: StringSerde(), value: StringSerde())
      return try builder.build()
    }
    try send([("1", "x"), ("2", "call"), ("3", "y")])
    let old = try make(1)
    try site.owner(old).run(untilEnd: true)
    try site.withTasks(old) { try $0.skipDeadLetters() }
    try site.owner(old).run(untilEnd: true)
    var last = old
    if generations == 2 {
      last = try make(2)
      try rebuild(last)
      try site.owner(last).run(untilEnd: true)
      try check(last, row: "x,y,", dead: 0)
    }
    try send([("4", "z")])
    try site.owner(last).run(untilEnd: true)
    try FileManager.default.removeItem(atPath: site.root)
    try site.owner(last) { $0.outputs = .continue }.run(untilEnd: true)
    try check(last, row: "x,y,z,", dead: 0)
    let changed = try make(3)
    try rebuild(changed)
    try site.owner(changed).run(untilEnd: true)
    try check(changed, row: "x,y,z,", dead: 0)
  }

  @Test("a long line run at the cut verifies, and is committed in steps")
  func longLine() throws {
    let count = 3_000
    try send([("0", "call")] + (1...count).map { ("\($0)", "y") })
    let old = try topology(1, FailingTimes(1), .parkKey)
    try site.owner(old).run(untilEnd: true)
    try site.withTasks(old) { try $0.retryDeadLetters() }
    let changed = try topology(2, FailingTimes(1), .parkKey)
    try site.owner(changed) { $0.budget.records = 100 }.rewind(to: .earliest, RewindOptions())
    let row = "call," + String(repeating: "y,", count: count)
    try check(changed, row: row, dead: 0)
  }

  private func reminding(_ version: Int, _ outage: FailingTimes, after: Int) throws -> Topology {
    let builder = StreamsBuilder("site")
    let texts = builder.store(named: "texts", key: String.self, as: StringSerde())
    let fired: KStream<String, String> = builder.stream(
      "in", key: StringSerde(), value: StringSerde()
    ).process(named: "remind", stores: ["texts"], version: version) { context in
      let store = context.store(texts)
      return Processor(
        onTimer: { key, _ in
          try store.put(key, (try store.get(key) ?? "") + "fired,")
          try context.forward(key, "fired")
        },
        process: { key, value in
          if value == "call", outage.next() { throw Boom() }
          try store.put(key, (try store.get(key) ?? "") + value + ",")
          if value == "call" {
            try context.schedule(key, at: context.record.timestamp + .milliseconds(after))
          }
        })
    }
    fired.to("out", key: StringSerde(), value: StringSerde())
    return try builder.build()
  }

  private func verify(_ topology: Topology) throws {
    let verification = StateVerification(
      topology, site.directory, log: site.log, options: RunOptions(), clock: SystemWallClock(),
      canonical: { $0 })
    #expect(try verification.run().allSatisfy(\.isEqual))
  }

  @Test("a timer set by what is retried at the cut fires there, in silence")
  func timerAtCut() throws {
    try send([("1", "call"), ("2", "b"), ("3", "c"), ("4", "d")])
    let old = try reminding(1, FailingTimes(1), after: 1)
    try site.owner(old).run(untilEnd: true)
    try site.withTasks(old) { try $0.retryDeadLetters() }
    try site.owner(old).run(untilEnd: true)
    #expect(try site.outputs() == ["fired"])
    let changed = try reminding(2, FailingTimes(1), after: 1)
    try rebuild(changed)
    try verify(changed)
    try site.owner(changed).run(untilEnd: true)
    #expect(try site.outputs() == ["fired"])
    try verify(changed)
  }

  @Test("a task whose data.mdb is gone is refused", arguments: ["gone", "empty"])
  func dataGone(how: String) throws {
    try send([("1", "x"), ("2", "call"), ("3", "y")])
    let topology = try topology(1, Self.always)
    try site.owner(topology).run(untilEnd: true)
    try site.withTasks(topology) { try $0.skipDeadLetters() }
    let path = site.directory.task(1, try #require(TaskName(parsing: "in-0"))) + "/data.mdb"
    try FileManager.default.removeItem(atPath: path)
    if how == "empty" { _ = FileManager.default.createFile(atPath: path, contents: nil) }
    #expect(throws: StoreError.self) { try site.owner(topology).run(untilEnd: true) }
  }

  @Test("a copy for reading that is rewound stays one and disturbs nobody")
  func rewoundCopy() throws {
    let topology = try OwnerSite.counting()
    let other = site.root + "-b"
    defer { try? FileManager.default.removeItem(atPath: other) }
    try site.send(["a", "b", "c"])
    try site.owner(topology).run(untilEnd: true)
    try site.owner(topology, root: other) { $0.outputs = OutputChoice.none }.run(untilEnd: true)
    try site.owner(topology, root: other) { $0.outputs = OutputChoice.none }
      .rewind(to: .earliest, RewindOptions())
    try site.send(["d"])
    #expect(throws: (any Error).self) {
      try site.owner(topology, root: other).run(untilEnd: true)
    }
    #expect(try site.outputs().sorted() == ["a", "b", "c"])
    try site.owner(topology).run(untilEnd: true)
    #expect(try site.outputs().sorted() == ["a", "b", "c", "d"])
  }
}
