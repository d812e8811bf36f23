import ArgumentParser
import StateStore
import Topology

struct Trace: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Finds an event by its id: where it came from and what became of it.")

  @Argument(help: "A topology with state here.") var topology: String
  @Argument(help: "The event's id.") var eventID: String
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("state", state.directory)] }

  func run(in session: Session) throws {
    let state = try TopologyState(session.stateDirectory(of: topology))
    let lookup = EventLookup(eventID, try session.registered(topology))
    var isFound = false
    for task in state.tasks {
      for line in try lines(task, lookup) {
        isFound = true
        try session.output.write(line + "\n")
      }
    }
    guard isFound else {
      throw Failure(
        .notFound, "event '\(eventID)' is not in the state", at: state.directory.path,
        todo: "it was not consumed yet, is beyond the retention of ids, or its id is another")
    }
  }

  private func lines(_ task: StoredTask, _ lookup: EventLookup) throws -> [String] {
    let topics = try task.positions().compactMap { position in
      position.partition.lastIndex(of: "-").map { String(position.partition[..<$0]) }
    }
    return try task.read { view in
      var lines: [String] = []
      for (scope, seen) in try lookup.seen(view) {
        // A common scope names no topic: then it is one of the inputs.
        let topic = topics.contains(scope) ? scope : topics.joined(separator: "|")
        let place = seen.offset.map { "@\($0)" } ?? ""
        lines.append("\(topic)-\(task.name.partition)\(place)\tprocessed")
      }
      for (list, fate) in [(KeptList.held, "held"), (.deadLetters, "dead letter")] {
        for entry in try lookup.kept(list.rawValue, view) {
          let kept = try KeptRecord(entry.bytes)
          let place = "\(kept.record.topicPartition)@\(kept.record.offset)"
          let id = DeadLetterID(task: task.name, number: entry.number)
          lines.append("\(place)\t\(fate) \(id): \(LineText.escaped(kept.explanation))")
        }
      }
      if lines.isEmpty, let place = position(of: lookup.event, topics, task),
        let line = try taken(place, task)
      {
        lines.append(line)
      }
      return lines
    }
  }

  /// An event without an id of its own is known by TOPIC:PARTITION:OFFSET.
  private func position(
    of event: String, _ topics: [String], _ task: StoredTask
  ) -> TopicPosition? {
    let parts = event.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3, topics.contains(String(parts[0])),
      parts[1] == String(task.name.partition)
    else { return nil }
    return TopicPosition(parsing: "\(parts[0])-\(parts[1])@\(parts[2])")
  }

  private func taken(_ position: TopicPosition, _ task: StoredTask) throws -> String? {
    let found = try task.positions().first { $0.partition == "\(position.topicPartition)" }
    guard let found, position.offset >= 0, position.offset < found.offset else { return nil }
    return "\(position)\ttaken; of an event without an id only its position is kept"
  }
}
