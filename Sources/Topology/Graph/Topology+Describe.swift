extension Topology {
  /// The graph as text, in the manner of Kafka Streams' `Topology#describe`; stable for goldens.
  public func describe() -> String {
    var lines = ["Topology: \(name) (group \(group))"]
    for sub in subTopologies {
      lines.append("  Sub-topology: \(sub.name)")
      for id in sub.operators {
        let each = operators[id]
        let stores = each.stores.isEmpty ? "" : " (stores: \(list(each.stores)))"
        let head =
          switch each.kind {
          case .source(let topic): "Source: \(each.name) (topic: \(topic))"
          case .processor(let word): "Processor: \(each.name) (\(word))\(stores)"
          case .sink(let topic): "Sink: \(each.name) (topic: \(topic))"
          }
        lines.append("    \(head)")
        if each.version != 1 { lines.append("      version: \(each.version)") }
        for parameter in each.parameters {
          lines.append("      \(parameter.name): \(parameter.text)")
        }
        if case .sink = each.kind {} else { lines.append("      --> \(list(consumers(of: id)))") }
        if case .source = each.kind {} else { lines.append("      <-- \(list(inputs(of: each)))") }
      }
    }
    if !stores.isEmpty { lines.append("  Stores:") }
    for store in stores {
      let kind = store.isPublished ? "View" : "Store"
      lines.append("    \(kind): \(store.name) (\(store.keyType) -> \(store.rowType))")
      lines.append("      layout: \(store.layout)")
      for index in store.indexes { lines.append("      index \(index)") }
    }
    if !outputTopics.isEmpty {
      lines.append("  Producer: acks=all, enable.idempotence=true, ids deterministic")
    }
    if let idleAdvance { lines.append("  Idle advance: after \(idleAdvance.text)") }
    if let deadLetterTopic { lines.append("  Dead letters: \(deadLetterTopic)") }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The graph as a Mermaid flow chart.
  public func mermaid() -> String {
    var lines = ["flowchart LR"]
    for (number, sub) in subTopologies.enumerated() {
      lines.append("  subgraph sub\(number)[\"sub-topology \(sub.name)\"]")
      for id in sub.operators {
        let (open, close) =
          switch operators[id].kind {
          case .source, .sink: ("([", "])")
          case .processor: ("[", "]")
          }
        lines.append("    n\(id)\(open)\"\(operators[id].name)\"\(close)")
      }
      lines.append("  end")
    }
    for (number, store) in stores.enumerated() {
      lines.append("  s\(number)[(\"\(store.name)\")]")
    }
    for each in operators {
      for input in each.inputs {
        let branch = input.branch.map { " -- \"\($0)\"" } ?? ""
        lines.append("  n\(input.id)\(branch) --> n\(each.id)")
      }
      for (number, store) in stores.enumerated() where each.stores.contains(store.name) {
        lines.append("  n\(each.id) --- s\(number)")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Names of the operators that an operator reads, with the branch of a split as `by-size/large`.
  func inputs(of each: OperatorSpec) -> [String] {
    each.inputs.map { input in
      operators[input.id].name + (input.branch.map { "/\($0)" } ?? "")
    }
  }

  private func consumers(of id: Int) -> [String] {
    operators.filter { $0.inputs.contains { $0.id == id } }.map(\.name)
  }

  private func list(_ names: [String]) -> String {
    names.isEmpty ? "none" : names.joined(separator: ", ")
  }
}
