import ChildProcesses
import Foundation
import Testing

/// Records as lines.
@Suite struct ProduceConsumeTests {
  /// One of each form a line may have.
  private static let lines = """
    {"key":"o-1","headers":{"eventType":"ORDER_CREATED"},"timestamp":1767603600000,"value":{"a": 1.50, "b":[1,2 ]}}
    {"key":"o-2","timestamp":"2026-01-05T09:00:00.5Z","value":"text with \\"quotes\\" and \\u00e9"}
    {"key":null,"timestamp":5,"value":null}
    {"keyBase64":"AP8=","timestamp":-7,"valueBase64":"//79"}
    {"key":"o-1","headers":[["h","1"],["h",null],["g","x"]],"timestamp":7,"value":[]}
    {"key":"","timestamp":8,"value":""}
    {"key":"n","timestamp":9,"value":12.30}
    {"key":"t","timestamp":10,"value":true}

    """

  @Test("what consume prints, produce reads back: every record, byte for byte")
  func roundTrip() throws {
    let tool = try CommandLineTool()
    let other = try CommandLineTool()
    try tool.succeed(
      "produce", "t", "--log", tool.log, "--partitions", "1", input: Self.lines)
    let first = try tool.succeed("consume", "t", "--log", tool.log, "--until-end")
    #expect(first.split(separator: "\n").count == 8)
    try other.succeed("produce", "t", "--log", other.log, input: first)
    #expect(try other.succeed("consume", "t", "--log", other.log, "--until-end") == first)
    // Values are the bytes of the line, never printed anew.
    #expect(first.contains(#""value":{"a": 1.50, "b":[1,2 ]}"#))
    #expect(first.contains(#""value":"12.30""#))
  }

  @Test("positions: where produce put records, and from where consume reads")
  func positions() throws {
    let tool = try CommandLineTool()
    let input = (0..<10).map { #"{"key":"k\#($0)","timestamp":\#($0 * 1000),"value":"\#($0)"}"# }
      .joined(separator: "\n")
    #expect(try tool.succeed("produce", "t", "--log", tool.log, input: input) == "t-0@9\n")
    func values(_ arguments: String...) throws -> String {
      let outcome = try tool.run(["consume", "t", "--log", tool.log, "--until-end"] + arguments)
      #expect(outcome.status == 0)
      return outcome.output.split(separator: "\n").compactMap { line in
        line.range(of: #""value":""#).map { String(line[$0.upperBound...].prefix(1)) }
      }.joined()
    }
    #expect(try values() == "0123456789")
    #expect(try values("--from", "7") == "789")
    #expect(try values("--from", "earliest", "--limit", "3") == "012")
    #expect(try values("--from", "latest") == "")
    #expect(try values("--from", "1970-01-01T00:00:06Z") == "6789")
    #expect(try values("--from", "1970-01-01T00:00:06.001Z", "--partition", "0") == "789")
    #expect(try values("--limit", "0") == "")
    let beyond = try tool.run("consume", "t", "--log", tool.log, "--from", "11", "--limit", "1")
    #expect(beyond.status == 6)
    let partition = try tool.run("consume", "t", "--log", tool.log, "--partition", "1")
    #expect(partition.status == 6)
    #expect(partition.errors.contains("there is no partition 1 of 't'"))
  }

  @Test("a bad line names its number; the lines before it are in")
  func badLine() throws {
    let tool = try CommandLineTool()
    let outcome = try tool.run(
      "produce", "t", "--log", tool.log,
      input: "{\"value\":\"a\"}\n\n{\"value\":\"b\"}\n{\"value\":}\n{\"value\":\"c\"}\n")
    #expect(outcome.status == 2)
    let error = outcome.errors.split(separator: "\n").last ?? ""
    #expect(error.hasPrefix("error: line 4 is no record: "))
    #expect(
      error.hasSuffix(
        "(standard input); the 2 records before it are in the topic"))
    let consumed = try tool.succeed("consume", "t", "--log", tool.log, "--until-end")
    #expect(consumed.split(separator: "\n").count == 2)
  }

  @Test("large records go in appends that the log takes")
  func largeRecords() throws {
    let tool = try CommandLineTool()
    // 69 MB, where an append of the embedded log has 64 MiB at most.
    let line = #"{"value":"\#(String(repeating: "x", count: 300_000))"}"# + "\n"
    let outcome = try tool.run(
      "produce", "t", "--log", tool.log, input: String(repeating: line, count: 230))
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output == "t-0@229\n")
  }

  @Test("a reader that goes away ends consume, quietly")
  func brokenPipe() throws {
    let tool = try CommandLineTool()
    let line = #"{"value":"\#(String(repeating: "x", count: 1_000))"}"# + "\n"
    try tool.succeed(
      "produce", "t", "--log", tool.log, input: String(repeating: line, count: 2_000))
    let errors = "\(tool.directory.path)/errors"
    let consume = try tool.start(
      ["consume", "t", "--log", tool.log], output: .captured, errors: .file(errors))
    _ = try consume.line()
    consume.closeOutput()
    #expect(consume.wait() == .exit(0))
    #expect(try String(contentsOfFile: errors, encoding: .utf8) == "")
  }

  @Test("SIGINT ends a consume that waits for more", arguments: [SIGINT, SIGTERM], 0..<5)
  func interrupted(signal: Int32, round: Int) throws {
    let tool = try CommandLineTool()
    try tool.succeed("produce", "t", "--log", tool.log, input: "{\"value\":\"a\"}\n")
    let process = try tool.start(["consume", "t", "--log", tool.log], output: .captured)
    // It has printed the record, so it waits.
    _ = try process.line()
    process.kill(signal)
    #expect(process.wait() == .exit(0))
  }

  @Test("produce creates a missing local topic with its partitions, once")
  func createsTopic() throws {
    let tool = try CommandLineTool()
    for _ in 0..<2 {
      try tool.succeed(
        "produce", "t", "--log", tool.log, "--partitions", "4", input: "{\"value\":\"v\"}\n")
    }
    #expect(
      try tool.succeed("topics", "list", "--log", tool.log, "--format", "json")
        == "{\"topic\":\"t\",\"partitions\":4,\"compacted\":false}\n")
  }
}
