import StreamCore

/// Collects the operators of a topology; ``build()`` validates them all at once.
///
///     let builder = StreamsBuilder("order-counts")
///     builder.events("order-events", format: JSONFormat(), types: OrderEvent.types)
///       .groupByKey().count(named: "events-per-order").view()
///     let topology = try builder.build()
public final class StreamsBuilder {
  let name: String
  let group: String
  private(set) var nodes: [TopologyNode] = []
  private(set) var problems: [TopologyError.Problem] = []
  private var storeNodes: [any StoreDeclaration] = []
  private(set) var sources: [SourceDescription] = []
  private let deadLetterTopic: String?
  private let location: String

  /// - Parameters:
  ///   - name: of the topology, in kebab-case; state directory and consumer group bear it.
  ///   - group: the consumer group, where it is not the name.
  ///   - deadLetterTopic: publishes dead letters there besides keeping them in the state.
  public init(
    _ name: String, group: String? = nil, deadLetterTopic: String? = nil,
    file: StaticString = #fileID, line: UInt = #line
  ) {
    self.name = name
    self.group = group ?? name
    self.deadLetterTopic = deadLetterTopic
    location = "\(file):\(line)"
    checkName(name, of: "a topology", at: location)
    if let deadLetterTopic { checkTopic(deadLetterTopic, at: location) }
  }

  /// The graph, if nothing is wrong with it.
  ///
  /// - Throws: ``TopologyError`` with every problem found.
  public func build() throws(TopologyError) -> Topology {
    let stores = storeNodes.map(\.description)
    if sources.isEmpty { report("it reads no topic; declare a source", at: location) }
    for (name, count) in nodes.map(\.name).counted() where count > 1 {
      let last = nodes.last { $0.name == name }?.location ?? location
      report("\(count) operators are named '\(name)'; names are unique", at: last)
    }
    for (topic, count) in sources.map(\.topic).counted() where count > 1 {
      report("topic '\(topic)' is read by \(count) sources; share one stream", at: location)
    }
    for node in nodes { checkName(node.name, of: "an operator", at: node.location) }
    let declared = Set(stores.map(\.name))
    for node in nodes {
      for store in node.stores where !declared.contains(store) {
        report("'\(node.name)' uses store '\(store)', which is not declared", at: node.location)
      }
    }
    let subTopologies = SubTopology.partition(nodes)
    let inputs = Set(sources.map(\.topic))
    let outputs = subTopologies.flatMap(\.sinks) + (deadLetterTopic.map { [$0] } ?? [])
    for topic in outputs.uniqued() where inputs.contains(topic) {
      report("topic '\(topic)' is read and written: a cycle; write to another topic", at: location)
    }
    for sub in subTopologies {
      let retentions = sub.nodes.flatMap { nodes[$0].traits }.filter { $0.hasPrefix("seen ids:") }
      if retentions.uniqued().count > 1 {
        report(
          "\(list(sub.topics)) are read together and declare different retentions of seen ids; "
            + "a task keeps one set: declare one", at: location)
      }
    }
    for sub in subTopologies where sub.stores.isEmpty && sub.sinks.isEmpty {
      report("nothing comes of \(list(sub.topics)): add a view, a store or a sink", at: location)
    }
    guard problems.isEmpty else { throw TopologyError(topology: name, problems: problems) }
    return Topology(
      name: name, group: group, nodes: nodes, subTopologies: subTopologies, stores: stores,
      sources: sources, deadLetterTopic: deadLetterTopic, declarations: storeNodes)
  }

  // MARK: Declaring

  /// Adds an operator and returns its number.
  @usableFromInline
  func add(
    _ kind: TopologyNode.Kind, named name: String, inputs: [Int], stores: [String] = [],
    traits: [String] = [], at location: String,
    assemble: @escaping @Sendable (TaskAssembly) -> Void
  ) -> Int {
    let id = nodes.count
    nodes.append(
      TopologyNode(
        id: id, name: name, kind: kind, inputs: inputs, stores: stores, traits: traits,
        location: location, assemble: assemble))
    return id
  }

  /// The name given, or one of word and number.
  @usableFromInline
  func operatorName(_ word: String, given: String?) -> String {
    given ?? "\(Self.kebabCase(word))-\(nodes.count)"
  }

  private static func kebabCase(_ word: String) -> String {
    String(word.flatMap { $0.isUppercase ? "-" + $0.lowercased() : String($0) })
  }

  func add(source: SourceDescription, at location: String) {
    checkTopic(source.topic, at: location)
    if source.idle < .zero {
      report("source '\(source.topic)' is idle after less than no time; correct it", at: location)
    }
    sources.append(source)
  }

  @usableFromInline
  func add(store: any StoreDeclaration, at location: String) {
    checkName(store.name, of: "a store", at: location)
    storeNodes.append(store)
  }

  @usableFromInline
  func report(_ message: String, at location: String) {
    problems.append(TopologyError.Problem(message: message, location: location))
  }

  /// Names are kebab-case: they become directories, topics and words of a command line.
  func checkName(_ name: String, of what: String, at location: String) {
    let valid =
      !name.isEmpty && name.utf8.count <= 120
      && name.utf8.allSatisfy {
        (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d
      }
      && name.utf8.first != 0x2d && name.utf8.last != 0x2d
    if !valid {
      report(
        "'\(name)' is no name for \(what): lower-case letters, digits and inner '-'", at: location)
    }
  }

  /// Kafka's rule for topic names (`org.apache.kafka.common.internals.Topic`).
  func checkTopic(_ topic: String, at location: String) {
    let valid =
      !topic.isEmpty && topic.utf8.count <= 249 && topic != "." && topic != ".."
      && topic.utf8.allSatisfy {
        (0x61...0x7a).contains($0) || (0x41...0x5a).contains($0) || (0x30...0x39).contains($0)
          || $0 == 0x2d || $0 == 0x2e || $0 == 0x5f
      }
    if !valid {
      report("'\(topic)' is no topic: 1 to 249 of letters, digits, '.', '_' and '-'", at: location)
    }
  }

  private func list(_ topics: [String]) -> String {
    topics.map { "'\($0)'" }.joined(separator: ", ")
  }
}

extension Sequence where Element == String {
  /// Each element with how often it occurs, in order of first appearance.
  func counted() -> [(String, Int)] {
    var counts: [String: Int] = [:]
    for element in self { counts[element, default: 0] += 1 }
    return uniqued().map { ($0, counts[$0] ?? 0) }
  }
}
