extension Topology {
  /// What of a sub-topology runs on a state that lacks some of its stores: all but what writes or
  /// reads them, what has no other input than those, and sources that nothing is left to read.
  ///
  /// A store is never filled from the middle of its inputs, so a view that was added waits for a
  /// rebuild, while what was there goes on. An operator that merges what waits with what does not
  /// goes on with the latter. The sub-topology keeps its name.
  package func runnable(_ sub: SubTopology, without missing: Set<String>) -> SubTopology {
    guard !missing.isDisjoint(with: sub.stores) else { return sub }
    var waits: Set<Int> = []
    // Inputs have lower numbers than what reads them.
    for id in sub.operators {
      let inputs = operators[id].inputs
      if !missing.isDisjoint(with: operators[id].stores)
        || (!inputs.isEmpty && inputs.allSatisfy { waits.contains($0.id) })
      {
        waits.insert(id)
      }
    }
    var read: Set<Int> = []
    for id in sub.operators.reversed() where !waits.contains(id) {
      if case .source = operators[id].kind, !read.contains(id) {
        waits.insert(id)
      } else {
        read.formUnion(operators[id].inputs.map(\.id))
      }
    }
    return SubTopology(
      sub.operators.filter { !waits.contains($0) }.map { operators[$0] }, named: sub.name)
  }
}
