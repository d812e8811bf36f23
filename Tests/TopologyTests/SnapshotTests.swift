import Foundation
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// Snapshots of a running topology, and rewinds that begin from them.
@Suite("Snapshots")
struct SnapshotTests {
  private static let inputs = ["left", "right"].flatMap { topic in
    (0..<2).map { TopicPartition(topic, $0) }
  }

  @Test(
    "whatever a rewind begins from, it ends as the state was, and as a replay of log and journal",
    arguments: UInt64(0)..<8)
  func rewinds(seed: UInt64) throws {
    let site = try SnapshotSite(seed: seed)
    site.policy.kept = 3
    try site.rounds(20, snapshotEvery: 6)
    let numbers = try site.snapshots.numbers()
    #expect(numbers == [1, 2, 3])
    let expected = try site.result()
    var targets: [RewindTarget] = [.earliest]
    for number in numbers { targets.append(.offsets(try site.snapshots.positions(number))) }
    for (index, target) in targets.enumerated() {
      // From the newest snapshot at or before it: each target but the first is one's positions.
      let bases = try site.plan(target).bases
      #expect(bases.count == (index == 0 ? 0 : 2))
      #expect(bases.values.allSatisfy { $0.snapshot == index })
      try site.rewind(target)
      #expect(try site.directory.current() == index + 2)
      #expect(try site.result() == expected, "seed \(seed), \(target)")
      #expect(try site.isVerified(), "seed \(seed), \(target)")
    }
    // What follows goes on as if nothing had been.
    try site.rounds(4)
    let later = try site.result()
    try site.rewind(.earliest)
    #expect(try site.result() == later)
  }

  @Test("a rewind reads what lies behind its snapshot, not what lies before")
  func cost() throws {
    let site = try SnapshotSite()
    try site.rounds(10, records: 100, snapshotEvery: 10)
    let positions = try site.snapshots.positions(1)
    try site.rounds(1, records: 100)
    let before = site.processed.all.count
    try site.rewind(.offsets(positions))
    let again = site.processed.all.count - before
    #expect(again > 0 && again < 101)
    try site.rewind(.earliest)
    #expect(site.processed.all.count - before - again > 200)
  }

  @Test("one is taken when the interval is over and there is something new; the newest stay")
  func policy() throws {
    let site = try SnapshotSite()
    try site.rounds(2)
    // Each run is another process: the interval goes on from the state's beginning, or from the
    // last snapshot.
    for number in 1...4 {
      site.clock.advance(by: .seconds(59))
      try site.rounds(1)
      #expect(try site.snapshots.numbers().last ?? 0 == number - 1)
      site.clock.advance(by: .seconds(1))
      try site.rounds(1)
      #expect(try site.snapshots.numbers().last == number)
      #expect(try site.snapshots.meta(number).taken == site.clock.now())
    }
    // The fourth may be of the middle of its run.
    site.clock.advance(by: .seconds(60))
    try site.owner().run(untilEnd: true)
    let numbers = try site.snapshots.numbers()
    #expect(numbers.count == 2)
    site.clock.advance(by: .seconds(60))
    try site.owner().run(untilEnd: true)
    #expect(try site.snapshots.numbers() == numbers, "nothing came since the last one")
    #expect(site.reports.all.filter { $0.contains("snapshot") } == [])
  }

  @Test("one is taken while tasks go on, and a rewind begins from it")
  func running() throws {
    let site = try SnapshotSite()
    var sent = 0
    try site.running { running in
      for number in 1...2 {
        try site.send("left", 50)
        sent += 50
        while try site.outputs() < number, !running.hasEnded {}
        site.clock.advance(by: .seconds(60))
        while try site.snapshots.numbers().count < number, !running.hasEnded {}
      }
    }
    let positions = try site.snapshots.positions(2)
    #expect(positions.values.reduce(0, +) > 0)
    try site.owner().run(untilEnd: true)
    let expected = try site.result()
    try site.rewind(.offsets(positions))
    #expect(try site.result() == expected)
    #expect(expected.contains("count/consumed \(sent)"))
  }

