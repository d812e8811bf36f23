import StateStore
import StreamCore

/// A validated graph of operators: what `StreamsBuilder.build()` returns, a task instantiates and
/// the command line names.
public struct Topology: Sendable {
  /// Wires one task's instance of an operator; called after all its consumers'.
  @usableFromInline
  typealias Assemble = @Sendable (TaskAssembly) -> Void

  public let name: String
  /// The consumer group under which applied offsets are told to others.
  public let group: String
  public let operators: [OperatorSpec]
  public let subTopologies: [SubTopology]
  /// In order of declaration.
  public let stores: [StoreSpec]
  public let sources: [SourceDescription]
  /// Where dead letters are published besides their store; `nil` keeps them in the store alone.
  public let deadLetterTopic: String?
  /// After how long without records stream time goes on by the time that passes; `nil` for never.
  public let idleAdvance: Duration?
  let declarations: [any StoreDeclaration]
  /// By the numbers of ``operators``.
  let assemblies: [Assemble]
  /// Asked for by each of its tasks, of which a process may open thousands.
  let lineages = LineageTexts()

  /// Wires the operators of a task, consumers before producers.
  func assemble(_ sub: SubTopology, in assembly: TaskAssembly) {
    for id in sub.operators.reversed() { assemblies[id](assembly) }
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

  /// Names of the topics that the tasks of a sub-topology produce to.
  func outputTopics(of sub: SubTopology) -> [String] {
    (sub.sinks + (deadLetterTopic.map { [$0] } ?? [])).uniqued()
  }

  /// A hash of a sub-topology's operators: by the same ones outputs are numbered alike.
  func outputLineage(of sub: SubTopology) -> Hash128 {
    let lines = sub.operators.map { operators[$0].outputMeaning }
    return Hash128(Array(lines.joined(separator: "\n").utf8).span.bytes)
  }

  /// Names of all topics it produces to, the dead-letter topic included.
  public var outputTopics: [String] {
    (subTopologies.flatMap(\.sinks) + (deadLetterTopic.map { [$0] } ?? [])).uniqued()
  }

  /// The declared idle time of a source; `nil` for a topic that none reads.
  package func idle(of topic: String) -> Duration? {
    sources.first { $0.topic == topic }?.idle
  }
}

/// What the graph knows of a source topic.
public struct SourceDescription: Hashable, Sendable {
  public let topic: String
  /// Sources of one scope know each other's event ids; the topic, unless one was declared.
  public let idScope: String
  /// How long event ids are remembered.
  public let seenIDs: SeenIDRetention
  /// Whether the topic is declared to be compacted, so that missing records are no loss.
  public let isCompacted: Bool
  /// How long a task waits at the topic's end for a record before it goes on with other topics.
  public let idle: Duration
}
