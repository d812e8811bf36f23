/// One operator of a topology: what `describe` prints, lineage compares and a task assembles.
public struct TopologyNode: Sendable {
  public enum Kind: Hashable, Sendable {
    case source(topic: String)
    /// The operator's name in the DSL, as `filter` or `aggregate`.
    case processor(String)
    case sink(topic: String)
  }

  /// Counts nodes in the order of declaration; a node's inputs have lower numbers.
  public let id: Int
  public let name: String
  public let kind: Kind
  public let inputs: [Int]
  /// Names of the stores it reads and writes.
  public let stores: [String]
  /// What else makes its output what it is, for lineage: serdes, policies, declared version.
  public let traits: [String]
  /// Where it was declared, as `OrderProjections/Orders.swift:12`.
  public let location: String
  /// Wires one task's instance of the operator; called after all its consumers'.
  @usableFromInline let assemble: @Sendable (TaskAssembly) -> Void

  /// The operator with its traits, as lineage and `describe` write it.
  var signature: String {
    let word =
      switch kind {
      case .source(let topic): "source \(topic)"
      case .processor(let word): word
      case .sink(let topic): "sink \(topic)"
      }
    return traits.isEmpty ? word : "\(word) (\(traits.joined(separator: ", ")))"
  }
}
