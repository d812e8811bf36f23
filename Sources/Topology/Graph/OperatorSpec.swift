/// One operator of a topology as a value: what `describe` prints and lineage is made of. The closures
/// that each task runs lie beside it, in the topology.
public struct OperatorSpec: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    case source(topic: String)
    /// The operator's name in the DSL, as `filter` or `aggregate`.
    case processor(String)
    case sink(topic: String)

    /// `source`, `sink`, or the processor's word.
    public var word: String {
      switch self {
      case .source: "source"
      case .processor(let word): word
      case .sink: "sink"
      }
    }
  }

  /// The output of an operator that another one reads.
  public struct Input: Hashable, Sendable {
    public let id: Int
    /// Which branch of a split; `nil` for operators with one output.
    public let branch: String?

    @usableFromInline
    init(_ id: Int, branch: String? = nil) {
      self.id = id
      self.branch = branch
    }
  }

  /// Counts operators in the order of declaration; an operator's inputs have lower numbers.
  public let id: Int
  public let name: String
  public let kind: Kind
  /// As declared, 1 without: what tells two meanings of an operator's closures apart.
  public let version: Int
  /// In a fixed order for each kind.
  public let parameters: [OperatorParameter]
  public let inputs: [Input]
  /// Names of the stores it reads and writes.
  public let stores: [String]
  /// Whether state bears its name: rows, or timers.
  public let isStateful: Bool
  /// Where it was declared, as `OrderProjections/Orders.swift:12`.
  public let location: String

  /// What it does to what it sends: by equal ones outputs are numbered alike.
  var outputMeaning: String {
    let facts = parameters.filter { $0.role != .incidental }.map { "\($0.name)=\($0.meaning)" }
    let read = inputs.map { "\($0.id)" + ($0.branch.map { "/\($0)" } ?? "") }
    return ([kind.word, name, String(version)] + read + stores + facts).joined(separator: "\u{1}")
  }

  /// Whether some of its records may go no further.
  var mayDrop: Bool {
    switch kind {
    case .processor(let word):
      ["filter", "filterNot", "split", "flatMap", "flatMapValues", "process"].contains(word)
    case .source, .sink: false
    }
  }
}
