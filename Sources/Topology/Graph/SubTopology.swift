/// Operators connected by streams or stores: what one task of a partition runs.
public struct SubTopology: Hashable, Sendable {
  /// The first of its inputs as declared, a topic. Directories, ids of dead letters and the journal
  /// topic bear it, so that every state directory agrees, whatever else the topology holds.
  public let name: String
  /// Numbers of its operators, in order of declaration.
  public let operators: [Int]
  /// Source topics in order of declaration: the order of inputs in the merge rule.
  public let topics: [String]
  public let stores: [String]
  public let sinks: [String]

  init(_ members: [OperatorSpec], named name: String? = nil) {
    let topics = members.compactMap { member -> String? in
      if case .source(let topic) = member.kind { topic } else { nil }
    }
    // What has no inputs is a source: there is one in whatever hangs together.
    self.name = name ?? topics[0]
    self.topics = topics
    operators = members.map(\.id)
    stores = members.flatMap(\.stores).uniqued()
    sinks = members.compactMap { member in
      if case .sink(let topic) = member.kind { topic } else { nil }
    }.uniqued()
  }

  /// Groups operators that share an edge or a store, in order of their first one.
  static func partition(_ operators: [OperatorSpec]) -> [SubTopology] {
    var parent = Array(operators.indices)
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
    for each in operators {
      for input in each.inputs { join(each.id, input.id) }
      for store in each.stores {
        if let user = firstUser[store] { join(each.id, user) } else { firstUser[store] = each.id }
      }
    }
    let roots = operators.map { root($0.id) }
    return operators.indices.filter { roots[$0] == $0 }.map { first in
      SubTopology(operators.filter { roots[$0.id] == first })
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
