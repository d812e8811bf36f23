import Foundation
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// DESIGN, "RebuildJob": a rebuild has a phase written before it is entered; a start resumes from it,
/// and nothing is inferred from what other processes did.
@Suite("Rebuilds")
struct RebuildTests {
  private func meta(_ directory: StateDirectory, _ generation: Int) throws -> GenerationMeta {
    try #require(try GenerationMeta.read(directory.directory(of: generation)))
  }

  private func set(
    _ phase: GenerationMeta.Phase, _ directory: StateDirectory, _ generation: Int
  ) throws {
    var meta = try meta(directory, generation)
    meta.phase = phase
    try meta.write(to: directory.directory(of: generation))
  }

  @Test("a rewind of one state directory says nothing about a half-filled generation of another")
  func twoDirectories() throws {
    let site = try OwnerSite(partitions: 2)
    try site.send((0..<1_000).map { "v\($0)" })
    let topology = try OwnerSite.counting()
    let roots = ["\(site.root)/a", "\(site.root)/b"]
    func owner(_ number: Int, _ topology: Topology) throws -> TopologyOwner {
      try site.owner(topology, root: roots[number]) {
        $0.partitions = [number]
        $0.budget.records = 50
        $0.reader = ReaderOptions(batchRecordsMax: 50)
      }
    }
    for number in 0..<2 { try owner(number, topology).run(untilEnd: true) }
    #expect(try site.outputs().count == 1_000)
    try owner(0, topology).rewind(to: .earliest, RewindOptions())
    // The second is stopped in the middle of its filling.
    let seen = Counting()
    let counted = try OwnerSite.counting { _ in seen.next() }
    do {
      let second = try owner(1, counted)
      seen.at(300, second.stopper)
      #expect(throws: TaskError.self) { try second.rewind(to: .earliest, RewindOptions()) }
    }
    let directory = StateDirectory(root: roots[1], topology: "site")
    #expect(try directory.generations() == [1, 2])
    #expect(try meta(directory, 2).phase == .filling)
    try owner(1, topology).run(untilEnd: true)
    #expect(try directory.current() == 1)
    #expect(try directory.generations() == [1], "what was given up is removed")
    #expect(try site.outputs().count == 1_000)
    try owner(1, topology).rewind(to: .earliest, RewindOptions())
    #expect(try directory.current() == 2)
    #expect(Set(try site.outputs()).count == 1_000)
    #expect(try site.outputs().count == 1_000)
  }

  @Test("what units that were dead would have sent is sent by the generation where they are not")
  func owed() throws {
    let site = try OwnerSite()
    let dead = Set(["v3", "v4", "v7"])
    let broken = try OwnerSite.counting { if dead.contains($0) { throw Boom() } }
    try site.send((0..<10).map { "v\($0)" })
    try site.owner(broken).run(untilEnd: true)
    #expect(try site.outputs() == ["v0", "v1", "v2", "v5", "v6", "v8", "v9"])
    // The mended program: what it sends of the others was sent before.
    let mended = try OwnerSite.counting(version: 2)
    try site.owner(mended).rewind(to: .earliest, RewindOptions())
    try site.owner(mended).run(untilEnd: true)
    #expect(try site.outputs().suffix(3) == ["v3", "v4", "v7"])
    try site.send(["v10"])
    for _ in 0..<2 { try site.owner(mended).run(untilEnd: true) }
    #expect(try site.outputs().suffix(2) == ["v7", "v10"])
    #expect(try site.outputs().count == 11)
  }

  @Test("a start finishes what was recorded, and a start of another topology is refused")
  func recorded() throws {
    let site = try OwnerSite(partitions: 2)
    try site.send((0..<100).map { "v\($0)" })
    let topology = try OwnerSite.counting()
    try site.owner(topology).run(untilEnd: true)
    try site.owner(topology).rewind(to: .earliest, RewindOptions())
    // As a crash leaves it before `current` is renamed.
    try set(.recorded, site.directory, 2)
    try site.directory.setCurrent(1)
    let other = try OwnerSite.counting(version: 2)
    let refusal = #expect(throws: StoreError.self) { _ = try site.owner(other) }
    #expect(refusal?.code == .lineageChanged)
    #expect(refusal?.message.contains(topology.fingerprint) == true)
    #expect(try site.directory.current() == 1)
    try site.send((100..<200).map { "v\($0)" })
    try site.owner(topology).run(untilEnd: true)
    #expect(try site.directory.current() == 2)
    #expect(try meta(site.directory, 2).phase == .serving)
    #expect(try site.outputs().count == 200)
    // And before its phase was written.
    try set(.recorded, site.directory, 2)
    try site.owner(topology).run(untilEnd: true)
    #expect(try meta(site.directory, 2).phase == .serving)
    #expect(try site.outputs().count == 200)
  }

