import ArgumentParser
import JSONSerdes
import StreamCore
import Topology

struct Verify: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Rebuilds the views from the log beside the state, and compares the two.",
    discussion: """
      Lines NAME<TAB>equal|different<TAB>ROWS<TAB>HEX; status 3 where views differ. The state is \
      compared as of its last commit; a process that runs the topology is not disturbed.
      """)

  @Argument(help: "A registered topology.") var topology: String
  @OptionGroup var log: LogOption
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("log", log.url), ("state", state.directory)] }

  func run(in session: Session) throws {
    let graph = try session.topology(topology)
    let directory = try session.stateDirectory(of: topology)
    let log = try session.openLog()
    defer { log.close() }
    let verification = StateVerification(
      graph, directory, log: log, options: try session.runOptions(sharing: 1),
      clock: SystemWallClock(), canonical: canonicalJSON)
    let comparisons = try verification.run()
    for comparison in comparisons {
      let stored = comparison.stored
      let word = comparison.isEqual ? "equal" : "different"
      try session.output.write("\(stored.name)\t\(word)\t\(stored.rows)\t\(stored.hexadecimal)\n")
    }
    let compared = Set(comparisons.map(\.stored.name))
    for view in graph.stores where view.isPublished && !compared.contains(view.name) {
      try session.output.write("\(view.name)\twaiting\n")
    }
    let different = comparisons.filter { !$0.isEqual }.map(\.stored.name)
    guard different.isEmpty else {
      throw Failure(
        .different,
        "the views are not those that the log makes: \(different.joined(separator: ", "))",
        at: directory.path, todo: "check --log, or rebuild with `rewind --to earliest`")
    }
  }
}
