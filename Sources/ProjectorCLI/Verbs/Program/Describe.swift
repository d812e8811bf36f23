import ArgumentParser
import Topology

struct Describe: Verb {
  enum Format: String, ExpressibleByArgument, CaseIterable { case text, mermaid, json }

  static let configuration = CommandConfiguration(
    abstract: "Prints the graph of a topology with its policies, stores and topics.")

  @Argument(help: "A registered topology.") var topology: String
  @Option(help: "text, mermaid or json.") var format = Format.text
  @OptionGroup var common: CommonOptions

  func run(in session: Session) throws {
    let topology = try session.topology(self.topology)
    switch format {
    case .text: try session.output.write(topology.describe())
    case .mermaid: try session.output.write(topology.mermaid())
    case .json: try session.output.write(topology.json() + "\n")
    }
  }
}