  @Test("a start of another topology drops a rebuild that was only filling")
  func filling() throws {
    let site = try OwnerSite()
    try site.send(["a"])
    let topology = try OwnerSite.counting()
    try site.owner(topology).run(untilEnd: true)
    try site.owner(topology).rewind(to: .earliest, RewindOptions())
    try set(.filling, site.directory, 2)
    try site.directory.setCurrent(1)
    let other = try OwnerSite.counting(version: 2)
    let error = #expect(throws: StoreError.self) { try site.owner(other).run(untilEnd: true) }
    #expect(error?.code == .lineageChanged)
    #expect(try site.directory.generations() == [1])
  }

  @Test("a filling generation keeps nothing of what its swap drops, unless all is to be sent again")
  func outputs() throws {
    let site = try OwnerSite(partitions: 2)
    try site.send((0..<500).map { "v\($0)" })
    let topology = try OwnerSite.counting()
    try site.owner(topology).run(untilEnd: true)
    let seen = Counting()
    let counted = try OwnerSite.counting { _ in seen.next() }
    do {
      let owner = try site.owner(counted) {
        $0.budget.records = 20
        $0.reader = ReaderOptions(batchRecordsMax: 20)
      }
      seen.at(400, owner.stopper)
      #expect(throws: TaskError.self) { try owner.rewind(to: .earliest, RewindOptions()) }
    }
    for task in try site.directory.tasks(of: 2) {
      let words = try StateReader.open(site.directory.task(2, task)).read { try $0.words() }
      let (last, trimmed) = (words["outbox/out/last"], words["outbox/out/trimmed"])
      #expect(last != nil && last ?? 0 > 0)
      #expect(last == trimmed, "it counts what it emits and stores none of it")
    }
    var options = RewindOptions()
    options.sendsOutputs = true
    try site.owner(topology).rewind(to: .earliest, options)
    #expect(try site.outputs().count == 500)
    try site.owner(topology).run(untilEnd: true)
    #expect(try site.outputs().count == 1_000)
    try site.owner(topology).rewind(to: .earliest, RewindOptions())
    try site.owner(topology).run(untilEnd: true)
    #expect(try site.outputs().count == 1_000)
  }

  @Test("it fills by turns, more tasks than are open at once, beside the one that serves")
  func byTurns() throws {
    let site = try OwnerSite(partitions: 150)
    try site.send((0..<600).map { "v\($0)" })
    let topology = try OwnerSite.counting()
    let owner = try site.owner(topology)
    let running = Background { try owner.run(untilEnd: false) }
    let reply = try running.answer(try site.askRewind(topology, ["dropPrevious": "true"]))
    #expect(reply == Reply(.done, "generation 000002 serves"))
    try site.send((600..<700).map { "v\($0)" })
    while try site.outputs().count < 700, !running.hasEnded {}
    owner.stop()
    try running.join()
    #expect(try site.directory.generations() == [2])
    #expect(try meta(site.directory, 2).tasks.count == 150)
    #expect(try site.outputs().count == 700)
    let verification = StateVerification(
      topology, site.directory, log: site.log, options: RunOptions(), clock: SystemWallClock(),
      canonical: { $0 })
    #expect(try verification.run().map(\.isEqual) == [true])
  }

  @Test("a task that was named and whose state is gone is refused; a rebuild brings it back")
  func missingTask() throws {
    let site = try OwnerSite(partitions: 3)
    try site.send((0..<30).map { "v\($0)" })
    let topology = try OwnerSite.counting()
    try site.owner(topology) { $0.partitions = [0, 1] }.run(untilEnd: true)
    // One that was never here begins.
    try site.owner(topology).run(untilEnd: true)
    let gone = site.directory.task(1, TaskName(subTopology: "in", partition: 1))
    try StateDirectory.removeTree(gone)
    let error = #expect(throws: StoreError.self) { try site.owner(topology).run(untilEnd: true) }
    #expect(error?.code == .missing)
    #expect(error?.message.hasPrefix("the state of task in-1 was here and is gone") == true)
    #expect(!FileManager.default.fileExists(atPath: gone))
  }

