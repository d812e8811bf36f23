public import Topology
import TopologyTesting

/// A random topology as plain data: built once with the DSL and once read by ``ModelInterpreter``.
///
/// Streams are numbers: a source's is its place among the sources, an operator's outputs follow.
public struct ModelPlan: Sendable, CustomStringConvertible {
  public struct Source: Sendable {
    public var topic: String
    public var policies: SourcePolicies
    public var unknownType: UnknownTypePolicy
    public var eventTime: EventTime
    /// Milliseconds for which it is waited for at its end.
    public var idle: Int64 = 0
    /// Plain keys and values, without an envelope in the value.
    public var isPlain = false
  }

  public enum Kind: Hashable, Sendable {
    /// Keeps events whose number the modulus does not divide.
    case filter(Int64)
    case filterNot(Int64)
    /// Adds to the number.
    case mapValues(Int64)
    /// No, one or two events by the number modulo 3.
    case flatMapValues
    case peek
    /// By the number modulo 3: branches 0 and 1, and the rest, which goes nowhere without `rest`.
    case split(rest: Bool)
    case merge(with: Int)
    case count, reduce, aggregate
    /// `DROP` is a tombstone.
    case toTable(onChange: Bool)
    /// With a check of sequence numbers, by the policies of its source.
    case project(MissingRowPolicy, checksSequence: Bool)
    /// Keeps a row, which `DROP` may delete, and a timer that forwards it `delay` later.
    case process(delay: Int64, deletes: Bool)
    case audit
    case sink
  }

  public struct Node: Sendable {
    public var name: String
    public var input: Int
    public var kind: Kind
    /// Streams of events behind it.
    public var outputs: [Int]
    /// What a table or processor emits goes to a topic of the node's name.
    public var emits: Bool
    /// Some rows of its store have no bytes.
    public var refusesRows = false
  }

  public var seed: UInt64
  public var partitions: Int
  public var sources: [Source]
  public var nodes: [Node]
  public var publishesDeadLetters: Bool

  public static let deadLetterTopic = "dead"
  /// Bytes of a record that a topic takes at most.
  public static let recordBytesMax = 1_000_000
  /// Where a node's emissions go.
  public static func topic(of node: Node) -> String { "out-\(node.name)" }

  public var stores: [Node] {
    nodes.filter {
      switch $0.kind {
      case .count, .reduce, .aggregate, .toTable, .project, .process: true
      default: false
      }
    }
  }
  /// Whether a further try waits, which closes the interval before it.
  public var waitsBeforeRetries: Bool {
    sources.contains { source in
      [source.policies.decode, source.policies.process, source.policies.produce]
        .contains { $0.retries > 0 && $0.backoff > .zero }
    }
  }

  public var audits: [Node] { nodes.filter { $0.kind == .audit } }
  public var sinks: [Node] { nodes.filter { $0.kind == .sink || $0.emits } }

  public var description: String {
    let sources = sources.enumerated().map { number, source in
      "  \(number) = source \(source.topic) (decode \(source.policies.decode), process "
        + "\(source.policies.process), produce \(source.policies.produce), conflict "
        + "\(source.policies.conflict?.rawValue ?? "default"), null key \(source.policies.nullKey), key mismatch "
        + "\(source.policies.keyMismatch), unknown type \(source.unknownType), "
        + "gap \(source.policies.sequenceGap), "
        + "regression \(source.policies.sequenceRegression), time \(source.eventTime), idle \(source.idle) ms\(source.isPlain ? ", plain" : ""))"
    }
    let nodes = nodes.map { node in
      "  \(node.outputs) = \(node.input) -> \(node.name) \(node.kind)\(node.emits ? ", emits" : "")"
        + (node.refusesRows ? ", refuses rows" : "")
    }
    return
      (["plan \(seed): \(partitions) partitions"]
      + sources + nodes).joined(separator: "\n")
  }
}

extension ModelPlan {
  /// A plan of 1 to 2 sources, up to 5 stateless operators and up to 4 terminal ones.
  public init(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let sourceCount = random.next(upTo: 5) < 3 ? 1 : 2
    self.seed = seed
    partitions = 1 + Int(random.next(upTo: 2))
    publishesDeadLetters = random.next(upTo: 3) == 0
    sources = []
    nodes = []
    for number in 0..<sourceCount {
      sources.append(Self.source("in-\(number)", &random))
    }
    var streams = Array(0..<sourceCount)
    var next = sourceCount
    func output() -> Int {
      defer { next += 1 }
      return next
    }
    if sourceCount == 2, random.next(upTo: 4) > 0 {
      let merged = output()
      nodes.append(
        Node(name: "merge-0", input: 0, kind: .merge(with: 1), outputs: [merged], emits: false))
      streams.append(merged)
    }
    for _ in 0..<random.next(upTo: 6) {
      let input = streams[Int(random.next(upTo: UInt64(streams.count)))]
      let modulus = 2 + Int64(random.next(upTo: 4))
      var kind: Kind
      switch random.next(upTo: 8) {
      case 0: kind = .filter(modulus)
      case 1: kind = .filterNot(modulus)
      case 2: kind = .flatMapValues
      case 3: kind = .peek
      case 4: kind = .split(rest: random.next(upTo: 2) == 0)
      case 5:
        let other = streams[Int(random.next(upTo: UInt64(streams.count)))]
        kind = other == input ? .mapValues(7) : .merge(with: other)
      default: kind = .mapValues(modulus * 10)
      }
      let outputs =
        switch kind {
        case .split(let rest): (0..<(rest ? 3 : 2)).map { _ in output() }
        default: [output()]
        }
      nodes.append(
        Node(
          name: "\(kind.word)-\(nodes.count)", input: input, kind: kind, outputs: outputs,
          emits: false))
      streams += outputs
    }
    for number in 0..<(1 + random.next(upTo: 4)) {
      let input =
        number < UInt64(sourceCount)
        ? Int(number) : streams[Int(random.next(upTo: UInt64(streams.count)))]
      add(terminal: Self.terminal(&random), at: input, emits: random.next(upTo: 2) == 0)
    }
    if sourceCount == 2 { add(terminal: .count, at: 1, emits: false) }
    if seed % 5 == 2 { refuseRows() }
    var idleRandom = SplitMix64(seed: seed ^ 0x1d1e)
    if mergesSources, idleRandom.next(upTo: 2) == 0 {
      for number in sources.indices { sources[number].idle = Int64(idleRandom.next(upTo: 30)) }
    }
    if isExtended { extend() }
    checkSequencesOnce()
  }

