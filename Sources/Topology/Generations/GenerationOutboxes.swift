import StateStore
import StreamCore

/// The outboxes of a stopped generation whose lineage the topology no longer has: its tasks cannot
/// be run, but what they had decided to send is sent.
struct GenerationOutboxes {
  private let generation: Int
  private let directory: StateDirectory
  private let topology: String

  init(_ generation: Int, in directory: StateDirectory, topology: String) {
    self.generation = generation
    self.directory = directory
    self.topology = topology
  }

  /// - Throws: ``StateStore/StoreError`` or ``StreamCore/LogError``.
  func publishToEnd(on log: any RecordLog) throws {
    let tasks = try directory.tasks(of: generation)
    let paths = tasks.map { directory.task(generation, $0) }
    let stored = try paths.map { path in
      let reader = try StateReader.open(path)
      return (reader.identity, Outbox.destinations(in: try reader.read { try $0.words() }))
    }
    for (index, (identity, destinations)) in stored.enumerated() where !destinations.isEmpty {
      let state = try TaskState.open(directory: paths[index], identity: identity)
      let publisher = try OutboxPublisher(
        state, of: tasks[index], topology: topology, destinations: destinations, log: log)
      defer { publisher.close() }
      try state.makeDurable()
      try publisher.publish()
    }
  }
}
