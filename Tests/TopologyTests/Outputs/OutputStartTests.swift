import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// DESIGN, "What leaves a task": which state a checkpoint belongs to, and what is sent by whom.
@Suite("Starts of outputs")
struct OutputStartTests {
  /// A kill at a call of the log leaves what was committed; the next start goes on from disk.
  @Test(
    "a kill at any call of the log sends everything once",
    arguments: [SimulatedLog.Operation.topics, .offsets, .assign, .poll, .transaction])
  func killAtAnyCall(operation: SimulatedLog.Operation) throws {
    for call in 1...20 {
      let site = try OutputSite()
      try site.send(0..<10)
      try site.run()
      try site.send(10..<20)
      site.log.fail(operation, call: call, with: LogError(.unreachable, "killed"))
      // It may end without coming to that call.
      _ = site.code { try site.run() }
      _ = site.code { try site.run() }
      try site.send(20..<25)
      try site.killedOnce { try site.run() }
      let values = try site.killedOnce { try site.values() }
      #expect(values == OutputSite.values(0..<25), "\(operation), call \(call)")
      #expect(try site.killedOnce { try Set(site.records("out").map(\.headers)).count } == 25)
    }
  }

  @Test("checkpoints cost nothing where nothing is sent")
  func nothingSent() throws {
    let site = try OutputSite()
    try site.send(0..<3)
    let engine = try site.engine()
    try engine.run(commitEvery: 1)
    let end = try site.log.offsets(of: OutputSite.journal).upperBound
    try site.send(["skip", "skip", "skip"])
    try engine.run(commitEvery: 1)
    #expect(try site.log.offsets(of: OutputSite.journal).upperBound == end)
    engine.close()
  }

  @Test("a fresh state beside checkpoints is refused with the choices")
  func freshIsRefused() throws {
    let site = try OutputSite()
    try site.send(0..<10)
    try site.run()
    try site.remove()
    let error = #expect(throws: StoreError.self) { try site.run() }
    #expect(error?.code == .foreign)
    for choice in OutputChoice.allCases {
      #expect(error?.message.contains("--outputs \(choice.rawValue)") == true)
    }
    #expect(try site.values() == OutputSite.values(0..<10))
  }

  @Test(
    "a fresh state goes on behind what was sent, wherever it is killed",
    arguments: [SimulatedLog.Operation.poll, .transaction, .assign, .offsets])
  func freshContinues(operation: SimulatedLog.Operation) throws {
    for call in 1...10 {
      let site = try OutputSite()
      try site.send(0..<10)
      try site.run()
      try site.remove()
      try site.send(10..<14)
      site.log.fail(operation, call: call, with: LogError(.unreachable, "killed"))
      _ = site.code { try site.run(outputs: .continue, commitEvery: 3) }
      // Only a state that had begun durably needs no second word.
      if site.code({ try site.run(commitEvery: 3) }) != nil {
        try site.killedOnce { try site.run(outputs: .continue, commitEvery: 3) }
      }
      let values = try site.killedOnce { try site.values() }
      #expect(values == OutputSite.values(0..<14), "\(operation), call \(call)")
    }
  }

  @Test("a fresh state of changed operators is silent up to the last interval sent whole")
  func changedContinues() throws {
    let site = try OutputSite()
    try site.send(["v0", "skip", "v1", "v2", "skip", "v3"])
    try site.run(commitEvery: 2)
    try site.remove()
    try site.send(["v4", "skip", "v5"])
    // A filter of another version: the numbers of the old one say nothing.
    let changed = try OutputSite.topology(version: 2)
    try site.run(changed, outputs: .continue)
    #expect(try site.values() == OutputSite.values(0..<6))
    try site.send(["v6"])
    try site.run(changed)
    #expect(try site.values() == OutputSite.values(0..<7))
  }

  @Test("a fresh state sends everything anew where it is told to, and drops nothing later")
  func freshSendsAll() throws {
    let site = try OutputSite()
    try site.send(0..<5)
    try site.run()
    try site.remove()
    try site.run(outputs: .all, commitEvery: 1)
    try site.run()
    try site.send(5..<8)
    try site.run()
    #expect(try site.values() == OutputSite.values(0..<5) + OutputSite.values(0..<8))
  }

