import ArgumentParser

/// The root of the command line.
struct Projector: ParsableCommand {
  /// The name under which this process was started: a user's own program has its own.
  static let executableName =
    CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? "projector"

  static let configuration = CommandConfiguration(
    commandName: executableName,
    abstract: "Turns topics of events into views that are exact after any crash.",
    subcommands: [
      Topics.self, Produce.self, Consume.self, Run.self, Query.self, Views.self, Status.self,
      Trace.self, DeadLetters.self, Held.self, OutboxEntries.self, Rewind.self, Generations.self,
      Digest.self,
      Verify.self,
      Describe.self, Topologies.self, Config.self, Demo.self, Version.self,
    ])
}

/// A verb of the command line.
protocol Verb: ParsableCommand {
  var common: CommonOptions { get }
  /// Settings that its own options give, by key; `nil` where an option was not used.
  var given: [(key: String, value: String?)] { get }
  func run(in session: Session) throws
}

extension Verb {
  var given: [(key: String, value: String?)] { [] }
}

/// Options of every verb.
struct CommonOptions: ParsableArguments {
  @Option(help: "Settings file; otherwise projector.json of the working directory, if there.")
  var config: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "A setting, as kafka.security.protocol=ssl; `config` lists the keys.",
      valueName: "key=value"))
  var settings: [String] = []

  @Option(help: "trace, debug, info, notice, warning, error or critical.")
  var logLevel: String?

  @Option(help: "text or json.")
  var logFormat: String?
}

struct LogOption: ParsableArguments {
  @Option(
    name: .customLong("log"),
    help: ArgumentHelp("The log: local:DIR or kafka://host:port[,host:port].", valueName: "url"))
  var url: String?
}

struct StateOption: ParsableArguments {
  @Option(
    name: .customLong("state"),
    help: ArgumentHelp("The state directory.", valueName: "dir"))
  var directory: String?
}
