import ChildProcesses
import Foundation
import Testing

/// Digests, and what they must not depend on.
@Suite struct DigestTests {
  private func digest(_ tool: CommandLineTool, _ arguments: String...) throws -> String {
    let outcome = try tool.run(
      ["digest", OrderFixture.topology, "--state", tool.state] + arguments)
    #expect(outcome.status == 0, "\(outcome)")
    return outcome.output
  }

  @Test("equal views have equal digests, whatever the partitions, threads and commits")
  func independence() throws {
    let (one, many) = (try CommandLineTool(), try CommandLineTool())
    try one.produceOrders()
    try one.runOrders()
    try many.produceOrders(partitions: 3)
    try many.runOrders("--threads", "3", "--set", "commitRecords=1")
    // Ids that were not given are made of the partition, so only the orders are the same.
    func orders(_ text: String) -> Substring? {
      text.split(separator: "\n").first { $0.hasPrefix("orders\t3\t") }
    }
    let digests = [try digest(one), try digest(many)].map(orders)
    #expect(digests[0] != nil)
    #expect(digests[0] == digests[1])
    #expect(try digest(one).split(separator: "\n").last?.hasPrefix("all\t8\t") == true)
  }

  @Test("the hash is SHA-256 over view, key and row, each behind its length")
  func definition() throws {
    let tool = try CommandLineTool()
    try tool.succeed(
      "produce", OrderFixture.topic, "--log", tool.log,
      input: OrderFixture.lines.split(separator: "\n")[1] + "\n")
    try tool.runOrders()
    let row = """
      {"createdAt":"2026-01-05T09:01:00.5Z","currency":"EUR","customerId":"c-1","items":[],\
      "orderId":"o-2","sequenceNumber":null,"status":"CREATED","totalAmount":0.1,\
      "updatedAt":"2026-01-05T09:01:00.5Z"}
      """
    var bytes = Data()
    for part in ["orders", "o-2", row] {
      bytes.append(contentsOf: withUnsafeBytes(of: UInt64(part.utf8.count).bigEndian, Array.init))
      bytes.append(contentsOf: part.utf8)
    }
    let file = "\(tool.directory.path)/row"
    try bytes.write(to: URL(fileURLWithPath: file))
    let sum = try ChildProcess("/usr/bin/sha256sum", [file], output: .captured)
    let expected = try #require(try sum.line()).prefix(64)
    #expect(sum.wait() == .exit(0))
    #expect(expected.count == 64)
    #expect(try digest(tool).contains("orders\t1\t\(expected)\n"))
  }

  @Test("a rebuild ends at the same digest; generations are named and dropped")
  func rebuild() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders(partitions: 2)
    try tool.runOrders()
    let before = try digest(tool)
    let options = ["--log", tool.log, "--state", tool.state]
    let plan = try tool.run(
      ["rewind", OrderFixture.topology, "--to", "earliest", "--dry-run"] + options)
    #expect(plan.status == 0)
    #expect(plan.output.contains("order-events-0: read from 0"))
    #expect(
      try tool.run(["rewind", OrderFixture.topology, "--to", "earliest"] + options).status == 0)
    #expect(try digest(tool) == before)
    #expect(try digest(tool, "--generation", "1") == before)
    let generations = ["generations", OrderFixture.topology, "--state", tool.state]
    let list = try tool.run(generations).output.split(separator: "\n")
    #expect(list.count == 3)
    #expect(list[1].contains("000001") && list[1].contains("retired"))
    #expect(list[2].contains("000002") && list[2].hasSuffix("*"))
    #expect(try tool.run(generations + ["--drop", "2"]).status == 2)
    #expect(try tool.run(generations + ["--drop", "1"]).status == 0)
    #expect(try tool.run(generations + ["--drop", "1"]).status == 4)
    #expect(try tool.run(generations).output.split(separator: "\n").count == 2)
  }

  @Test("verify replays log and journal, and finds what does not belong")
  func verify() throws {
    let (tool, other) = (try CommandLineTool(), try CommandLineTool())
    try tool.produceOrders(partitions: 2)
    try tool.runOrders()
    let verify = ["verify", OrderFixture.topology, "--state", tool.state, "--log"]
    let equal = try tool.run(verify + [tool.log])
    #expect(equal.status == 0, "\(equal)")
    #expect(equal.output.contains("orders\tequal\t3\t"))
    // Another log of the same length: its orders cost more.
    try other.succeed(
      "produce", OrderFixture.topic, "--log", other.log, "--partitions", "2",
      input: OrderFixture.lines.replacingOccurrences(of: "12345.67", with: "12345.68"))
    let different = try tool.run(verify + [other.log])
    #expect(different.status == 3, "\(different)")
    #expect(different.output.contains("orders\tdifferent\t3\t"))
    #expect(different.errors.hasPrefix("error: the views are not those that the log makes"))
  }

  @Test("a rewind is carried out by the process that runs the topology")
  func rewindOfARunningTopology() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    let process = try tool.start([
      "run", OrderFixture.topology, "--log", tool.log, "--state", tool.state,
    ])
    defer {
      process.kill(SIGTERM)
      process.wait()
    }
    let wait = ["--wait-for", "order-events-0@8", "--timeout", "60s"]
    #expect(
      try tool.run(
        ["query", OrderFixture.topology, "orders", "get", "o-3", "--state", tool.state] + wait
      ).status == 0)
    let before = try digest(tool)
    let outcome = try tool.run(
      "rewind", OrderFixture.topology, "--to", "earliest", "--log", tool.log, "--state",
      tool.state)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.errors.contains("generation 000002 serves"))
    #expect(try digest(tool) == before)
    #expect(process.isRunning)
  }

  @Test("events are traced to where they came from and what became of them")
  func trace() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    try tool.runOrders()
    func trace(_ id: String) throws -> CommandLineTool.Outcome {
      try tool.run("trace", OrderFixture.topology, id, "--state", tool.state)
    }
    #expect(try trace("e3").output == "order-events-0@2\tprocessed\n")
    #expect(try trace("e9").output == "order-events-0@7\tprocessed\n")
    #expect(
      try trace("e8").output.hasPrefix(
        "order-events-0@6\tdead letter order-events-0-2: unknownVersion: "))
    #expect(
      try trace("e10").output
        == "order-events-0@8\theld order-events-0-2: missingRow: waits until 'orders' has a row of "
        + "its key\n")
    #expect(try trace("e11").status == 4)
    // The name of an event without an id, as the audit view prints it.
    #expect(
      try trace("order-events:0:0").output
        == "order-events-0@0\ttaken; of an event without an id only its position is kept\n")
    #expect(try trace("order-events:0:9").status == 4)
    #expect(try trace("order-events:1:0").status == 4)
  }

  @Test("dead letters are retried after their cause is gone")
  func retry() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    try tool.runOrders()
    let options = ["--log", tool.log, "--state", tool.state]
    let all = try tool.run(["dead-letters", OrderFixture.topology, "retry"] + options)
    #expect(all.status == 0)
    // Nothing about them has changed.
    #expect(all.output == "retried: deadLettered 2\n")
    let dry = try tool.run(
      ["dead-letters", OrderFixture.topology, "retry", "--dry-run"] + options)
    #expect(dry.output.split(separator: "\n").count == 3)
  }
}
