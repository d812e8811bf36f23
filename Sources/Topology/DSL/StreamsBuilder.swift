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
  private(set) var operators: [OperatorSpec] = []
  private var assemblies: [Topology.Assemble] = []
  private(set) var problems: [TopologyError.Problem] = []
  private(set) var declarations: [any StoreDeclaration] = []
  private(set) var sources: [SourceDescription] = []
  let deadLetterTopic: String?
  let idleAdvance: Duration?
  let location: String

  /// - Parameters:
  ///   - name: of the topology, in kebab-case; state directory and consumer group bear it.
  ///   - group: the consumer group, where it is not the name.
  ///   - deadLetterTopic: publishes dead letters there besides keeping them in the state.
  ///   - idleAdvance: after how long without records, known to be none in the log, a task's stream
  ///     time goes on by the time that passes, so that timers fire and windows close on silent
  ///     partitions; without it time moves by records alone. What it decides is journaled.
  public init(
    _ name: String, group: String? = nil, deadLetterTopic: String? = nil,
    idleAdvance: Duration? = nil, file: StaticString = #fileID, line: UInt = #line
  ) {
    self.name = name
    self.group = group ?? name
    self.deadLetterTopic = deadLetterTopic
    self.idleAdvance = idleAdvance
    location = "\(file):\(line)"
    checkName(name, of: "a topology", at: location)
    if let deadLetterTopic { checkTopic(deadLetterTopic, at: location) }
    if let idleAdvance, idleAdvance < .zero {
      report("'\(name)' goes on idly after less than no time; correct it", at: location)
    }
  }

  /// The graph, if nothing is wrong with it.
  ///
  /// - Throws: ``TopologyError`` with every problem found.
  public func build() throws(TopologyError) -> Topology {
    let subTopologies = SubTopology.partition(operators)
    validate(subTopologies)
    guard problems.isEmpty else { throw TopologyError(topology: name, problems: problems) }
    return Topology(
      name: name, group: group, operators: operators, subTopologies: subTopologies,
      stores: declarations.map(\.spec), sources: sources, deadLetterTopic: deadLetterTopic,
      idleAdvance: idleAdvance, declarations: declarations, assemblies: assemblies)
  }

  // MARK: Declaring

  /// Adds an operator and returns its number.
  @usableFromInline
  func add(
    _ kind: OperatorSpec.Kind, named name: String, version: Int = 1,
    inputs: [OperatorSpec.Input], stores: [String] = [], parameters: [OperatorParameter] = [],
    isStateful: Bool = false, at location: String, assemble: @escaping Topology.Assemble
  ) -> Int {
    let id = operators.count
    operators.append(
      OperatorSpec(
        id: id, name: name, kind: kind, version: version, parameters: parameters, inputs: inputs,
        stores: stores, isStateful: isStateful, location: location))
    assemblies.append(assemble)
    return id
  }

  /// The name given, or one of word and number.
  @usableFromInline
  func operatorName(_ word: String, given: String?) -> String {
    given ?? "\(Self.kebabCase(word))-\(operators.count)"
  }

  /// The name of a sink that was given none: after its topic, for the ids of what it sends hang on
  /// it, and no other operator may change them.
  func sinkName(of topic: String) -> String {
    let words = topic.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
    let name = (["to"] + words).joined(separator: "-")
    let taken = Set(operators.map(\.name))
    guard taken.contains(name) else { return name }
    var number = 2
    while taken.contains("\(name)-\(number)") { number += 1 }
    return "\(name)-\(number)"
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
    declarations.append(store)
  }

  @usableFromInline
  func report(_ message: String, at location: String) {
    problems.append(TopologyError.Problem(message: message, location: location))
  }
}
