import ArgumentParser
import StateStore
import Topology

struct DeadLetters: Verb {
  enum Operation: String, ExpressibleByArgument, CaseIterable { case list, show, retry, skip }

  static let configuration = CommandConfiguration(
    commandName: "dead-letters",
    abstract: "Lists, shows, retries and skips records that failed.",
    discussion: """
      dead-letters TOPOLOGY list  [--reason R] [--limit N] [--cursor ID]
      dead-letters TOPOLOGY show  [ID...]
      dead-letters TOPOLOGY retry [ID... | --reason R] [--dry-run]
      dead-letters TOPOLOGY skip  ID... | --reason R   [--dry-run]

      `retry` processes them again: all but conflicts, of which only an id says that both are to \
      be applied. `skip` resolves them without processing. Both are carried out by the process \
      that runs the topology; where none does, they need --log.
      """)

  @Argument(help: "A topology with state here.") var topology: String
  @Argument(help: "list, show, retry or skip.") var operation: Operation
  @Argument(help: "Only these, as `list` prints them.") var ids: [String] = []
  @Flag(help: "Only say what would be retried or skipped.") var dryRun = false
  @OptionGroup var kept: KeptOptions
  @OptionGroup var log: LogOption
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("log", log.url), ("state", state.directory)] }

  func run(in session: Session) throws {
    let isListing = operation == .list || operation == .show
    if dryRun, isListing {
      throw Failure.usage("only `retry` and `skip` have a dry run", todo: "leave out --dry-run")
    }
    if operation == .list, !ids.isEmpty {
      throw Failure.usage("`list` takes no ids", todo: "`show` prints those of ids")
    }
    if operation == .skip, ids.isEmpty, kept.reason == nil {
      throw Failure.usage("`skip` wants ids or --reason", todo: "`list` prints what there is")
    }
    try kept.check(.deadLetters, isListing: isListing, ids: ids)
    let ids = try KeptOptions.ids(self.ids)
    let directory = try session.stateDirectory(of: topology)
    let records = KeptRecords(
      state: try TopologyState(directory), list: .deadLetters, reason: kept.reason)
    let printer = KeptPrinter(output: session.output, options: kept)
    if isListing || dryRun {
      let asObjects = operation == .show || kept.format == .json
      guard ids.isEmpty else {
        return try printer.print(records, ids, asObjects: asObjects)
      }
      return try printer.print(
        records, asObjects: asObjects, withoutConflicts: operation == .retry && kept.reason == nil)
    }
    // An id that is not here, or no more, is told before anything is done.
    for id in ids { _ = try records.record(id) }
    let command = OwnerCommand(topology: topology, directory: directory, session: session)
    try command.perform(operation.rawValue, ids: ids.map(\.description), reason: kept.reason)
  }
}
