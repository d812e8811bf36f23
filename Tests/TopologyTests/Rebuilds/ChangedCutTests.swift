import Foundation
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// "A changed topology cannot run the old one's operators: …the cut is, in each source partition, the
/// lowest position its receivers have passed, one record less where something is due; where nothing is,
/// the clock, too, is brought to the old's" (DESIGN, "Generations").
@Suite("The cut of a changed topology")
struct ChangedCutTests {
  private let site: OwnerSite

  init() throws { site = try OwnerSite() }

  private func send(_ topic: String, _ records: [(value: String, time: Int64)]) throws {
    _ = try site.log.makeAppender().append(
      records.map {
        ProducerRecord(
          key: Array("a".utf8), value: Array($0.value.utf8),
          headers: [Header("eventId", "\(topic)-\($0.value)")],
          timestamp: Timestamp(milliseconds: $0.time))
      }, to: topic)
  }

  @Test("where something is due its last record is taken again, and what follows from it is sent")
  func due() throws {
    func topology(_ version: Int) throws -> Topology {
      let builder = StreamsBuilder("site")
      builder.stream("in", key: StringSerde(), value: StringSerde())
        .project(
          named: "texts", as: StringSerde(), missing: .holdUntilCreated, version: version
        ) { row, value, _ in
          if value == "create" { return .put("") }
          return row.map { .put($0 + value + ",") } ?? .missing()
        }.view().toStream().to("out", key: StringSerde(), value: StringSerde())
      return try builder.build()
    }
    try site.owner(try topology(1)).run(untilEnd: true)
    try send("in", [("1", 1), ("2", 2), ("create", 3)])
    // It ends when the row is there, and neither of the records that wait for it has been tried.
    let engine = try ManualEngine(
      try topology(1), log: site.log, directory: site.directory, options: RunOptions(),
      clock: VirtualClock(), report: { _ in })
    try engine.process(3)
    try engine.commit()
    #expect(try engine.heldRecords().count == 2)
    engine.close()
    let changed = try topology(2)
    try site.owner(changed).rewind(to: .earliest, RewindOptions())
    #expect(site.reports.all.contains { $0.hasPrefix("task in-0 had something due") })
    try site.owner(changed).run(untilEnd: true)
    #expect(try site.outputs() == ["", "", "1,", "1,2,"])
    #expect(try site.withTasks(changed) { try $0.rows("texts") } == ["a": "1,2,"])
  }

  @Test("where nothing is, the clock is brought to the old one's: what fired does not fire again")
  func clock() throws {
    try site.log.administration?.createTopic(
      "other", partitions: 1, retention: TopicRetention())
    func topology(_ version: Int) throws -> Topology {
      let builder = StreamsBuilder("site")
      var stream = builder.stream("in", key: StringSerde(), value: StringSerde())
      if version == 1 {
        stream = stream.merge(builder.stream("other", key: StringSerde(), value: StringSerde()))
      }
      let seen = builder.store(named: "seen", key: String.self, as: StringSerde())
      let fired: KStream<String, String> = stream.process(
        named: "remind", stores: ["seen"], version: version
      ) { context in
        let store = context.store(seen)
        return Processor(
          onTimer: { key, _ in try context.forward(key, "fired") },
          process: { key, value in
            try store.put(key, value)
            guard value == "timer" else { return }
            try context.schedule(key, at: context.record.timestamp + .milliseconds(50))
          })
      }
      fired.to("out", key: StringSerde(), value: StringSerde())
      return try builder.build()
    }
    try send("in", [("timer", 0)])
    try send("other", [("x", 100)])
    try site.owner(try topology(1)).run(untilEnd: true)
    #expect(try site.outputs() == ["fired"])
    let changed = try topology(2)
    try site.owner(changed).rewind(to: .earliest, RewindOptions())
    try send("in", [("later", 200)])
    try site.owner(changed).run(untilEnd: true)
    #expect(try site.outputs() == ["fired"])
    try verify(changed)
  }