  @Test("a stop leaves one that is on its way, and those that are whole stay")
  func stopped() throws {
    let site = try SnapshotSite()
    try site.rounds(2, snapshotEvery: 2)
    let snapshots = site.directory.snapshots
    for _ in 0..<5 {
      try site.send("left", 50)
      site.clock.advance(by: .seconds(60))
      let before = try site.snapshots.numbers()
      func names() throws -> [String] { try StateDirectory.entries(snapshots).sorted() }
      try site.running { running in
        // Until it has begun, or is over.
        while try names() == before.map(StateDirectory.name), !running.hasEnded {}
      }
      let numbers = try site.snapshots.numbers()
      #expect(try names() == numbers.map(StateDirectory.name))
      for number in numbers { #expect(try site.snapshots.positions(number).count == 4) }
      #expect(numbers == before || numbers.suffix(1) == [(before.last ?? 0) + 1])
    }
    #expect(site.reports.all.filter { $0.contains("snapshot") } == [])
  }

  @Test("what a crash left of one is never used, and goes with the next start")
  func leftovers() throws {
    let site = try SnapshotSite()
    try site.rounds(4, snapshotEvery: 2)
    let files = FileManager.default
    let snapshots = site.directory.snapshots
    try files.copyItem(atPath: "\(snapshots)/000001", toPath: "\(snapshots)/000003.partial")
    try files.moveItem(atPath: "\(snapshots)/000001", toPath: "\(snapshots)/000001.removed")
    #expect(try site.snapshots.numbers() == [2])
    _ = try site.owner()
    #expect(try StateDirectory.entries(snapshots) == ["000002"])
  }

  @Test("a damaged snapshot, and one of another lineage, are as if they were not there")
  func unusable() throws {
    let site = try SnapshotSite()
    site.policy.kept = 3
    try site.rounds(6, snapshotEvery: 2)
    let expected = try site.result()
    let target = RewindTarget.offsets(try site.snapshots.positions(3))
    let damaged =
      site.snapshots.path(3, TaskName(subTopology: SnapshotSite.first, partition: 1)) + "/data.mdb"
    try Data("no pages".utf8).write(to: URL(fileURLWithPath: damaged))
    let plan = try site.plan(target)
    #expect(
      plan.bases.mapValues(\.snapshot).sorted { $0.key.partition < $1.key.partition }
        .map(\.value) == [3, 2])
    let damage = "task left-1: snapshot 000003 is not used: it cannot be read (corrupted)"
    #expect(Self.refusals(plan) == [damage])
    try site.rewind(target)
    #expect(try site.result() == expected)
    let other = try RewindPlan.make(
      try site.topology(version: 2), to: target, options: RewindOptions(), log: site.log,
      directory: site.directory)
    #expect(other.bases.isEmpty)
    // One short line each: what the state that serves is refused with says what changed.
    #expect(
      Self.refusals(other)
        == [
          "task left-0: snapshot 000001 is not used: another lineage",
          "task left-0: snapshot 000002 is not used: another lineage",
          "task left-0: snapshot 000003 is not used: another lineage",
          "task left-1: snapshot 000001 is not used: another lineage",
          "task left-1: snapshot 000002 is not used: another lineage",
          damage,
        ])
  }

  @Test("one with a damaged page of rows is passed over for an older one, and the plan says so")
  func damagedInside() throws {
    let site = try SnapshotSite()
    site.policy.kept = 3
    try site.rounds(12, records: 60, snapshotEvery: 4)
    let expected = try site.result()
    let target = RewindTarget.offsets(try site.snapshots.positions(3))
    let path = site.snapshots.path(3, TaskName(subTopology: "left", partition: 1)) + "/data.mdb"
    // A page of rows, which nothing reads that only looks whose the copy is.
    var data = try Data(contentsOf: URL(fileURLWithPath: path))
    let page = 4_096
    // The rows are texts as `l17 r18 `.
    let row = try #require(data.range(of: Data(" l1".utf8)))
    let first = row.lowerBound / page * page
    data.replaceSubrange(first..<first + page, with: Data(repeating: 0xff, count: page))
    try data.write(to: URL(fileURLWithPath: path))
    #expect(
      try RewindTarget.offsets(site.snapshots.positions(3)) == target,
      "what a copy says of itself is read without its rows")
    let plan = try site.plan(target)
    #expect(plan.bases.values.map(\.snapshot).sorted() == [2, 3])
    #expect(Self.refusals(plan).count == 1)
    try site.rewind(target)
    #expect(try site.result() == expected)
  }

  private static func refusals(_ plan: RewindPlan) -> [String] {
    plan.lines.filter { $0.contains("is not used") }
  }

  // MARK: Truncated logs (A15)

  /// Snapshots 1 to 3 and a state behind them.
  private func site() throws -> SnapshotSite {
    let site = try SnapshotSite(seed: 5)
    site.policy.kept = 3
    try site.rounds(20, snapshotEvery: 6)
    return site
  }

  private func refusal(_ site: SnapshotSite, _ target: RewindTarget) throws -> String {
    let error = #expect(throws: TaskError.self) { _ = try site.plan(target) }
    #expect(error?.code == .recordsGone)
    return error?.description ?? ""
  }

  @Test("without a snapshot a rebuild of a log without its head is refused, or goes without it")
  func truncated() throws {
    let site = try site()
    let positions = try site.snapshots.positions(2)
    try StateDirectory.removeTree(site.directory.snapshots)
    site.truncate(before: positions)
    let start = try #require(positions[TopicPartition("left", 0)])
    #expect(
      try refusal(site, .earliest)
        == "records before offset \(start) of left-0 are gone and no snapshot covers them: a rebuild "
        + "would lack them; rewind with --allow-truncated to go on without them, or keep the state "
        + "(left-0@0)")
    var options = RewindOptions()
    options.allowTruncated = true
    let before = try site.result()
    try site.rewind(.earliest, options)
    #expect(try site.result() != before, "what was removed is missing")
    // Its state says so: a snapshot of it covers nothing.
    try site.rounds(2, snapshotEvery: 2)
    #expect(try site.snapshots.numbers() == [1])
    #expect(try refusal(site, .earliest).contains("no snapshot covers them"))
    let after = try site.result()
    try site.rewind(.offsets(try site.snapshots.positions(1)), options)
    #expect(try site.result() == after)
  }

  @Test("a snapshot that covers what was removed makes a rebuild whole")
  func covered() throws {
    let site = try site()
    let expected = try site.result()
    let positions = try (1...3).map { try site.snapshots.positions($0) }
    // The log begins between the first snapshot and the second.
    site.truncate(before: positions[0].mapValues { $0 + 1 })
    let plan = try site.plan(.earliest)
    #expect(plan.bases.values.map(\.snapshot) == [2, 2])
    #expect(plan.lines.contains { $0.contains("on snapshot 000002") })
    try site.rewind(.earliest)
    #expect(try site.result() == expected)
    try site.rewind(.offsets(positions[2]))
    #expect(try site.result() == expected)
    // Before the second, only the first is left, behind which records are gone.
    let refusal = try refusal(site, .offsets(positions[0].mapValues { $0 + 1 }))
    #expect(refusal.contains("the first snapshot that covers them is 000002"))
    #expect(try site.directory.current() == 3)
  }

  @Test("records missing behind a snapshot are passed over when that is allowed, and noted")
  func gap() throws {
    let site = try site()
    let positions = try (1...3).map { try site.snapshots.positions($0) }
    site.truncate(before: positions[1].mapValues { $0 + 1 })
    var options = RewindOptions()
    options.allowTruncated = true
    let target = RewindTarget.offsets(positions[1])
    #expect(try site.plan(target, options).bases.values.map(\.snapshot) == [2, 2])
    #expect(try site.plan(target, options).lines.contains { $0.hasSuffix("are gone)") })
    let before = try site.result()
    try site.rewind(target, options)
    // One record of each partition, not the whole head.
    func consumed(_ result: [String]) -> Int {
      Int(result.first { $0.hasPrefix("count/consumed ") }?.split(separator: " ").last ?? "") ?? 0
    }
    #expect(consumed(try site.result()) == consumed(before) - 4)
    // The whole snapshots stay beside those that lack records.
    site.clock.advance(by: .seconds(60))
    for _ in 0..<4 { try site.rounds(1, snapshotEvery: 1) }
    let kept = try site.snapshots.numbers()
    #expect(kept == [1, 2, 3, 5, 6, 7])
    #expect(try site.plan(.earliest).bases.values.map(\.snapshot) == [3, 3])
  }

  @Test("a state whose next records are gone is rebuilt without them, when that is allowed")
  func positionGone() throws {
    let site = try SnapshotSite()
    try site.rounds(4)
    for topic in ["left", "right"] { try site.send(topic, 40) }
    site.truncate(
      before: try Dictionary(
        uniqueKeysWithValues: Self.inputs.map { ($0, try site.log.offsets(of: $0).upperBound) }))
    let start = #expect(throws: TaskError.self) { try site.owner().run(untilEnd: true) }
    #expect(start?.message.contains("`rewind --to earliest --allow-truncated`") == true)
    var options = RewindOptions()
    options.allowTruncated = true
    try site.rewind(.earliest, options)
    try site.rounds(2)
    #expect(try site.directory.current() == 2)
  }

  @Test("a state that began in the middle is no base for what wants the whole")
  func fromEmpty() throws {
    let site = try SnapshotSite()
    try site.rounds(4)
    let whole = try site.result()
    var options = RewindOptions()
    options.fromEmpty = true
    let middle = try Dictionary(
      uniqueKeysWithValues: Self.inputs.map { ($0, try site.log.offsets(of: $0).upperBound / 2) })
    try site.rewind(.offsets(middle), options)
    #expect(try site.result() != whole)
    site.clock.advance(by: .seconds(60))
    try site.rounds(1, snapshotEvery: 1)
    let end = RewindTarget.offsets(try site.snapshots.positions(1))
    #expect(try site.plan(end).bases.isEmpty)
  }

  // MARK: Requests

  @Test("a rewind whose answer was lost is answered from what it made, and not carried out again")
  func lostAnswer() throws {
    let site = try SnapshotSite()
    try site.rounds(3)
    let queue = RequestQueue(site.directory)
    let request = Request(
      id: "r1", verb: "rewind",
      arguments: [
        "to": "earliest", "dropPrevious": "true", "lineage": try site.topology().fingerprint,
      ])
    func ask() throws -> Reply? {
      let asked = try queue.submit(request)
      var reply: Reply?
      try site.running { running in
        while reply == nil, !running.hasEnded { reply = try asked.answer() }
      }
      return reply
    }
    #expect(try ask() == Reply(succeeded: true, message: "generation 000002 serves"))
    // A process that died before its answer: the request lies there still.
    #expect(try ask() == Reply(succeeded: true, message: "generation 000002 serves"))
    #expect(try site.directory.generations() == [2])
  }

  @Test("requests that were carried out are remembered in bounded room")
  func requestMemory() throws {
    let site = try SnapshotSite()
    try site.rounds(1)
    let owner = try site.owner()
    let run = try owner.openCurrent()
    defer { run.close() }
    func names() throws -> Int {
      try run.tasks.reduce(0) { total, task in
        try total
          + StateReader.open(
            site.directory.task(1, task.name)
          ).read { try $0.words().count }
      }
    }
    let again = Reply(succeeded: true, message: "carried out before")
    #expect(try run.retryDeadLetters(nil, request: "0") != again)
    let before = try names()
    for number in 1..<40 {
      #expect(try run.retryDeadLetters(nil, request: "\(number)") != again)
      #expect(try run.retryDeadLetters(nil, request: "\(number)") == again)
      #expect(try run.retryDeadLetters(nil, request: "\(max(0, number - 7))") == again)
    }
    #expect(try names() == before)
  }
}
