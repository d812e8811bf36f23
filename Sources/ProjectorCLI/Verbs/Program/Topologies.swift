import ArgumentParser
import Topology

struct Topologies: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the topologies of this program.", subcommands: [List.self])

  struct List: Verb {
    static let configuration = CommandConfiguration(
      abstract: "Lists the registered topologies with what they read and what can be queried.")

    @Option(help: "table or json.") var format = TableFormat.table
    @OptionGroup var common: CommonOptions

    func run(in session: Session) throws {
      var table = TextTable(["TOPOLOGY", "TOPICS", "VIEWS"])
      for topology in try session.registered() {
        let topics = topology.sources.map(\.topic)
        let views = topology.stores.filter(\.isPublished).map(\.name)
        switch format {
        case .table:
          table.add([
            topology.name, topics.joined(separator: ", "), views.joined(separator: ", "),
          ])
        case .json:
          var object = JSONText.Object()
          object.add("topology", topology.name)
          object.add("topics", json: JSONText.array(topics.map(JSONText.quoted)))
          object.add("views", json: JSONText.array(views.map(JSONText.quoted)))
          try session.output.write(object.text + "\n")
        }
      }
      if format == .table { try session.output.write(table.text) }
    }
  }
}