  @Test("where its time has ended it ends: what firings set stays set, and none of them is dead")
  func endOfTime() throws {
    func topology(_ version: Int) throws -> Topology {
      let builder = StreamsBuilder("site")
      let fired: KStream<String, String> = builder.stream(
        "in", key: StringSerde(), value: StringSerde()
      ).process(named: "remind", stores: [], version: version) { context in
        func remind(_ key: String, after time: Timestamp) throws {
          try context.schedule(key, at: time + .milliseconds(50))
        }
        return Processor(
          onTimer: { key, time in
            try context.forward(key, "fired")
            try remind(key, after: time)
          },
          process: { key, _ in try remind(key, after: context.record.timestamp) })
      }
      fired.to("out", key: StringSerde(), value: StringSerde())
      return try builder.build()
    }
    try send("in", [("timer", 0)])
    try site.owner(try topology(1)).run(untilEnd: true, endsTime: true)
    #expect(try site.outputs() == ["fired"])
    let changed = try topology(2)
    try site.owner(changed).rewind(to: .earliest, RewindOptions())
    try site.owner(changed).run(untilEnd: true)
    #expect(try site.outputs() == ["fired"])
    try site.withTasks(changed) { engine in
      let letters = try engine.deadLetters()
      #expect(letters.isEmpty)
      #expect(engine.counters["firings"] == 1)
    }
    try verify(changed)
  }

  private func verify(_ topology: Topology) throws {
    let verification = StateVerification(
      topology, site.directory, log: site.log, options: RunOptions(), clock: SystemWallClock(),
      canonical: { $0 })
    #expect(try verification.run().allSatisfy(\.isEqual))
  }

  @Test("outputs of what was dead or waited in the old generation are sent, and of nothing else")
  func keptUnits() throws {
    func topology(_ version: Int, _ failures: Int, _ missing: MissingRowPolicy) throws -> Topology {
      let outage = FailingTimes(failures)
      let builder = StreamsBuilder("site")
      builder.stream("in", key: StringSerde(), value: StringSerde())
        .project(named: "texts", as: StringSerde(), missing: missing, version: version) {
          row, value, _ in
          if value.hasPrefix("call"), outage.next() { throw Boom() }
          if value == "update" { return .missing(partial: value) }
          return .put(value)
        }.view().toStream().to("out", key: StringSerde(), value: StringSerde())
      return try builder.build()
    }
    try send("in", [("x", 1), ("call-1", 2), ("y", 3), ("call-2", 4), ("update", 5), ("z", 6)])
    let old = try topology(1, 2, .holdUntilCreated)
    try site.owner(old).run(untilEnd: true)
    // One of the dead ones is retried, and was sent then.
    func retry() throws {
      let engine = try ManualEngine(
        old, log: site.log, directory: site.directory, options: RunOptions(),
        clock: VirtualClock(), report: { _ in })
      defer { engine.close() }
      let dead = try engine.tasks[0].state.deadLetters.numbers(after: 0, limit: 1)
      #expect(try engine.decide(.retry, try #require(dead.first)) == .applied)
      try engine.run(commitEvery: 10)
    }
    try retry()
    #expect(try site.outputs() == ["x", "y", "z", "call-1"])
    let changed = try topology(2, 0, .upsert)
    try site.owner(changed).rewind(to: .earliest, RewindOptions())
    try site.owner(changed).run(untilEnd: true)
    #expect(try site.outputs() == ["x", "y", "z", "call-1", "call-2", "update"])
    // Sent once: neither the next start nor the next rebuild sends it again.
    try site.owner(changed).run(untilEnd: true)
    try site.owner(changed).rewind(to: .earliest, RewindOptions())
    try site.owner(changed).run(untilEnd: true)
    #expect(try site.outputs().count == 6)
  }
}
