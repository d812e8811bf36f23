import Foundation
import Testing

/// Snapshots as users meet them: by settings, in `status`, and where a log has lost its head.
@Suite struct SnapshotTests {
  private let tool: CommandLineTool

  /// A log that keeps its newest records only, and a state with a snapshot of each run.
  init() throws {
    tool = try CommandLineTool()
    try tool.succeed(
      "topics", "create", OrderFixture.topic, "--log", tool.log, "--retention-bytes", "1KiB")
    for _ in 0..<2 {
      try tool.succeed(
        "produce", OrderFixture.topic, "--log", tool.log, input: OrderFixture.lines)
      #expect(
        try tool.runOrders("--set", "snapshotInterval=1ms", "--set", "snapshotsKept=9").status == 0)
    }
  }

  private func digest() throws -> String {
    try tool.succeed("digest", OrderFixture.topology, "--state", tool.state)
  }

  private func rewind(_ arguments: String...) throws -> CommandLineTool.Outcome {
    try tool.run(
      ["rewind", OrderFixture.topology, "--log", tool.log, "--state", tool.state, "--to"]
        + arguments)
  }

  @Test("status shows snapshots and the oldest reader")
  func status() throws {
    let status = ["status", OrderFixture.topology, "--state", tool.state]
    let text = try tool.run(status).output
    #expect(text.contains("\noldest reader 0 commits behind\nsnapshot 00000"))
    #expect(text.contains("generation 1, taken 20"))
    #expect(text.contains("Z, order-events-0@18\n"))
    #expect(text.contains("Z, order-events-0@9\n"))
    let json = try tool.run(status + ["--format", "json"]).output
    #expect(json.contains(#""oldestReaderLag":0,"snapshots":[{"number":"#))
    #expect(json.contains(#""positions":{"order-events-0":18}},{"number":"#))
  }

  @Test("a rebuild of a log without its head begins from a snapshot, and gives the same")
  func covered() throws {
    let before = try digest()
    let plan = try rewind("earliest", "--dry-run").output
    #expect(plan.hasPrefix("order-events-0: read from 9 on snapshot 00000"))
    #expect(plan.hasSuffix(", log 9 to 18\n"))
    #expect(try rewind("earliest").status == 0)
    #expect(try digest() == before)
    #expect(try rewind("order-events-0@18").status == 0)
    #expect(try digest() == before)
  }

  @Test("without a snapshot it is refused, or goes on without what is gone")
  func refused() throws {
    let before = try digest()
    try FileManager.default.removeItem(
      atPath: "\(tool.state)/\(OrderFixture.topology)/snapshots")
    let refused = try rewind("earliest")
    #expect(refused.status == 6)
    #expect(
      refused.errors
        == "error: records before offset 9 of order-events-0 are gone and no snapshot covers them: "
        + "a rebuild would lack them; rewind with --allow-truncated to go on without them, or keep "
        + "the state (order-events-0@0)\n")
    #expect(try rewind("earliest", "--allow-truncated").status == 0)
    #expect(try digest() != before)
  }
}
