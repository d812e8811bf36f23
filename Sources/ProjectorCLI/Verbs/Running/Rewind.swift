import ArgumentParser
import Logging
import StateStore
import StreamCore
import Topology

struct Rewind: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Rebuilds the state as of a position, and everything behind it.",
    discussion: """
      A new generation fills while the present one goes on serving, then takes its place. It \
      begins from the newest snapshot at or before the target, else from the log's start; \
      --dry-run says which. Where a process runs the topology, that process does it.
      """)

  @Argument(help: "A registered topology.") var topology: String
  @Option(
    help: ArgumentHelp(
      "earliest, a time, or TOPIC-PARTITION@OFFSET,…; partitions not named follow by time.",
      valueName: "target"))
  var to: String
  @Flag(help: "Begin at the target with empty state; no snapshot, no journal.") var fromEmpty =
    false
  @Flag(help: "Go on although records before the target are gone.") var allowTruncated = false
  @Flag(help: "Remove the generation that served before.") var dropPrevious = false
  @Option(
    help: ArgumentHelp(
      "all sends what was sent before again; otherwise outputs of the past are dropped.",
      valueName: "choice"))
  var outputs: String?
  @Flag(help: "Only say what would be done.") var dryRun = false
  @OptionGroup var log: LogOption
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("log", log.url), ("state", state.directory)] }

  func run(in session: Session) throws {
    let graph = try session.topology(topology)
    let root = try session.settings.require("state")
    let target: RewindTarget
    do { target = try RewindTarget(parsing: to) } catch {
      throw Failure.usage(error.message, todo: "correct --to")
    }
    var options = RewindOptions()
    options.fromEmpty = fromEmpty
    options.allowTruncated = allowTruncated
    options.dropPrevious = dropPrevious
    if let outputs, outputs != Self.allOutputs {
      throw Failure.usage(
        "'\(outputs)' is no choice of outputs", todo: "write --outputs all, or leave it out")
    }
    options.sendsOutputs = outputs != nil
    let log = try session.openLog()
    defer { log.close() }
    let directory = try session.stateDirectory(of: topology)
    let plan = try RewindPlan.make(
      graph, to: target, options: options, log: log, directory: directory)
    if dryRun {
      for line in plan.lines { try session.output.write(line + "\n") }
      return
    }
    let request = OwnerRequest(
      directory: directory, verb: "rewind",
      arguments: arguments.merging(["lineage": graph.fingerprint]) { $1 })
    let answer = try request.perform { _ in
      let owner = try TopologyOwner(
        graph, stateRoot: root, log: log, options: try session.runOptions(sharing: 1),
        clock: SystemWallClock(), report: { [logger = session.logger] in logger.info("\($0)") })
      try owner.rewind(plan)
      return Reply(.done, "")
    }
    // One that was done here has said so.
    if !answer.isEmpty { session.logger.info("\(answer)") }
  }

  private static let allOutputs = "all"

  private var arguments: [String: String] {
    var arguments = ["to": to]
    if fromEmpty { arguments["fromEmpty"] = "true" }
    if allowTruncated { arguments["allowTruncated"] = "true" }
    if dropPrevious { arguments["dropPrevious"] = "true" }
    if let outputs { arguments["outputs"] = outputs }
    return arguments
  }
}
