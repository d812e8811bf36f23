extension Topology {
  /// The graph as text, in the manner of Kafka Streams' `Topology#describe`; stable for goldens.
  public func describe() -> String {
    var lines = ["Topology: \(name) (group \(group))"]
    for sub in subTopologies {
      lines.append("  Sub-topology: \(sub.name)")
      for id in sub.nodes {
        let node = nodes[id]
        let stores = node.stores.isEmpty ? "" : " (stores: \(list(node.stores)))"
        let head =
          switch node.kind {
          case .source(let topic): "Source: \(node.name) (topic: \(topic))"
          case .processor(let word): "Processor: \(node.name) (\(word))\(stores)"
          case .sink(let topic): "Sink: \(node.name) (topic: \(topic))"
          }
        lines.append("    \(head)")
        for trait in node.traits { lines.append("      \(trait)") }
        if case .source(let topic) = node.kind, let idle = idle(of: topic), idle > .zero {
          lines.append("      idle: \(idle.text)")
        }
        if case .sink = node.kind {} else { lines.append("      --> \(list(consumers(of: id)))") }
        if case .source = node.kind {
        } else {
          lines.append("      <-- \(list(node.inputs.map { nodes[$0].name }))")
        }
      }
    }
    if !stores.isEmpty { lines.append("  Stores:") }
    for store in stores {
      let kind = store.isPublished ? "View" : "Store"
      lines.append("    \(kind): \(store.name) (\(store.keyType) -> \(store.rowType))")
      for index in store.indexes { lines.append("      index \(index)") }
    }
    if !outputTopics.isEmpty {
      lines.append("  Producer: acks=all, enable.idempotence=true, ids deterministic")
    }
    if let deadLetterTopic { lines.append("  Dead letters: \(deadLetterTopic)") }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The graph as a Mermaid flow chart.
  public func mermaid() -> String {
    var lines = ["flowchart LR"]
    for (number, sub) in subTopologies.enumerated() {
      lines.append("  subgraph sub\(number)[\"sub-topology \(sub.name)\"]")
      for id in sub.nodes {
        let (open, close) =
          switch nodes[id].kind {
          case .source, .sink: ("([", "])")
          case .processor: ("[", "]")
          }
        lines.append("    n\(id)\(open)\"\(nodes[id].name)\"\(close)")
      }
      lines.append("  end")
    }
    for node in nodes {
      for input in node.inputs { lines.append("  n\(input) --> n\(node.id)") }
      for store in node.stores { lines.append("  n\(node.id) --- s_\(store)[(\"\(store)\")]") }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The declared idle time of a source; `nil` for a topic that none reads.
  package func idle(of topic: String) -> Duration? {
    sources.first { $0.topic == topic }?.idle
  }

  private func consumers(of id: Int) -> [String] {
    nodes.filter { $0.inputs.contains(id) }.map(\.name)
  }

  private func list(_ names: [String]) -> String {
    names.isEmpty ? "none" : names.joined(separator: ", ")
  }
}
