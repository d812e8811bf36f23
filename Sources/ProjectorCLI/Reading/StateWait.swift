import Glibc
import StateStore
import StreamCore
import Topology

/// Waits until something is in the state: a reader's own write, above all.
struct StateWait {
  let directory: StateDirectory
  /// Where it is registered.
  let topology: Topology?
  let timeout: Duration

  /// - Parameter event: an event's id, or TOPIC-PARTITION@OFFSET.
  /// - Returns: the state that has it.
  /// - Throws: ``Failure`` when time runs out, or at once for an event that is a dead letter.
  func until(_ event: String) throws -> TopologyState {
    let position = TopicPosition(parsing: event)
    let deadline = ContinuousClock.now + timeout
    var pause: UInt32 = 500
    while true {
      if let state = try TopologyState.whereStarted(directory),
        try position.map({ try holds($0, state) }) ?? holds(event: event, state)
      {
        return state
      }
      guard ContinuousClock.now < deadline else { throw try timedOut(event) }
      usleep(pause)
      pause = min(pause * 2, 20_000)
    }
  }

  private func holds(_ position: TopicPosition, _ state: TopologyState) throws -> Bool {
    let name = "\(position.topicPartition)"
    for task in state.tasks {
      let positions = OpenView.positions(in: try task.read { try $0.words() })
      if let found = positions.first(where: { $0.partition == name }) {
        return found.offset > position.offset
      }
    }
    return false
  }

  private func holds(event: String, _ state: TopologyState) throws -> Bool {
    let hashes = try EventScopes(state, topology).hashes(of: event)
    for task in state.tasks {
      for (_, hash) in hashes {
        let (seen, dead) = try task.read { view in
          (try view.seenID(hash), try view.entries("deadLetters", id: hash))
        }
        if seen != nil { return true }
        if let entry = dead.first {
          throw Failure(
            .failed, "event '\(event)' is a dead letter and in no view", at: task.directory,
            todo: "see `dead-letters \(directory.topology) show --id "
              + "\(DeadLetterID(task: TaskName(task.identity), number: entry.number))`")
        }
      }
    }
    return false
  }

  private func timedOut(_ event: String) throws -> Failure {
    guard let state = try TopologyState.whereStarted(directory) else {
      return TopologyState.missing(directory)
    }
    let positions = try state.tasks.flatMap { task in
      OpenView.positions(in: try task.read { try $0.words() })
    }
    let list = positions.map { "\($0.partition)@\($0.offset)" }.sorted().joined(separator: ", ")
    let what = event.contains("@") ? "position '\(event)'" : "event '\(event)'"
    return Failure(
      .failed, "\(what) was not applied within \(timeout.text)", at: "the state is at \(list)",
      todo: "wait longer with --timeout, or see whether the topology runs")
  }
}
