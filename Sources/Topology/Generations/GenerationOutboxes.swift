import StateStore
import StreamCore

/// The outboxes of a generation that does not run, be it that the topology has another lineage now:
/// what its tasks had decided to send is sent.
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
  func publishToEnd(on log: any RecordLog, _ stop: StopSignal) throws {
    for task in try directory.tasks(of: generation) {
      try stop.check("the sending of what was not sent yet")
      let path = directory.task(generation, task)
      let reader = try StateReader.open(path)
      let destinations = Outbox.destinations(in: try reader.read { try $0.words() })
      guard !destinations.isEmpty else { continue }
      let state = try TaskState.open(directory: path, identity: reader.identity)
      let publisher = try OutboxPublisher(
        state, of: task, topology: topology, destinations: destinations, log: log)
      defer { publisher.close() }
      try state.makeDurable()
      try publisher.publish()
    }
  }
}
