import Foundation
import Testing

/// Where settings come from, and what wins.
@Suite struct SettingsTests {
  private func value(_ key: String, in table: String) -> [Substring] {
    table.split(separator: "\n").map { $0.split(separator: " ", omittingEmptySubsequences: true) }
      .first { $0.first == Substring(key) }.map { Array($0.dropFirst()) } ?? []
  }

  @Test("an option wins over the environment, which wins over the file")
  func precedence() throws {
    var tool = try CommandLineTool()
    try #"{"log": "local:a", "state": "a", "commitRecords": 100, "memory": "64MiB"}"#.write(
      toFile: "\(tool.directory.path)/projector.json", atomically: true, encoding: .utf8)
    tool.environment = ["PROJECTOR_LOG": "local:b", "PROJECTOR_COMMIT_RECORDS": "200"]
    let table = try tool.succeed("config", "--log", "local:c", "--set", "commitAge=5s")
    #expect(value("log", in: table) == ["local:c", "option"])
    #expect(value("state", in: table) == ["a", "projector.json"])
    #expect(value("commitRecords", in: table) == ["200", "PROJECTOR_COMMIT_RECORDS"])
    #expect(value("memory", in: table) == ["64MiB", "projector.json"])
    #expect(value("commitAge", in: table) == ["5s", "--set"])
    #expect(value("logLevel", in: table) == ["info", "default"])
  }

  @Test("another file is named by --config, and Kafka's settings may be an object")
  func configFile() throws {
    var tool = try CommandLineTool()
    tool.environment = ["PROJECTOR_KAFKA_SASL_USERNAME": "ada"]
    try #"{"kafka": {"sasl.password": "open sesame", "linger.ms": 5}, "kafka.acks": "all"}"#.write(
      toFile: "\(tool.directory.path)/other.json", atomically: true, encoding: .utf8)
    let table = try tool.succeed("config", "--config", "other.json")
    #expect(value("kafka.sasl.password", in: table) == ["********", "other.json"])
    #expect(value("kafka.sasl.username", in: table) == ["ada", "PROJECTOR_KAFKA_SASL_USERNAME"])
    #expect(value("kafka.linger.ms", in: table) == ["5", "other.json"])
    #expect(value("kafka.acks", in: table) == ["all", "other.json"])
    #expect(!table.contains("sesame"))
  }

  @Test("others have variables of our prefix too: a Kubernetes service, above all")
  func foreignVariables() throws {
    var tool = try CommandLineTool()
    tool.environment = ["PROJECTOR_PORT": "tcp://10.0.0.1:80", "PROJECTOR_STATE": "s"]
    let outcome = try tool.run("config")
    #expect(outcome.status == 0)
    #expect(value("state", in: outcome.output) == ["s", "PROJECTOR_STATE"])
    #expect(
      outcome.errors
        == "warning: there is no setting PROJECTOR_PORT (environment); it is left out\n")
  }

  private static let keys =
    "log, state, threads, memory, commitRecords, commitAge, stopTimeout, "
    + "snapshotInterval, snapshotsKept, logLevel, logFormat, kafka.NAME"

  struct Wrong: CustomTestStringConvertible {
    let file: String?
    let variables: [String: String]
    let arguments: [String]
    let status: Int32
    let error: String
    var testDescription: String { error }
  }

  @Test(
    "unknown keys and wrong values are refused",
    arguments: [
      Wrong(
        file: #"{"lgo": "local:a"}"#, variables: [:], arguments: [], status: 2,
        error: "error: there is no setting 'lgo' (projector.json); remove it, or use one of \(keys)"
      ),
      Wrong(
        file: #"{"log": ["local:a"]}"#, variables: [:], arguments: [], status: 2,
        error: "error: the settings are no JSON object of settings: log: a setting is text or a "
          + "number (projector.json); correct the file"),
      Wrong(
        file: nil, variables: ["PROJECTOR_MEMORY": "much"], arguments: [], status: 2,
        error: "error: 'much' is no value of setting 'memory' (PROJECTOR_MEMORY); write a size, as "
          + "240MiB"),
      Wrong(
        file: nil, variables: [:], arguments: ["--set", "threads=0"], status: 64,
        error: "error: '0' is no value of setting 'threads' (--set); write a number from 1 to 256"),
      Wrong(
        file: nil, variables: [:], arguments: ["--set", "threads"], status: 64,
        error: "error: 'threads' is no setting (command line); write --set KEY=VALUE"),
      Wrong(
        file: nil, variables: [:], arguments: ["--log", "redis://x"], status: 64,
        error: "error: 'redis://x' is no value of setting 'log' (option); write local:DIR or "
          + "kafka://host:port[,host:port]"),
      Wrong(
        file: nil, variables: ["PROJECTOR_LOG": "kafka://ada:sesame@broker:9092?sasl=sesame"],
        arguments: [], status: 2,
        error: "error: 'kafka://********@broker:9092?********' is no value of setting 'log' "
          + "(PROJECTOR_LOG); give credentials as kafka.sasl.username and kafka.sasl.password, "
          + "never in the URL"),
      Wrong(
        file: #"{"state": "a", "state": "b"}"#, variables: [:], arguments: [], status: 2,
        error: "error: setting 'state' is given twice (projector.json); give each once"),
      Wrong(
        file: nil, variables: [:], arguments: ["--config", "none.json"], status: 2,
        error: "error: there is no settings file (none.json); correct --config"),
    ])
  func wrong(_ wrong: Wrong) throws {
    var tool = try CommandLineTool()
    tool.environment = wrong.variables
    if let file = wrong.file {
      try file.write(
        toFile: "\(tool.directory.path)/projector.json", atomically: true, encoding: .utf8)
    }
    let outcome = try tool.run(["config"] + wrong.arguments)
    #expect(
      outcome
        == CommandLineTool.Outcome(
          status: wrong.status, output: "", errors: wrong.error + "\n"))
  }
}
