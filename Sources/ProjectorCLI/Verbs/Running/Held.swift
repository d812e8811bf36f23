import ArgumentParser
import StateStore
import Topology

struct Held: Verb {
  enum Operation: String, ExpressibleByArgument, CaseIterable { case list, show, release }

  static let configuration = CommandConfiguration(
    abstract: "Lists, shows and releases records that wait.",
    discussion: """
      held TOPOLOGY list    [--reason R] [--limit N] [--cursor ID]
      held TOPOLOGY show    [ID...]
      held TOPOLOGY release ID... | --reason R

      A record waits for a row of its key, for the number before its own, or in the line behind a \
      failed record of its key. `release` runs it past what it waits for; one whose row is still \
      missing becomes a dead letter. It is carried out by the process that runs the topology; \
      where none does, it needs --log.
      """)

  @Argument(help: "A topology with state here.") var topology: String
  @Argument(help: "list, show or release.") var operation: Operation
  @Argument(help: "Only these, as `list` prints them.") var ids: [String] = []
  @OptionGroup var kept: KeptOptions
  @OptionGroup var log: LogOption
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("log", log.url), ("state", state.directory)] }

  func run(in session: Session) throws {
    if operation == .list, !ids.isEmpty {
      throw Failure.usage("`list` takes no ids", todo: "`show` prints those of ids")
    }
    if operation == .release, ids.isEmpty, kept.reason == nil {
      throw Failure.usage("`release` wants ids or --reason", todo: "`list` prints what there is")
    }
    try kept.check(.held, isListing: operation != .release, ids: ids)
    let ids = try KeptOptions.ids(self.ids)
    let directory = try session.stateDirectory(of: topology)
    let records = KeptRecords(state: try TopologyState(directory), list: .held, reason: kept.reason)
    guard operation == .release else {
      let printer = KeptPrinter(output: session.output, options: kept)
      let asObjects = operation == .show || kept.format == .json
      if ids.isEmpty { return try printer.print(records, asObjects: asObjects) }
      return try printer.print(records, ids, asObjects: asObjects)
    }
    // An id that is not here, or no more, is told before anything is done.
    for id in ids { _ = try records.record(id) }
    let command = OwnerCommand(topology: topology, directory: directory, session: session)
    try command.perform("release", ids: ids.map(\.description), reason: kept.reason)
  }
}
