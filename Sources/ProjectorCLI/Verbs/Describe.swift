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
    case .json: try session.output.write(Self.json(topology) + "\n")
    }
  }

  static func json(_ topology: Topology) -> String {
    func names(_ list: [String]) -> String { JSONText.array(list.map(JSONText.quoted)) }
    let subTopologies = topology.subTopologies.map { sub in
      var object = JSONText.Object()
      object.add("name", sub.name)
      object.add("topics", json: names(sub.topics))
      object.add("stores", json: names(sub.stores))
      object.add("sinks", json: names(sub.sinks))
      object.add(
        "nodes", json: JSONText.array(sub.nodes.map { node(topology.nodes[$0], topology) }))
      return object.text
    }
    let stores = topology.stores.map { store in
      var object = JSONText.Object()
      object.add("name", store.name)
      object.add("key", store.keyType)
      object.add("row", store.rowType)
      object.add("indexes", json: names(store.indexes))
      object.add("published", store.isPublished)
      return object.text
    }
    var object = JSONText.Object()
    object.add("topology", topology.name)
    object.add("group", topology.group)
    object.add("subTopologies", json: JSONText.array(subTopologies))
    object.add("stores", json: JSONText.array(stores))
    object.add("outputTopics", json: names(topology.outputTopics))
    object.add("deadLetterTopic", topology.deadLetterTopic)
    return object.text
  }

  private static func node(_ node: TopologyNode, _ topology: Topology) -> String {
    var object = JSONText.Object()
    object.add("name", node.name)
    switch node.kind {
    case .source(let topic):
      object.add("kind", "source")
      object.add("topic", topic)
      object.add("idle", (topology.idle(of: topic) ?? .zero).text)
    case .processor(let word): object.add("kind", word)
    case .sink(let topic):
      object.add("kind", "sink")
      object.add("topic", topic)
    }
    object.add(
      "inputs", json: JSONText.array(node.inputs.map { JSONText.quoted(topology.nodes[$0].name) }))
    object.add("stores", json: JSONText.array(node.stores.map(JSONText.quoted)))
    object.add("traits", json: JSONText.array(node.traits.map(JSONText.quoted)))
    return object.text
  }
}
