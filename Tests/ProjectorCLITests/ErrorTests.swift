import Foundation
import Testing

/// Whole texts: an error says what, where, and what to do, and nothing else is printed.
@Suite struct ErrorTests {
  struct Wrong: CustomTestStringConvertible {
    let arguments: String
    let status: Int32
    let error: String
    var testDescription: String { arguments }
    init(_ arguments: String, _ status: Int32, _ error: String) {
      (self.arguments, self.status, self.error) = (arguments, status, error)
    }
  }

  @Test(
    "wrong command lines",
    arguments: [
      Wrong(
        "frobnicate", 64,
        "error: unexpected argument 'frobnicate' (command line); see `projector frobnicate --help`"),
      Wrong(
        "run", 64,
        "error: missing expected argument '<topologies> ...' (command line); see `projector run "
          + "--help`"),
      Wrong(
        "topics list --nope", 64,
        "error: unknown option '--nope'. Did you mean '--log'? (command line); see `projector topics --help`"
      ),
      Wrong(
        "topics list", 64,
        "error: no URL of the log is given (command line); give --log, PROJECTOR_LOG, or \"log\" "
          + "in projector.json"),
      Wrong(
        "run order-projections --log local:none", 64,
        "error: no state directory is given (command line); give --state, PROJECTOR_STATE, or "
          + "\"state\" in projector.json"),
      Wrong(
        "run order-projections --log local:none --state s --partition 0-", 64,
        "error: '0-' is no list of partitions (command line); write --partition as 0,2-3"),
      Wrong(
        "run order-projections --log local:none --state s --outputs some", 64,
        "error: 'some' is no choice of outputs (command line); write --outputs with one of "
          + "continue, all, none"),
      Wrong(
        "run order-projections --log local:none --state s --stop-timeout soon", 64,
        "error: 'soon' is no value of setting 'stopTimeout' (option); write a duration, as 3s"),
      Wrong(
        "rewind order-projections --to earliest --log local:none --state s --outputs none", 64,
        "error: 'none' is no choice of outputs (command line); write --outputs all, or leave it "
          + "out"),
      Wrong(
        "run order-projections order-projections --log local:none --state s", 64,
        "error: a topology is named twice (command line); name each once"),
      Wrong(
        "run nope --log local:none --state s", 2,
        "error: there is no topology 'nope' (projector); it has: order-projections, "
          + "purchase-orders"),
      Wrong(
        "describe nope", 2,
        "error: there is no topology 'nope' (projector); it has: order-projections, "
          + "purchase-orders"),
      Wrong(
        "consume t --log local:none --from soon", 64,
        "error: 'soon' is no position (command line); write --from earliest, latest, an offset, or "
          + "a time as 2026-01-05T09:00:00Z"),
      Wrong(
        "topics create t --log local:log --partitions 0", 64,
        "error: a topic has at least one partition (command line); correct --partitions"),
      Wrong(
        "topics create t --log local:log --retention-time 7w", 64,
        "error: '7w' is no duration (command line); write --retention-time as 7d or 12h"),
    ])
  func wrongCommandLine(_ wrong: Wrong) throws {
    let tool = try CommandLineTool()
    let outcome = try tool.run(wrong.arguments.split(separator: " ").map(String.init))
    #expect(
      outcome
        == CommandLineTool.Outcome(status: wrong.status, output: "", errors: wrong.error + "\n"))
    // Nothing was made on the way.
    #expect(!FileManager.default.fileExists(atPath: "\(tool.directory.path)/s"))
    #expect(!FileManager.default.fileExists(atPath: "\(tool.directory.path)/log"))
  }

  @Test("help is data: on standard output, status 0", arguments: ["--help", "run --help", "help"])
  func help(arguments: String) throws {
    let outcome = try CommandLineTool().run(arguments.split(separator: " ").map(String.init))
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("USAGE: projector"))
    #expect(outcome.errors.isEmpty)
  }

  @Test("a log that is not there")
  func missingLog() throws {
    let tool = try CommandLineTool()
    let outcome = try tool.run("topics", "list", "--log", tool.log)
    #expect(outcome.status == 6)
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.hasPrefix("error: "))
    #expect(outcome.errors.contains(tool.directory.path))
  }

  @Test("a broker that does not answer")
  func unreachableBroker() throws {
    let tool = try CommandLineTool()
    let outcome = try tool.run(
      "topics", "list", "--log", "kafka://127.0.0.1:1", "--set",
      "kafka.projector.request.timeout.ms=300")
    #expect(outcome.status == 6)
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.hasPrefix("error: "))
    #expect(outcome.errors.contains("127.0.0.1:1"))
  }
}
