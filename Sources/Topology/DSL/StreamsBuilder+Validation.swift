import StreamCore

extension StreamsBuilder {
  /// Reports what is wrong with the graph as a whole; operators were checked as they were declared.
  func validate(_ subTopologies: [SubTopology]) {
    if sources.isEmpty { report("it reads no topic; declare a source", at: location) }
    validateNames()
    let inputs = Set(sources.map(\.topic))
    let outputs = (subTopologies.flatMap(\.sinks) + (deadLetterTopic.map { [$0] } ?? [])).uniqued()
    for topic in outputs where inputs.contains(topic) {
      report("topic '\(topic)' is read and written: a cycle; write to another topic", at: location)
    }
    validatePlaces(subTopologies, inputs: sources.map(\.topic), outputs: outputs)
    validateSeenIDs(subTopologies)
    for sub in subTopologies where sub.stores.isEmpty && sub.sinks.isEmpty {
      report("nothing comes of \(list(sub.topics)): add a view, a store or a sink", at: location)
    }
  }

  /// The policy of a view, which behind an operator that drops records must be written.
  @usableFromInline
  func missingRow(
    _ policy: MissingRowPolicy?, of name: String, reading input: OperatorSpec.Input,
    at location: String
  ) -> MissingRowPolicy {
    if let policy { return policy }
    var pending = [input.id]
    var seen: Set<Int> = []
    while let id = pending.popLast() {
      guard seen.insert(id).inserted else { continue }
      if operators[id].mayDrop {
        report(
          "view '\(name)' lies behind '\(operators[id].name)', which may drop the record that creates "
            + "a row: its updates would be held for ever; write `missing:`", at: location)
        break
      }
      pending += operators[id].inputs.map(\.id)
    }
    return .holdUntilCreated
  }

  private func validateNames() {
    for (name, count) in operators.map(\.name).counted() where count > 1 {
      let last = operators.last { $0.name == name }?.location ?? location
      report("\(count) operators are named '\(name)'; names are unique", at: last)
    }
    for (topic, count) in sources.map(\.topic).counted() where count > 1 {
      report("topic '\(topic)' is read by \(count) sources; share one stream", at: location)
    }
    for each in operators { checkName(each.name, of: "an operator", at: each.location) }
    let stores = declarations.map(\.spec.name)
    // Operators that own a store of their name are among the duplicates already.
    for (name, count) in stores.counted()
    where count > 1 && operators.count(where: { $0.name == name }) < 2 {
      report("\(count) stores are named '\(name)'; names are unique", at: location)
    }
    for each in operators {
      for store in each.stores where !stores.contains(store) {
        report("'\(each.name)' uses store '\(store)', which is not declared", at: each.location)
      }
    }
  }

  /// Each sub-topology has a directory a task and, where anything leaves it, a topic of its own.
  private func validatePlaces(_ subs: [SubTopology], inputs: [String], outputs: [String]) {
    for sub in subs where sub.name.hasPrefix(".") {
      report(
        "'\(sub.name)' would give its tasks hidden directories; declare another source of its "
          + "sub-topology first, or name the topic otherwise", at: location)
    }
    guard !outputs.isEmpty else { return }
    for sub in subs {
      let journal = CheckpointLog.topic(of: name, sub.name)
      if journal.utf8.count > 249 {
        report(
          "the journal topic of '\(sub.name)' would be called \(journal), which is longer than the "
            + "249 characters of a topic; shorten the topology's name", at: location)
      }
      for topic in inputs + outputs where topic == journal {
        report(
          "topic '\(topic)' is where this topology keeps what '\(sub.name)' has sent; read or write "
            + "another", at: location)
      }
    }
  }

  /// Seen ids lie with a task, a set for each scope.
  private func validateSeenIDs(_ subTopologies: [SubTopology]) {
    for scope in sources.map(\.idScope).uniqued() {
      let sharing = sources.filter { $0.idScope == scope }
      // A topic that is read twice is told of already.
      guard sharing.map(\.topic).uniqued().count == sharing.count else { continue }
      let homes = subTopologies.filter { sub in
        sharing.contains { sub.topics.contains($0.topic) }
      }
      if homes.count > 1 {
        report(
          "\(list(sharing.map(\.topic))) share the id scope '\(scope)' and are read by different "
            + "tasks, which cannot know each other's ids; read them together, or give each a scope",
          at: location)
      } else if sharing.map(\.seenIDs).uniqued().count > 1 {
        report(
          "\(list(sharing.map(\.topic))) share the id scope '\(scope)' and declare different "
            + "retentions of seen ids; a scope has one: declare one", at: location)
      }
    }
  }

  /// Names are kebab-case: they become directories, topics and words of a command line.
  func checkName(_ name: String, of what: String, at location: String) {
    let valid =
      !name.isEmpty && name.utf8.count <= 120
      && name.utf8.allSatisfy {
        (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d
      }
      && name.utf8.first != 0x2d && name.utf8.last != 0x2d
    if !valid {
      report(
        "'\(name)' is no name for \(what): lower-case letters, digits and inner '-'", at: location)
    }
  }

  /// Kafka's rule for topic names (`org.apache.kafka.common.internals.Topic`).
  func checkTopic(_ topic: String, at location: String) {
    let valid =
      !topic.isEmpty && topic.utf8.count <= 249 && topic != "." && topic != ".."
      && topic.utf8.allSatisfy {
        (0x61...0x7a).contains($0) || (0x41...0x5a).contains($0) || (0x30...0x39).contains($0)
          || $0 == 0x2d || $0 == 0x2e || $0 == 0x5f
      }
    if !valid {
      report("'\(topic)' is no topic: 1 to 249 of letters, digits, '.', '_' and '-'", at: location)
    }
  }

  private func list(_ topics: [String]) -> String {
    topics.map { "'\($0)'" }.joined(separator: ", ")
  }
}

extension Sequence where Element == String {
  /// Each element with how often it occurs, in order of first appearance.
  func counted() -> [(String, Int)] {
    var counts: [String: Int] = [:]
    for element in self { counts[element, default: 0] += 1 }
    return uniqued().map { ($0, counts[$0] ?? 0) }
  }
}
