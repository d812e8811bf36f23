import ArgumentParser
import StreamCore

struct Status: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Prints positions, the fates of all records, and what waits.")

  @Argument(help: "A topology with state here.") var topology: String
  @Option(help: "table or json.") var format = TableFormat.table
  @OptionGroup var log: LogOption
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("log", log.url), ("state", state.directory)] }

  func run(in session: Session) throws {
    var status = try TopologyStatus.read(try session.stateDirectory(of: topology))
    if session.settings["log"] != nil {
      let log = try session.openLog()
      defer { log.close() }
      try status.askEnds(of: log)
    }
    try session.output.write(format == .table ? status.text : status.json + "\n")
  }
}