  /// One view a source checks its numbers, of events that reach it once and as they came.
  private mutating func checkSequencesOnce() {
    var checked: Set<Int> = []
    for index in nodes.indices {
      guard case .project(let missing, true) = nodes[index].kind else { continue }
      let source = source(of: nodes[index].input)
      let isFirst = source.map { checked.insert($0).inserted } ?? false
      if !isFirst { nodes[index].kind = .project(missing, checksSequence: false) }
    }
  }

  /// The source of a stream that neither merges nor multiplies; `nil` for another.
  private func source(of stream: Int) -> Int? {
    if sources.indices.contains(stream) { return stream }
    guard let node = nodes.first(where: { $0.outputs.contains(stream) }) else { return nil }
    switch node.kind {
    case .merge, .flatMapValues: return nil
    default: return source(of: node.input)
    }
  }

  /// Whether the plan has what ``extend()`` adds: half of all seeds, so that the others stay what
  /// they were.
  public var isExtended: Bool { seed % 4 < 2 }

  /// Plain sources, rows that are deleted, and limits that are reached.
  private mutating func extend() {
    var random = SplitMix64(seed: seed &* 0xd1b5 &+ 0x4a32)
    for number in sources.indices where random.next(upTo: 3) == 0 {
      sources[number].isPlain = true
      sources[number].eventTime = .recordTimestamp
    }
    for number in nodes.indices {
      guard case .process(let delay, _) = nodes[number].kind else { continue }
      nodes[number].kind = .process(delay: delay, deletes: random.next(upTo: 3) > 0)
    }
  }

  /// Of numbers of their own, so that all else of the plan is as without.
  private mutating func refuseRows() {
    var random = SplitMix64(seed: ~seed)
    for index in nodes.indices where nodes[index].kind.hasRefusableRows {
      nodes[index].refusesRows = random.next(upTo: 2) == 0
    }
  }

  private mutating func add(terminal kind: Kind, at input: Int, emits: Bool) {
    let canEmit = kind != .audit && kind != .sink
    nodes.append(
      Node(
        name: "\(kind.word)-\(nodes.count)", input: input, kind: kind, outputs: [],
        emits: emits && canEmit))
  }

  private static func source(_ topic: String, _ random: inout SplitMix64) -> Source {
    func policy() -> ErrorPolicy {
      let actions: [ErrorPolicy.Action] = [.deadLetter, .parkKey, .deadLetter, .parkKey, .skip]
      let backoff = random.next(upTo: 4) == 0 ? Duration.microseconds(10) : .zero
      return ErrorPolicy(
        actions[Int(random.next(upTo: 5))], retries: Int(random.next(upTo: 3)), backoff: backoff)
    }
    return Source(
      topic: topic,
      policies: SourcePolicies(
        decode: policy(), process: policy(), produce: policy(),
        conflict: [.warn, .duplicate, .deadLetter, nil][Int(random.next(upTo: 4))],
        keyMismatch: random.next(upTo: 2) == 0 ? .warn : .deadLetter,
        nullKey: random.next(upTo: 2) == 0 ? .warn : .deadLetter,
        sequenceGap: [.warn, .ignore, .hold, .hold, .parkKey, .deadLetter][
          Int(random.next(upTo: 6))],
        sequenceRegression: [.warn, .ignore, .deadLetter][Int(random.next(upTo: 3))]),
      unknownType: [.ignore, .warn, .deadLetter][Int(random.next(upTo: 3))],
      eventTime: random.next(upTo: 2) == 0 ? .recordTimestamp : .occurredAt)
  }

  private static func terminal(_ random: inout SplitMix64) -> Kind {
    switch random.next(upTo: 12) {
    case 0: .count
    case 1: .reduce
    case 2: .aggregate
    case 3, 4: .toTable(onChange: random.next(upTo: 2) == 0)
    case 5, 6, 7:
      .project(
        MissingRowPolicy.allCases[Int(random.next(upTo: 4))],
        checksSequence: random.next(upTo: 2) != 0)
    case 8, 9: .process(delay: 5 + Int64(random.next(upTo: 60)), deletes: false)
    case 10: .audit
    default: .sink
    }
  }

}

extension ModelPlan.Kind {
  /// Whether it keeps rows of a serde that the plan chooses.
  var hasRefusableRows: Bool {
    switch self {
    case .reduce, .aggregate, .toTable, .project, .process: true
    default: false
    }
  }

  /// The operator's name in the DSL, in kebab-case.
  var word: String {
    switch self {
    case .filter: "filter"
    case .filterNot: "filter-not"
    case .mapValues: "map"
    case .flatMapValues: "flat-map"
    case .peek: "peek"
    case .split: "split"
    case .merge: "merge"
    case .count: "count"
    case .reduce: "reduce"
    case .aggregate: "aggregate"
    case .toTable: "table"
    case .project: "project"
    case .process: "process"
    case .audit: "audit"
    case .sink: "sink"
    }
  }
}