  @Test("a copy for reading sends nothing, writes no checkpoint, and is refused later")
  func readingCopy() throws {
    let site = try OutputSite()
    try site.send(0..<5)
    try site.run()
    let end = try site.log.offsets(of: OutputSite.journal).upperBound
    try site.run(state: "copy", outputs: OutputChoice.none)
    try site.send(5..<6)
    try site.run(state: "copy", outputs: OutputChoice.none)
    #expect(try site.log.offsets(of: OutputSite.journal).upperBound == end)
    #expect(site.code { try site.run(state: "copy") } == "foreign")
    try site.run()
    #expect(try site.values() == OutputSite.values(0..<6))
  }

  @Test("a copy of a state that had taken nothing yet follows in silence and goes on")
  func unusedCopy() throws {
    let site = try OutputSite()
    try site.run()
    try site.copy("s", to: "old")
    try site.send(0..<5)
    for _ in 0..<2 { try site.run() }
    try site.copy("old", to: "s")
    try site.send(5..<8)
    for _ in 0..<2 { try site.run() }
    #expect(try site.values() == OutputSite.values(0..<8))
  }

  @Test("an older copy follows in silence and goes on", arguments: 1...4)
  func olderCopy(commitEvery: Int) throws {
    let site = try OutputSite()
    try site.send(0..<5)
    try site.run()
    try site.copy("s", to: "old")
    for last in [9, 12, 17] {
      let first = last == 9 ? 5 : last == 12 ? 9 : 12
      try site.send(first..<last)
      try site.run(commitEvery: commitEvery)
    }
    try site.remove()
    try site.send(17..<20)
    try site.run(state: "old", commitEvery: 3)
    #expect(try site.values() == OutputSite.values(0..<20))
    // And is the state now: the next start is an ordinary one.
    try site.send(20..<22)
    try site.run(state: "old")
    #expect(try site.values() == OutputSite.values(0..<22))
  }

  @Test("a copy and a fresh state follow what other sinks sent than they have, and go on behind it")
  func otherSinks() throws {
    let site = try OutputSite()
    let both = try OutputSite.topology(sinks: ["out", "more"])
    let more = try OutputSite.topology(sinks: ["more"])
    try site.send(0..<2)
    try site.run(both)
    try site.copy("s", to: "old")
    try site.send(2..<5)
    try site.run()
    try site.send(5..<7)
    try site.run(more)
    try site.send(7..<9)
    try site.run(both, state: "old")
    var out = OutputSite.values(0..<5) + OutputSite.values(7..<9)
    #expect(try site.values() == out)
    #expect(try site.values("more") == OutputSite.values(0..<2) + OutputSite.values(5..<9))
    try site.remove()
    try site.send(9..<10)
    try site.run(outputs: .continue)
    out += OutputSite.values(9..<10)
    #expect(try site.values() == out)
    #expect(try site.values("more").count == 6)
  }

  @Test("a state that went its own way since a copy of it was started is refused")
  func ownWay() throws {
    let site = try OutputSite()
    try site.send(0..<5)
    try site.run()
    try site.copy("s", to: "copy")
    try site.send(5..<8)
    // It commits, and is killed before it sends: what the copy does then, it does itself.
    site.log.fail(.transaction, call: 3, with: LogError(.unreachable, "killed"))
    #expect(site.code { try site.run() } == "killed")
    try site.run(state: "copy")
    #expect(site.code { try site.run() } == "foreign")
    #expect(try site.values() == OutputSite.values(0..<8))
  }

  /// Two state directories that number their generations alike.
  @Test("state directories of one topology with other partitions leave each other alone")
  func twoDirectories() throws {
    let site = try OutputSite(partitions: 2)
    try site.send(0..<10, partition: 0)
    try site.send(10..<20, partition: 1)
    try site.run(state: "a", partitions: [0])
    try site.run(state: "b", partitions: [1])
    let topology = try OutputSite.topology()
    var options = RunOptions()
    options.partitions = [0]
    let owner = try TopologyOwner(
      topology, stateRoot: "\(site.root)/a", log: site.log, options: options,
      clock: VirtualClock(), report: { _ in })
    try owner.directory.setCurrent(1)
    try owner.rewind(
      try RewindPlan.make(
        topology, to: .earliest, options: RewindOptions(), log: site.log,
        directory: owner.directory))
    #expect(try owner.directory.current() == 2)
    try site.send(20..<25, partition: 1)
    try site.run(state: "b", partitions: [1])
    #expect(try site.values().sorted() == OutputSite.values(0..<25).sorted())
    #expect(try StateDirectory(root: "\(site.root)/b", topology: "copies").current() == nil)
  }

