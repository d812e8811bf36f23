/// Everything that is wrong with a topology, found before any I/O.
public struct TopologyError: Error, Hashable, Sendable, CustomStringConvertible {
  public struct Problem: Hashable, Sendable, CustomStringConvertible {
    /// What is wrong and what to do.
    public let message: String
    /// Where the operator was declared, as `OrderProjections/Orders.swift:12`.
    public let location: String

    public var description: String { "\(location): \(message)" }
  }

  public let topology: String
  /// In the order of declaration, never empty.
  public let problems: [Problem]

  public var description: String {
    let count = problems.count == 1 ? "1 problem" : "\(problems.count) problems"
    return "topology '\(topology)' has \(count):"
      + problems.map { "\n  \($0.description)" }.joined()
  }
}
