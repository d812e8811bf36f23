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
    let scopes = try EventScopes(state, session.registered(topology))
    var isFound = false
    for task in state.tasks {
      for (scope, hash) in scopes.hashes(of: eventID) {
        for line in try lines(task, hash, scope: scope) {
          isFound = true
          try session.output.write(line + "\n")
        }
      }
    }
    guard isFound else {
      throw Failure(
        .notFound, "event '\(eventID)' is not in the state", at: state.directory.path,
        todo: "it was not consumed yet, is beyond the retention of ids, or its id is another")
    }
  }

  private func lines(_ task: StateReader, _ hash: Hash128, scope: String) throws -> [String] {
    try task.read { view in
      var lines: [String] = []
      if let seen = try view.seenID(hash) {
        let place = seen.offset.map { "@\($0)" } ?? ""
        let partition = "\(try topic(seen, task, scope))-\(task.identity.partition)"
        lines.append("\(partition)\(place)\tprocessed")
      }
      for (store, fate) in [("held", "held"), ("deadLetters", "dead letter")] {
        for entry in try view.entries(store, id: hash) {
          let kept = try KeptRecord(entry.bytes)
          let place = "\(kept.record.topicPartition)@\(kept.record.offset)"
          let id = DeadLetterID(task: TaskName(task.identity), number: entry.number)
          lines.append("\(place)\t\(fate) \(id): \(kept.explanation)")
        }
      }
      return lines
    }
  }

  /// A common scope names no topic: then the number of the input does.
  private func topic(_ seen: SeenID, _ task: StateReader, _ scope: String) throws -> String {
    let suffix = "-\(task.identity.partition)"
    let topics = OpenView.positions(in: try task.read { try $0.words() })
      .map(\.partition).filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.count)) }
    return topics.contains(scope) ? scope : topics.joined(separator: "|")
  }
}

extension KeptRecord {
  /// Why it is kept, in a line.
  var explanation: String {
    switch why {
    case .failed(let reason, let message, let parks):
      "\(reason): \(message)\(parks ? " (later records of its key wait)" : "")"
    case .missingRow: "waits until '\(operatorName)' has a row of its key"
    case .missingNumber: "waits for the sequence numbers before its own"
    case .parked: "waits behind a failed record of its key"
    }
  }
}