  @Test("a topic with more partitions is refused with a way on, and that way works")
  func morePartitions() throws {
    let small = try OwnerSite(partitions: 2)
    try small.send((0..<20).map { "v\($0)" })
    let topology = try Self.views()
    try small.owner(topology).run(untilEnd: true)
    // The same records in a topic of four.
    let log = SimulatedLog()
    let site = try OwnerSite(partitions: 4, log: log)
    try FileManager.default.moveItem(atPath: small.root, toPath: site.root)
    for partition in 0..<2 {
      try site.send(
        (0..<20).filter { ($0 + 1) % 2 == partition }.map { "v\($0)" }, partition: partition)
    }
    try site.send(["new"], partition: 3)
    let error = #expect(throws: StoreError.self) { try site.owner(topology).run(untilEnd: true) }
    #expect(error?.code == .lineageChanged)
    #expect(
      error?.message.contains("has 4 partitions, and the state is of a partition count of 2")
        == true)
    try site.owner(topology) { $0.rebuildsIfChanged = true }.run(untilEnd: true)
    #expect(try site.directory.current() == 2)
    #expect(try site.directory.tasks(of: 2).count == 4)
    try site.withTasks(topology) { #expect($0.counters["applied"] == 21) }
  }

  private static func views() throws -> Topology {
    let builder = StreamsBuilder("site")
    builder.stream("in", key: StringSerde(), value: StringSerde())
      .groupByKey().count(named: "counts").view()
    return try builder.build()
  }

  @Test(
    "a changed topology is rebuilt at its start where that is asked for, and sends nothing twice")
  func ifChanged() throws {
    let site = try OwnerSite(partitions: 2)
    try site.send((0..<100).map { "v\($0)" })
    try site.owner(try OwnerSite.counting()).run(untilEnd: true)
    let changed = try OwnerSite.counting(version: 2)
    let refusal = #expect(throws: StoreError.self) { try site.owner(changed).run(untilEnd: true) }
    #expect(refusal?.code == .lineageChanged)
    for generation in [2, 2] {
      try site.owner(changed) { $0.rebuildsIfChanged = true }.run(untilEnd: true)
      #expect(try site.directory.current() == generation)
    }
    #expect(try site.outputs().count == 100)
    try site.withTasks(changed) { #expect($0.counters["applied"] == 100) }
  }

  @Test("state without `current` is not begun anew")
  func noCurrent() throws {
    let site = try OwnerSite()
    try site.send(["a"])
    let topology = try OwnerSite.counting()
    try site.owner(topology).run(untilEnd: true)
    try FileManager.default.removeItem(atPath: "\(site.directory.path)/current")
    let error = #expect(throws: StoreError.self) { try site.owner(topology).run(untilEnd: true) }
    #expect(error?.code == .corrupted)
    try site.directory.setCurrent(1)
    try site.owner(topology).run(untilEnd: true)
  }

  // MARK: Files

  @Test("numbers of seven digits are seen, other names are not")
  func sevenDigits() throws {
    let site = try OwnerSite()
    for name in ["000009", "999999", "1000000", "0000001", "12345", "00000x", "snapshots"] {
      try FileManager.default.createDirectory(
        atPath: "\(site.directory.path)/\(name)", withIntermediateDirectories: true)
      try FileManager.default.createDirectory(
        atPath: "\(site.directory.snapshots)/\(name)", withIntermediateDirectories: true)
    }
    #expect(try site.directory.generations() == [9, 999_999, 1_000_000])
    #expect(try SnapshotStore(site.directory).numbers() == [9, 999_999, 1_000_000])
  }

  @Test("a tree is removed with what is hidden in it")
  func hiddenFiles() throws {
    let site = try OwnerSite()
    let tree = "\(site.root)/tree"
    try FileManager.default.createDirectory(
      atPath: "\(tree)/a/.hidden", withIntermediateDirectories: true)
    try Data().write(to: URL(fileURLWithPath: "\(tree)/a/.nfs0001"))
    try StateDirectory.removeTree(tree)
    #expect(!FileManager.default.fileExists(atPath: tree))
  }

  @Test("what a generation says of itself is read as it was written")
  func metaFile() throws {
    let site = try OwnerSite()
    try FileManager.default.createDirectory(
      atPath: site.root, withIntermediateDirectories: true)
    var meta = GenerationMeta(phase: .filling, created: "2026-01-05T09:00:00Z", lineage: "phase")
    try meta.write(to: site.root)
    #expect(try GenerationMeta.read(site.root) == meta)
    meta.tasks = [
      TaskName(subTopology: "tasks", partition: 0), TaskName(subTopology: "a-b", partition: 12),
    ]
    (meta.request, meta.drops, meta.sendsAll) = ("r1", 7, true)
    meta.phase = .recorded
    try meta.write(to: site.root)
    #expect(try GenerationMeta.read(site.root) == meta)
  }
}
