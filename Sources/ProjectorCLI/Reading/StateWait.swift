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
    var search = EventSearch(EventLookup(event, topology), directory.topology)
    let deadline = ContinuousClock.now + timeout
    var pause: UInt32 = 500
    var state: TopologyState?
    var listed = ContinuousClock.now
    while true {
      // The tasks stay open from look to look; new ones are looked for now and then.
      let isStale = ContinuousClock.now - listed > .milliseconds(200)
      if try state == nil || isStale || directory.current() != state?.generation {
        listed = .now
        let found = try TopologyState.whereStarted(directory)
        if found?.generation != state?.generation || found?.tasks.count != state?.tasks.count {
          state = found
          search = EventSearch(EventLookup(event, topology), directory.topology)
        }
      }
      if let state, try position.map({ try holds($0, state) }) ?? search.isApplied(in: state) {
        return state
      }
      guard ContinuousClock.now < deadline else { throw try timedOut(event, state, search) }
      usleep(pause)
      pause = min(pause * 2, 20_000)
    }
  }

  /// Whether everything up to a position of the log is applied, in each task that reads it.
  private func holds(_ position: TopicPosition, _ state: TopologyState) throws -> Bool {
    let name = "\(position.topicPartition)"
    var isRead = false
    for task in state.tasks where task.name.partition == position.topicPartition.partition {
      guard let positions = try task.whereStarted({ try $0.positions() }),
        let found = positions.first(where: { $0.partition == name })
      else { continue }
      if found.offset <= position.offset { return false }
      isRead = true
    }
    return isRead
  }

  private func timedOut(
    _ event: String, _ state: TopologyState?, _ search: EventSearch
  ) throws -> Failure {
    guard let state else { return TopologyState.missing(directory) }
    let what = event.contains("@") ? "position '\(event)'" : "event '\(event)'"
    if let id = search.heldAs {
      return Failure(
        .failed, "\(what) is held, and not applied within \(timeout.text)", at: directory.path,
        todo: "see what it waits for with `held \(directory.topology) show \(id)`")
    }
    let positions = try state.tasks.flatMap { try $0.whereStarted { try $0.positions() } ?? [] }
    let list = positions.map { "\($0.partition)@\($0.offset)" }.sorted()
    // Of many partitions the first will do: the line is for a person.
    let shown = list.prefix(8).joined(separator: ", ") + (list.count > 8 ? ", …" : "")
    return Failure(
      .failed, "\(what) was not applied within \(timeout.text)", at: "the state is at \(shown)",
      todo: "wait longer with --timeout, or see whether the topology runs")
  }
}

extension StoredTask {
  /// `nil` for a task whose owner is just making its state.
  func whereStarted<Result>(_ body: (StoredTask) throws -> Result) throws -> Result? {
    do {
      return try body(self)
    } catch let error as StoreError where error.code == .foreign || error.code == .missing {
      return nil
    }
  }
}

/// Looks for an event again and again; a task in which nothing was committed since is not asked.
struct EventSearch {
  private let lookup: EventLookup
  private let topology: String
  private var looked: [TaskName: Int] = [:]
  /// The id under which the event waits, if it did at the last look.
  private(set) var heldAs: DeadLetterID?

  init(_ lookup: EventLookup, _ topology: String) {
    self.lookup = lookup
    self.topology = topology
  }

  /// - Throws: ``Failure`` for an event that is a dead letter.
  mutating func isApplied(in state: TopologyState) throws -> Bool {
    for task in state.tasks {
      let isFound = try task.whereStarted { task in try isApplied(in: task) }
      if isFound == true { return true }
    }
    return false
  }

  private mutating func isApplied(in task: StoredTask) throws -> Bool {
    let reader = try task.reader()
    let commit = reader.environment.lastTransaction
    if looked[task.name] == commit { return false }
    let found = try reader.read { view in
      (
        try lookup.seen(view), try lookup.kept(KeptList.deadLetters.rawValue, view),
        try lookup.kept(KeptList.held.rawValue, view)
      )
    }
    let (seen, dead, held) = found
    if !seen.isEmpty { return true }
    if let entry = dead.first {
      throw Failure(
        .failed, "event '\(lookup.event)' is a dead letter and in no view", at: task.directory,
        todo:
          "see `dead-letters \(topology) show \(DeadLetterID(task: task.name, number: entry.number))`"
      )
    }
    if let entry = held.first {
      heldAs = DeadLetterID(task: task.name, number: entry.number)
    } else if heldAs?.task == task.name {
      heldAs = nil
    }
    looked[task.name] = commit
    return false
  }
}
