import ArgumentParser
import StateStore
import Topology

struct OutboxEntries: Verb {
  enum Operation: String, ExpressibleByArgument, CaseIterable { case list, skip }

  static let configuration = CommandConfiguration(
    commandName: "outbox",
    abstract: "Lists what waits to be sent, and drops what the log refuses.",
    discussion: """
      outbox TOPOLOGY list [--limit N]
      outbox TOPOLOGY skip ID...

      `skip` leaves entries out for good: by the process that runs the topology, unless it has \
      handed them to the log already, or here where none does, which needs --log.
      """)

  @Argument(help: "A topology with state here.") var topology: String
  @Argument(help: "list or skip.") var operation: Operation
  @Argument(help: "Entries, as `list` prints them.") var ids: [String] = []
  @Option(help: "Lists so many of each task and destination at most.") var limit = 100
  @OptionGroup var log: LogOption
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("log", log.url), ("state", state.directory)] }

  func run(in session: Session) throws {
    let directory = try session.stateDirectory(of: topology)
    switch operation {
    case .list:
      guard ids.isEmpty, limit > 0 else {
        throw Failure.usage("`list` takes no ids, and a limit above 0", todo: "leave them out")
      }
      for task in try TopologyState(directory).tasks {
        for entry in try OutboxEntrySummary.list(try task.reader(), limit: limit) {
          try session.output.write("\(entry.id)  \(entry.record.byteCount) bytes\n")
        }
      }
    case .skip:
      guard !ids.isEmpty else {
        throw Failure.usage("`skip` wants ids", todo: "`list` prints what there is")
      }
      for id in ids where OutboxEntryID(parsing: id) == nil {
        throw Failure.usage("'\(id)' is no id of an entry", todo: "take it from `list`")
      }
      let command = OwnerCommand(topology: topology, directory: directory, session: session)
      try command.perform(TopologyOwner.outboxSkip, ids: ids)
    }
  }
}
