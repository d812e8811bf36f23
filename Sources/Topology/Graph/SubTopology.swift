/// Operators connected by streams or stores: what one task of a partition runs.
public struct SubTopology: Hashable, Sendable {
  /// The first of its inputs as declared, a topic. Directories, ids of dead letters and the journal
  /// topic bear it, so that every state directory agrees, whatever else the topology holds.
  public var name: String { topics[0] }
  /// Node ids in order of declaration.
  public let nodes: [Int]
  /// Source topics in order of declaration, never empty: the order of inputs in the merge rule.
  public let topics: [String]
  public let stores: [String]
  public let sinks: [String]

  /// Groups nodes that share an edge or a store.
  static func partition(_ nodes: [TopologyNode]) -> [SubTopology] {
    var parent = Array(nodes.indices)
    func root(_ id: Int) -> Int {
      var id = id
      while parent[id] != id { id = parent[id] }
      return id
    }
    func join(_ left: Int, _ right: Int) {
      let (low, high) = (min(root(left), root(right)), max(root(left), root(right)))
      parent[high] = low
    }
    var firstUser: [String: Int] = [:]
    for node in nodes {
      for input in node.inputs { join(node.id, input) }
      for store in node.stores {
        if let user = firstUser[store] { join(node.id, user) } else { firstUser[store] = node.id }
      }
    }
    let roots = nodes.map { root($0.id) }
    return nodes.indices.filter { roots[$0] == $0 }.map { first in
      let members = nodes.filter { roots[$0.id] == first }
      return SubTopology(
        nodes: members.map(\.id),
        topics: members.compactMap { if case .source(let topic) = $0.kind { topic } else { nil } },
        stores: members.flatMap(\.stores).uniqued(),
        sinks: members.compactMap { if case .sink(let topic) = $0.kind { topic } else { nil } }
          .uniqued())
    }
  }
}

extension Sequence where Element: Hashable {
  /// The elements without repeats, in order of first appearance.
  func uniqued() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
