import StateStore

extension Topology {
  /// The graph as one JSON object on one line, fields in a fixed order.
  public func json() -> String {
    let groups = subTopologies.map { sub in
      object([
        ("name", text(sub.name)), ("topics", texts(sub.topics)), ("stores", texts(sub.stores)),
        ("sinks", texts(sub.sinks)),
        ("operators", array(sub.operators.map { json(operators[$0]) })),
      ])
    }
    let views = stores.map { store in
      object([
        ("name", text(store.name)), ("key", text(store.keyType)), ("row", text(store.rowType)),
        ("layout", text(store.layout)), ("indexes", texts(store.indexes)),
        ("published", String(store.isPublished)),
      ])
    }
    return object([
      ("topology", text(name)), ("group", text(group)), ("subTopologies", array(groups)),
      ("stores", array(views)), ("outputTopics", texts(outputTopics)),
      ("deadLetterTopic", deadLetterTopic.map(text) ?? "null"),
      ("idleAdvance", idleAdvance.map { text($0.text) } ?? "null"),
    ])
  }

  private func json(_ each: OperatorSpec) -> String {
    var fields = [("name", text(each.name)), ("kind", text(each.kind.word))]
    switch each.kind {
    case .source(let topic), .sink(let topic): fields.append(("topic", text(topic)))
    case .processor: break
    }
    fields += [
      ("version", String(each.version)),
      ("parameters", object(each.parameters.map { ($0.name, json($0.value)) })),
      ("inputs", texts(inputs(of: each))), ("stores", texts(each.stores)),
    ]
    return object(fields)
  }

  private func json(_ value: OperatorParameter.Value) -> String {
    switch value {
    case .text(let word): text(word)
    case .number(let number): String(number)
    case .flag(let flag): String(flag)
    case .duration(let duration): text(duration.text)
    case .list(let elements): texts(elements)
    case .retried(let action, let times, let backoff):
      object([
        ("action", text(action)), ("retries", String(times)), ("backoff", text(backoff.text)),
      ])
    }
  }

  private func object(_ fields: [(String, String)]) -> String {
    "{" + fields.map { "\(text($0.0)):\($0.1)" }.joined(separator: ",") + "}"
  }

  private func array(_ elements: [String]) -> String {
    "[" + elements.joined(separator: ",") + "]"
  }

  private func text(_ text: String) -> String { KeyText.json(.string(text)) }

  private func texts(_ list: [String]) -> String { array(list.map(text)) }
}
