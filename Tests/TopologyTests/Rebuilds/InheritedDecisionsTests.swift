import Foundation
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// "A rebuild of a changed one chooses afresh, but every generation inherits the operators' decisions
/// as a list of units" (DESIGN, "The journal").
@Suite("Inherited decisions")
struct InheritedDecisionsTests {
  private let site: OwnerSite

  init() throws { site = try OwnerSite() }

  /// Appends each value to its key's row; a value `call` fails as often as `outage` says.
  private func topology(
    _ version: Int, _ outage: FailingTimes, _ policy: ErrorPolicy = .deadLetter
  ) throws -> Topology {
    let builder = StreamsBuilder("site")
    let source = builder.stream(
      "in", key: StringSerde(), value: StringSerde(), policies: SourcePolicies(process: policy))
    source.project(named: "texts", as: StringSerde(), missing: .upsert, version: version) {
      row, value, _ in
      if value == "call", outage.next() { throw Boom() }
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
    _ topology: Topology, row: String, dead: Int, held: Int = 0,
    _ counters: [String: Int64] = [:], at location: SourceLocation = #_sourceLocation
  ) throws {
    try site.withTasks(topology) { engine in
      let (rows, letters) = (try engine.rows("texts"), try engine.deadLetters())
      #expect(rows == ["a": row], sourceLocation: location)
      #expect(letters.count == dead, sourceLocation: location)
      #expect(try engine.heldRecords().count == held, sourceLocation: location)
      for (name, count) in counters {
        #expect(engine.counters[name] == count, "\(name)", sourceLocation: location)
      }
    }
    let verification = StateVerification(
      topology, site.directory, log: site.log, options: RunOptions(), clock: SystemWallClock(),
      canonical: { $0 })
    #expect(try verification.run().allSatisfy(\.isEqual), sourceLocation: location)
  }

  @Test(
    "what was skipped is skipped wherever it dies, in each later generation, and its id is known",
    arguments: [ErrorPolicy.deadLetter, .parkKey])
  func skipped(policy: ErrorPolicy) throws {
    try send([("1", "x"), ("2", "call"), ("3", "y")])
    let old = try topology(1, Self.always, policy)
    try site.owner(old).run(untilEnd: true)
    try site.withTasks(old) { try $0.skipDeadLetters() }
    for version in 2...3 {
      let changed = try topology(version, Self.always, policy)
      try rebuild(changed)
      try check(changed, row: "x,y,", dead: 0, ["deadLettered{skipped}": 1, "consumed": 3])
    }
    // The same event again is a duplicate; one of another id dies as ever.
    try send([("2", "call"), ("4", "call")])
    let last = try topology(3, Self.always, policy)
    try site.owner(last).run(untilEnd: true)
    try check(last, row: "x,y,", dead: 1, ["deadLettered{skipped}": 1, "duplicate": 1])
  }

  @Test("a policy that is `fail` now does not stop at what was skipped")
  func skippedUnderFail() throws {
    try send([("1", "x"), ("2", "call"), ("3", "y")])
    let old = try topology(1, Self.always)
    try site.owner(old).run(untilEnd: true)
    try site.withTasks(old) { try $0.skipDeadLetters() }
    let changed = try topology(2, Self.always, .fail)
    try rebuild(changed)
    try check(changed, row: "x,y,", dead: 0, ["deadLettered{skipped}": 1])
  }

  @Test("what a copy has dead that was skipped since is skipped at the cut")
  func skippedBehindCopy() throws {
    try send([("1", "x"), ("2", "call"), ("3", "y")])
    let topology = try topology(1, Self.always)
    try site.owner(topology).run(untilEnd: true)
    try site.owner(topology) { $0.snapshots = SnapshotPolicy(interval: .zero) }
      .run(untilEnd: true)
    let copies = try SnapshotStore(site.directory).numbers()
    #expect(!copies.isEmpty)
    try site.withTasks(topology) { try $0.skipDeadLetters() }
    // Its journal is not the copy's: there the unit was skipped as it died.
    try rebuild(topology, fromEmpty: true)
    try check(topology, row: "x,y,", dead: 0, ["deadLettered{skipped}": 1])
    try site.owner(topology).rewind(to: .offsets([TopicPartition("in", 0): 3]), RewindOptions())
    try check(topology, row: "x,y,", dead: 0, ["deadLettered{skipped}": 1, "consumed": 3])
    #expect(
      site.reports.all.contains {
        $0.contains("was done again at the cut: deadLettered{skipped} 1")
      })
  }

  @Test("what was retried and is dead at the cut is retried there, once", arguments: [1, 2])
  func retried(failures: Int) throws {
    try send([("1", "x"), ("2", "call"), ("3", "y")])
    let old = try topology(1, FailingTimes(1))
    try site.owner(old).run(untilEnd: true)
    try site.withTasks(old) { try $0.retryDeadLetters() }
    try check(old, row: "x,y,call,", dead: 0)
    let changed = try topology(2, FailingTimes(failures))
    try rebuild(changed)
    let isDead = failures == 2
    let row = isDead ? "x,y," : "x,y,call,"
    try check(changed, row: row, dead: isDead ? 1 : 0, ["consumed": 3])
    let fate = isDead ? "deadLettered" : "applied"
    #expect(
      site.reports.all.contains(
        "task in-0: what operators had decided before was done again at the cut: \(fate) 1; late of "
          + "it and of what it fed: 0"))
    // What decides for itself though its lineage is the same inherits as well.
    try rebuild(try topology(2, FailingTimes(1)), fromEmpty: true)
    try check(changed, row: "x,y,call,", dead: 0)
  }

  @Test("what was released and waits at the cut is released there, once")
  func released() throws {
    func holding(_ version: Int) throws -> Topology {
      let builder = StreamsBuilder("site")
      builder.stream("in", key: StringSerde(), value: StringSerde())
        .project(
          named: "texts", as: StringSerde(), missing: .holdUntilCreated, version: version
        ) { row, value, _ in
          if value != "update" { return .put(value + ",") }
          return row.map { .put($0 + "update,") } ?? .missing()
        }.view()
      return try builder.build()
    }
    try send([("1", "update")])
    let old = try holding(1)
    try site.owner(old).run(untilEnd: true)
    try site.withTasks(old) { engine in
      for task in engine.tasks {
        for number in try task.state.held.numbers(after: 0, limit: 10) {
          _ = try task.releaseHeld(number)
        }
        try task.commit()
      }
      #expect(try engine.deadLetters().count == 1)
    }
    let changed = try holding(2)
    try rebuild(changed)
    try site.withTasks(changed) { engine in
      let (held, letters) = (try engine.heldRecords(), try engine.deadLetters())
      #expect(held.isEmpty)
      #expect(letters.count == 1)
    }
  }
}
