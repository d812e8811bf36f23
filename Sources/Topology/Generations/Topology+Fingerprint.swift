import StateStore

extension Topology {
  /// What its state is made by, in one word: equal topologies make equal state.
  package var fingerprint: String {
    let lines = subTopologies.flatMap { sub in
      [sub.name] + sub.stores.sorted().map { lineage(ofStore: $0) } + sub.sinks.sorted()
    }
    let text = Array(lines.joined(separator: "\n").utf8)
    return Hash128(text.span.bytes).hexadecimal
  }
}
