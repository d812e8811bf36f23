import Foundation
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// DESIGN, "Generations, snapshots, commands": requests are files with an id, held by their asker
/// until it has its reply; each has its effect once, and none ends the owner.
@Suite("Requests")
struct RequestTests {
  private func files(_ site: OwnerSite) throws -> [String] {
    try StateDirectory.entries(site.directory.requests).sorted()
  }

  @Test("what cannot be read is reported once and passed over")
  func unreadable() throws {
    let site = try OwnerSite()
    let topology = try OwnerSite.counting()
    let owner = try site.owner(topology)
    let running = Background { try owner.run(untilEnd: false) }
    let requests = site.directory.requests
    try FileManager.default.createDirectory(
      atPath: "\(requests)/x.request", withIntermediateDirectories: true)
    let reply = try running.answer(try site.ask("r1", "retry"))
    #expect(reply == Reply(.done, "no dead letters"))
    #expect(try running.answer(try site.ask("r2", "retry"))?.succeeded == true)
    try site.send(["a"])
    while try site.outputs().isEmpty, !running.hasEnded {}
    #expect(!running.hasEnded)
    owner.stop()
    try running.join()
    #expect(
      site.reports.all.filter { $0.contains("passed over") }
        == ["the request 'x.request' is passed over: it is no file"])
  }

  @Test("one that nobody holds is removed and not carried out, with all that lies beside it")
  func abandoned() throws {
    let site = try OwnerSite()
    let topology = try OwnerSite.counting()
    let requests = site.directory.requests
    try FileManager.default.createDirectory(
      atPath: requests, withIntermediateDirectories: true)
    let text = "verb\trewind\nargument.to\tearliest\nargument.lineage\t\(topology.fingerprint)\n"
    for name in ["a.request", "b.request.new", "c.reply", "d.reply.new"] {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(requests)/\(name)"))
    }
    try site.owner(topology).run(untilEnd: true)
    #expect(try files(site) == [])
    #expect(try site.directory.generations() == [1])
  }

  @Test("an asker's files go with it, answered or not")
  func withdrawn() throws {
    let site = try OwnerSite()
    do {
      let asked = try site.ask("r1", "retry")
      #expect(try files(site) == ["r1.request"])
      #expect(try asked.answer() == nil)
    }
    #expect(try files(site) == [])
    let owner = try site.owner(try OwnerSite.counting())
    let running = Background { try owner.run(untilEnd: false) }
    do { #expect(try running.answer(try site.ask("r1", "retry"))?.succeeded == true) }
    owner.stop()
    try running.join()
    #expect(try files(site) == [])
  }

  @Test(
    "an unknown verb, ids that are none, and those of tasks that are elsewhere",
    arguments: [
      ("fly", [:], Reply.Outcome.failed), ("retry", ["ids": "in-0"], .failed),
      ("retry", ["ids": "in-1-1"], .refused), ("rewind", ["to": "earliest"], .refused),
      ("rewind", ["to": "earliest", "lineage": "another"], .refused),
    ] as [(String, [String: String], Reply.Outcome)])
  func refused(verb: String, arguments: [String: String], outcome: Reply.Outcome) throws {
    let site = try OwnerSite(partitions: 2)
    let owner = try site.owner(try OwnerSite.counting()) { $0.partitions = [0] }
    let running = Background { try owner.run(untilEnd: false) }
    #expect(try running.answer(try site.ask("r1", verb, arguments))?.outcome == outcome)
    owner.stop()
    try running.join()
    #expect(try site.directory.generations() == [1])
  }

  // MARK: Many dead letters

  /// Fails until it is healed, then counts.
  private func failing(_ healed: Flag, _ seen: Counting = Counting()) throws -> Topology {
    let builder = StreamsBuilder("site")
    builder.stream("in", key: StringSerde(), value: StringSerde())
      .filter(named: "fails") { _, _ in
        seen.next()
        if !healed.isSet { throw Boom() }
        return true
      }
      .groupByKey().count(named: "counts").view()
    return try builder.build()
  }

  private func commits(_ site: OwnerSite) throws -> Int64 {
    let path = site.directory.task(1, TaskName(subTopology: "in", partition: 0))
    return try StateReader.open(path).read { try $0.words()["commits"] ?? 0 }
  }

  @Test("a retry of many goes by intervals of the usual size")
  func intervals() throws {
    let site = try OwnerSite()
    let healed = Flag()
    let topology = try failing(healed)
    try site.send((0..<2_000).map { "v\($0)" })
    try site.owner(topology).run(untilEnd: true)
    healed.set()
    let before = try commits(site)
    let owner = try site.owner(topology) { $0.budget.records = 500 }
    let running = Background { try owner.run(untilEnd: false) }
    let reply = try running.answer(try site.ask("r1", "retry"))
    #expect(reply == Reply(.done, "retried: applied 2000"))
    owner.stop()
    try running.join()
    #expect(try commits(site) >= before + 4)
  }

  @Test("it ends between two steps once its asker has gone, and what was done stays")
  func cancelled() throws {
    let site = try OwnerSite()
    let (healed, seen, gate) = (Flag(), Counting(), Gate())
    let builder = StreamsBuilder("site")
    builder.stream("in", key: StringSerde(), value: StringSerde())
      .filter(named: "fails") { _, _ in
        if !healed.isSet { throw Boom() }
        if seen.next() == 10 { gate.pass() }
        return true
      }
      .groupByKey().count(named: "counts").view()
    let topology = try builder.build()
    try site.send((0..<1_000).map { "v\($0)" })
    try site.owner(topology).run(untilEnd: true)
    healed.set()
    let owner = try site.owner(topology)
    let running = Background { try owner.run(untilEnd: false) }
    var asked: AskedRequest? = try site.ask("r1", "retry")
    while gate.waiting == 0, !running.hasEnded { #expect(try asked?.answer() == nil) }
    asked = nil
    // The owner has heard of it once it has looked at a later request.
    let later = try site.ask("r2", "none")
    #expect(try running.answer(later)?.outcome == .failed)
    gate.open()
    // Work of one task goes one after the other: this one comes when that has ended.
    let last = try site.ask("r3", "retry", ["ids": "in-0-100000"])
    #expect(try running.answer(last) == Reply(.done, "retried: not found 1"))
    #expect(seen.count == 10)
    owner.stop()
    try running.join()
    try site.withTasks(topology) { engine in
      #expect(engine.counters["applied"] == 10)
      #expect(engine.counters["deadLettered"] == 990)
    }
  }

  @Test("one that a crash cut short goes on where its last commit left it")
  func resumed() throws {
    let site = try OwnerSite()
    let (healed, seen) = (Flag(), Counting())
    let topology = try failing(healed, seen)
    try site.send((0..<300).map { "v\($0)" })
    try site.owner(topology).run(untilEnd: true)
    let before = seen.count
    // Each fails again, and comes back under a new number.
    for _ in 0..<2 {
      let owner = try site.owner(try failing(healed, seen))
      seen.at(seen.count + 100, owner.stopper)
      #expect(throws: TaskError.self) {
        _ = try owner.carryOut(Request(id: "r1", verb: "retry", arguments: [:]))
      }
    }
    #expect(seen.count == before + 200)
    let owner = try site.owner(topology)
    let reply = try owner.carryOut(Request(id: "r1", verb: "retry", arguments: [:]))
    #expect(reply.succeeded)
    #expect(seen.count == before + 300, "none is tried twice")
    #expect(
      try owner.carryOut(Request(id: "r1", verb: "retry", arguments: [:]))
        == Reply(.done, "carried out before"))
  }

  @Test("a retry of all leaves conflicts to be decided one by one")
  func conflicts() throws {
    let site = try OwnerSite()
    let builder = StreamsBuilder("site")
    builder.stream(
      "in", key: StringSerde(), value: StringSerde(),
      policies: SourcePolicies(conflict: .deadLetter)
    ).groupByKey().count(named: "counts").view()
    let topology = try builder.build()
    let records = ["a", "b"].map {
      ProducerRecord(key: [0x6b], value: Array($0.utf8), headers: [Header("eventId", "1")])
    }
    _ = try site.log.makeAppender().append(records, to: "in")
    let owner = try site.owner(topology)
    try owner.run(untilEnd: true)
    #expect(
      try owner.carryOut(Request(id: "r1", verb: "retry", arguments: [:]))
        == Reply(.done, "no dead letters"))
    try site.withTasks(topology) { #expect($0.counters["deadLettered{conflict}"] == 1) }
  }
}

/// Is set once.
final class Flag: @unchecked Sendable {
  // Guarded by `lock`.
  private let lock = NSLock()
  private var value = false
  var isSet: Bool { lock.withLock { value } }
  func set() { lock.withLock { value = true } }
}
