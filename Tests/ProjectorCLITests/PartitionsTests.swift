import Foundation
import Testing

/// Many partitions: what is not needed is not opened, and what is open is bounded.
@Suite struct PartitionsTests {
  private static let partitions = 60

  private func site() throws -> CommandLineTool {
    let tool = try CommandLineTool()
    let lines = (0..<600).map { number in
      #"{"key":"o-\#(number)","headers":{"eventType":"ORDER_CREATED","schemaVersion":"1","#
        + #""eventId":"e\#(number)"},"value":{"orderId":"o-\#(number)","customerId":"c","#
        + #""totalAmount":1,"occurredAt":"2026-01-05T09:00:00Z"}}"#
    }
    try tool.succeed(
      "produce", OrderFixture.topic, "--log", tool.log, "--partitions", "\(Self.partitions)",
      input: lines.joined(separator: "\n") + "\n")
    try #require(tool.runOrders("--set", "snapshotInterval=off").status == 0)
    return tool
  }

  @Test("`get` opens the one partition of its key; a scan has few open at once")
  func opening() throws {
    let tool = try site()
    // A few environments, where the scan reads 60.
    let scan = try tool.run(
      openFiles: 160, ["query", OrderFixture.topology, "orders", "scan", "--state", tool.state])
    #expect(scan.status == 0, "\(scan.errors)")
    let keys = scan.output.split(separator: "\n").map { line in
      line.dropFirst(#"{"key":""#.count).prefix { $0 != "\"" }
    }
    #expect(keys.map(String.init) == (0..<600).map { "o-\($0)" }.sorted())
    let status = try tool.run(
      openFiles: 160, ["status", OrderFixture.topology, "--state", tool.state])
    #expect(status.status == 0, "\(status.errors)")

    // Of all partitions but one nothing can be read.
    let home = try #require(try location(of: "o-7", in: tool))
    for partition in 0..<Self.partitions where partition != home {
      let path = "\(tool.state)/\(OrderFixture.topology)/000001/\(OrderFixture.topic)-\(partition)"
      try Data(repeating: 0xEE, count: 8_192).write(to: URL(fileURLWithPath: path + "/data.mdb"))
    }
    let get = try tool.query("orders", "get", "o-7")
    #expect(get.status == 0, "\(get.errors)")
    #expect(get.output.hasPrefix(#"{"key":"o-7","#))
  }

  private func location(of key: String, in tool: CommandLineTool) throws -> Int? {
    let lines = try tool.succeed(
      "consume", OrderFixture.topic, "--log", tool.log, "--until-end"
    ).split(separator: "\n")
    let line = try #require(lines.first { $0.contains("\"key\":\"\(key)\"") })
    let json = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    return json?["partition"] as? Int
  }

  @Test("tasks beyond the hard limit of open files are refused, with what to set")
  func limit() throws {
    let tool = try CommandLineTool()
    try tool.succeed(
      "topics", "create", OrderFixture.topic, "--partitions", "100", "--log", tool.log)
    let run = [
      "run", OrderFixture.topology, "--log", tool.log, "--state", tool.state, "--until-end",
    ]
    let refused = try tool.run(openFiles: 300, run)
    #expect(refused.status == 1)
    #expect(refused.output.isEmpty)
    #expect(
      refused.errors
        == "error: 100 tasks need 528 open files, 300 are allowed (limit of the process); raise the "
        + "hard limit to 528 at least (`ulimit -Hn`, LimitNOFILE= of systemd, --ulimit nofile= of a "
        + "container), or run fewer partitions with --partition\n")
    #expect(!FileManager.default.fileExists(atPath: tool.state))
    #expect(try tool.run(openFiles: 300, run + ["--partition", "0-3"]).status == 0)
  }
}
