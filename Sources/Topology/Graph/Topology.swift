import StateStore
import StreamCore

/// A validated graph of operators: what `StreamsBuilder.build()` returns, a task instantiates and
/// the command line names.
public struct Topology: Sendable {
  public let name: String
  /// The consumer group under which applied offsets are told to others.
  public let group: String
  public let nodes: [TopologyNode]
  public let subTopologies: [SubTopology]
  /// Stores by name, in order of declaration.
  public let stores: [StoreDescription]
  public let sources: [SourceDescription]
  /// Where dead letters are published besides their store; `nil` keeps them in the store alone.
  public let deadLetterTopic: String?
  let declarations: [any StoreDeclaration]

  /// Lineage of a store: it and all operators above it, one a line, nearest to the source first.
  ///
  /// State of another lineage is refused at start, with the lines that differ.
  public func lineage(ofStore name: String) -> String {
    var above: Set<Int> = []
    var pending = nodes.filter { $0.stores.contains(name) }.map(\.id)
    while let id = pending.popLast() {
      if above.insert(id).inserted { pending += nodes[id].inputs }
    }
    let lines = above.sorted().map { "\(nodes[$0].name): \(nodes[$0].signature)" }
    let store = stores.first { $0.name == name }.map { ["store \($0.name): \($0.signature)"] } ?? []
    return (lines + store).joined(separator: "\n")
  }

  /// What the state of a task must say of itself.
  func identity(
    _ sub: SubTopology, partition: Int, of count: Int, generation: Int
  ) -> TaskIdentity {
    TaskIdentity(
      topology: name, subtopology: sub.name, partition: partition, partitionCount: count,
      lineage: Dictionary(uniqueKeysWithValues: sub.stores.map { ($0, lineage(ofStore: $0)) }),
      generation: generation)
  }

  /// Names of all topics it produces to, the dead-letter topic included.
  public var outputTopics: [String] {
    (subTopologies.flatMap(\.sinks) + (deadLetterTopic.map { [$0] } ?? [])).uniqued()
  }
}

/// What the graph knows of a store.
public struct StoreDescription: Hashable, Sendable {
  public let name: String
  public let keyType: String
  public let rowType: String
  public let indexes: [String]
  /// Whether it is a view, open to queries.
  public let isPublished: Bool

  var signature: String {
    ([keyType, rowType] + indexes.map { "index \($0)" }).joined(separator: ", ")
  }
}

/// What the graph knows of a source topic.
public struct SourceDescription: Hashable, Sendable {
  public let topic: String
  /// How each record's event id is found, first rule that yields a value first.
  public let eventID: [String]
  /// Whether the topic is declared to be compacted, so that missing records are no loss.
  public let isCompacted: Bool
  /// How long a task waits at the topic's end for a record before it goes on with other topics.
  public let idle: Duration
}