  @Test("a sink that is taken away in a crash and comes back sends its last run once")
  func sinkTakenAway() throws {
    let site = try OutputSite()
    let both = try OutputSite.topology(sinks: ["out", "more"])
    try site.send(0..<5)
    // The run was sent, but the state did not hear of it.
    let engine = try site.engine(both)
    try engine.run(commitEvery: 10)
    engine.close()
    try site.send(5..<7)
    try site.run()
    try site.run()
    try site.send(7..<9)
    try site.run(both)
    #expect(try site.values() == OutputSite.values(0..<9))
    #expect(try site.values("more") == OutputSite.values(0..<5) + OutputSite.values(7..<9))
  }

  @Test("a topology that sends nothing for a while sends on when its sink comes back")
  func allSinksTakenAway() throws {
    let site = try OutputSite()
    let silent = try OutputSite.topology(sinks: [])
    try site.send(0..<3)
    // It starts, and commits nothing more.
    try site.engine().close()
    try site.run(silent)
    try site.copy("s", to: "old")
    try site.send(3..<6)
    try site.run(silent)
    try site.send(6..<9)
    try site.run()
    #expect(try site.values() == OutputSite.values(6..<9))
    try site.run(state: "old")
    #expect(try site.values() == OutputSite.values(6..<9))
    try site.remove()
    #expect(site.code { try site.run(silent) } == "foreign")
  }

  @Test("a sink that was added begins behind the state's position")
  func sinkAdded() throws {
    let site = try OutputSite()
    try site.send(0..<5)
    try site.run()
    try site.copy("s", to: "old")
    try site.send(5..<8)
    let both = try OutputSite.topology(sinks: ["out", "more"])
    try site.run(both)
    #expect(try site.values("more") == OutputSite.values(5..<8))
    // A copy from before it was added comes to where it stands.
    try site.send(8..<9)
    try site.run(both, state: "old")
    #expect(try site.values("more") == OutputSite.values(5..<9))
    #expect(try site.values() == OutputSite.values(0..<9))
  }

  @Test("records of others in the journal topic are named and passed over")
  func foreignRecords() throws {
    let site = try OutputSite()
    try site.send(0..<5)
    try site.run()
    let foreign: [[UInt8]?] = [
      nil, [], Array("{\"hello\":1}".utf8), [UInt8](repeating: 0xFF, count: 200),
    ]
    _ = try site.log.makeAppender().append(
      foreign.map { ProducerRecord(key: nil, value: $0, partition: 0) },
      to: OutputSite.journal.topic)
    site.log.insertHidden(OutputSite.journal, count: 300)
    try site.send(5..<8)
    try site.run()
    #expect(try site.values() == OutputSite.values(0..<8))
    #expect(site.messages.contains { $0.contains("is no checkpoint and is passed over") })
  }

  @Test("a topology that gains a sub-topology starts, and sends what the new one emits")
  func gainsSubTopology() throws {
    let site = try OutputSite()
    try site.send(0..<5)
    try site.run()
    try site.log.administration?.createTopic(
      "second", partitions: 3, retention: TopicRetention())
    let builder = StreamsBuilder("copies")
    let stream = builder.stream("in", key: StringSerde(), value: StringSerde())
    stream.groupByKey().count(named: "counts").view()
    stream.filter(named: "kept") { $1 != "skip" }
      .to("out", key: StringSerde(), value: StringSerde(), named: "to-out")
    builder.stream("second", key: StringSerde(), value: StringSerde())
      .to("out", key: StringSerde(), value: StringSerde(), named: "second-to-out")
    let grown = try builder.build()
    let second = try site.log.makeAppender()
    func say(_ value: String) throws {
      _ = try second.append(
        [ProducerRecord(key: [1], value: Array(value.utf8), partition: 2)], to: "second")
    }
    // What was there before it was added is not sent: it begins at the end.
    try say("earlier")
    try site.run(grown)
    try say("s")
    try site.send(5..<6)
    try site.run(grown)
    #expect(try site.values().sorted() == (OutputSite.values(0..<6) + ["s"]).sorted())
  }

  @Test("a journal topic that was made anew, or belongs to another log, is not taken for the own")
  func anotherLog() throws {
    let site = try OutputSite()
    try site.send(0..<5)
    try site.run()
    try site.log.administration?.deleteTopic(OutputSite.journal.topic)
    #expect(site.code { try site.run() } == "foreign")
    try site.send(5..<7)
    try site.run(outputs: .continue)
    #expect(try site.values() == OutputSite.values(0..<7))
  }
}
