import ChildProcesses
import Foundation
import StateStore
import Testing
import Topology

/// `run` as a process: how it ends, and what it refuses.
@Suite struct RunTests {
  @Test("--until-end processes what the log holds, and says what became of it")
  func untilEnd() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    let first = try tool.runOrders()
    #expect(first.status == 0)
    let fates =
      "consumed 9 = deadLettered 2 + held 1 + duplicate 1 + applied 5 + late 0 + ignored 0 + "
      + "filtered 0"
    #expect(first.output.contains(fates), "\(first)")
    #expect(first.output.contains("held records 1, dead letters 2"))
    // Again: nothing is left to do, and nothing changes.
    #expect(try tool.runOrders().output == first.output)
  }

  @Test("--final ends time where the log ends, so it needs --until-end")
  func final() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    let arguments = ["run", OrderFixture.topology, "--log", tool.log, "--state", tool.state]
    let refused = try tool.run(arguments + ["--final"])
    #expect(refused.status == 64 && refused.output.isEmpty, "\(refused)")
    for _ in 0..<2 {
      // Once: it has ended then.
      #expect(try tool.runOrders("--final").status == 0)
      let state = "\(tool.state)/\(OrderFixture.topology)/000001/\(OrderFixture.topic)-0"
      let journal = try StateReader.open(state).read { try $0.journal() }
      let content = try journal.map { try JournalEntry($0).content }
      #expect(content.filter(\.beginsUnit) == [.endOfTime])
    }
  }

  @Test("SIGTERM and SIGINT end it after a commit, with status 0", arguments: [SIGTERM, SIGINT])
  func terminated(signal: Int32) throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    let process = try tool.start([
      "run", OrderFixture.topology, "--log", tool.log, "--state", tool.state,
    ])
    // It has committed what there is, so it waits for more.
    let waited = try tool.query(
      "orders", "get", "o-3", "--wait-for", "order-events-0@8", "--timeout", "60s")
    #expect(waited.status == 0, "\(waited)")
    // A thread that does not block them would be ended by them, and the process with it: only the
    // one that waits for them is open to them.
    #expect(try Self.blocksTermination(process).filter { !$0 }.count <= 1)
    process.kill(signal)
    #expect(process.wait() == .exit(0))
  }

  @Test("a verb that has nothing to finish is ended by them", arguments: [SIGTERM, SIGINT])
  func ended(signal: Int32) throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    try tool.runOrders()
    let process = try tool.start([
      "query", OrderFixture.topology, "orders", "get", "o-1", "--state", tool.state, "--wait-for",
      "never", "--timeout", "1h",
    ])
    while process.isRunning, try !Self.blocksTermination(process).contains(true) {}
    process.kill(signal)
    #expect(process.wait() == .signal(signal))
  }

  /// Of each thread, whether it blocks SIGTERM and SIGINT.
  private static func blocksTermination(_ process: ChildProcess) throws -> [Bool] {
    let tasks = "/proc/\(process.id)/task"
    return try FileManager.default.contentsOfDirectory(atPath: tasks).compactMap { thread in
      // One that has just ended says nothing any more.
      guard let status = try? String(contentsOfFile: "\(tasks)/\(thread)/status", encoding: .utf8)
      else { return nil }
      let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("SigBlk:") })
      let blocked = try #require(UInt64(line.split(separator: "\t")[1], radix: 16))
      return [SIGTERM, SIGINT].allSatisfy { blocked & 1 << UInt64($0 - 1) != 0 }
    }
  }

  @Test("a second process on the same state is refused")
  func locked() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    let process = try tool.start([
      "run", OrderFixture.topology, "--log", tool.log, "--state", tool.state,
    ])
    defer {
      process.kill(SIGTERM)
      process.wait()
    }
    _ = try tool.query(
      "orders", "get", "o-1", "--wait-for", "order-events-0@0", "--timeout", "60s")
    let second = try tool.runOrders()
    #expect(second.status == 7)
    #expect(
      second.errors.hasSuffix(
        "error: another process runs topology 'order-projections' on \(tool.state)/"
          + "order-projections; stop it, or give this one another --state\n"))
  }

  @Test("a source topic that is missing is named, and nothing is made")
  func missingTopic() throws {
    let tool = try CommandLineTool()
    try tool.succeed("topics", "create", "other", "--log", tool.log)
    let outcome = try tool.runOrders()
    #expect(
      outcome
        == CommandLineTool.Outcome(
          status: 6, output: "",
          errors: "error: topic 'order-events' does not exist (\(tool.log)); create it with "
            + "`projector topics create order-events` or correct --log\n"))
    #expect(!FileManager.default.fileExists(atPath: tool.state))
    #expect(
      try tool.succeed("topics", "list", "--log", tool.log, "--format", "json")
        == "{\"topic\":\"other\",\"partitions\":1,\"compacted\":false}\n")
  }

  @Test("a partition that the topic lacks")
  func missingPartition() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    #expect(try tool.runOrders("--partition", "0-1").status == 6)
  }

  @Test("partitions may be run apart, and give the same views")
  func partitionsApart() throws {
    let (whole, apart) = (try CommandLineTool(), try CommandLineTool())
    for tool in [whole, apart] { try tool.produceOrders(partitions: 3) }
    try whole.runOrders()
    for partitions in ["1", "0,2"] {
      #expect(try apart.runOrders("--partition", partitions).status == 0)
    }
    func rows(_ tool: CommandLineTool) throws -> String {
      try tool.query("orders", "scan").output
    }
    #expect(try rows(apart) == rows(whole))
    #expect(try rows(whole).split(separator: "\n").count == 3)
  }

  @Test("several topologies run in one process, each with a state of its own")
  func severalTopologies() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    try tool.succeed(
      "produce", "purchase-order-events", "--log", tool.log,
      input: """
        {"key":"p-1","value":{"eventId":"a","eventType":"ITEM_ADDED","aggregateId":"p-1",\
        "sequenceNumber":1,"occurredAt":"2026-01-05T09:00:00Z","payload":{"activity":"ordered"}}}
        """)
    let run = try tool.run(
      "run", "order-projections", "purchase-orders", "--log", tool.log, "--state", tool.state,
      "--until-end")
    #expect(run.status == 0, "\(run)")
    #expect(run.output.contains("consumed 9 = "))
    #expect(run.output.contains("consumed 1 = "))
    #expect(run.errors.contains(" topology=order-projections"))
    #expect(try tool.query("orders", "get", "o-1").status == 0)
    #expect(
      try tool.succeed(
        "query", "purchase-orders", "purchase-order-items", "get", "p-1", "--state", tool.state)
        == #"{"key":"p-1","value":{"aggregateId":"p-1","events":1,"lastActivity":"ordered","#
        + #""firstAt":"2026-01-05T09:00:00Z","lastAt":"2026-01-05T09:00:00Z"}}"# + "\n")
    let views = try tool.succeed("views", "purchase-orders", "--state", tool.state)
    #expect(views.contains("purchase-order-items"))
    #expect(!views.contains("purchase-order-progress"))
  }

  @Test("state that is not ours to write is refused, untouched")
  func refusedState() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    try tool.runOrders()
    let task = "\(tool.state)/order-projections/000001/order-events-0"
    let data = try Data(contentsOf: URL(fileURLWithPath: "\(task)/data.mdb"))
    // Corrupt: no LMDB file at all.
    try Data(repeating: 0x5a, count: 16_384).write(to: URL(fileURLWithPath: "\(task)/data.mdb"))
    let corrupt = try tool.runOrders()
    #expect(corrupt.status == 5)
    #expect(corrupt.errors.contains(task))
    try data.write(to: URL(fileURLWithPath: "\(task)/data.mdb"))
    #expect(try tool.runOrders().status == 0)
    // Foreign: the state of another partition under this one's name.
    let other = try CommandLineTool()
    try other.produceOrders(partitions: 2)
    try FileManager.default.createDirectory(
      atPath: "\(other.state)/order-projections/000001", withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: task, toPath: "\(other.state)/order-projections/000001/order-events-0")
    try FileManager.default.copyItem(
      atPath: "\(tool.state)/order-projections/current",
      toPath: "\(other.state)/order-projections/current")
    let foreign = try other.runOrders()
    #expect(foreign.status == 5)
    #expect(foreign.errors.contains("partition count"))
  }

  @Test("a log that is not the one the state was built from")
  func divergedLog() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    try tool.runOrders()
    try FileManager.default.removeItem(atPath: "\(tool.directory.path)/log")
    try tool.succeed(
      "produce", OrderFixture.topic, "--log", tool.log, input: "{\"key\":\"k\",\"value\":{}}\n")
    let outcome = try tool.runOrders()
    #expect(outcome.status == 6)
    #expect(outcome.errors.contains("error: log and state diverged: the log ends at 1"))
  }

  @Test("killed with SIGKILL half-way and started again: as if undisturbed")
  func killedHalfWay() throws {
    // The demo does it, and checks fates against the generator's and digests against a run that
    // nobody disturbed.
    #if DEBUG
      let (events, text) = ("20000", "20,000")
    #else
      let (events, text) = ("200000", "200,000")
    #endif
    let tool = try CommandLineTool()
    let output = try tool.succeed("demo", "--events", events, "--directory", "demo")
    #expect(output.contains("killed with"))
    #expect(output.contains("of \(text) records committed"))
    #expect(output.contains("They are those that the generator counted."))
    #expect(output.contains("They are equal."))
  }
}
