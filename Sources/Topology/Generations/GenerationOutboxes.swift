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
  func publishToEnd(
    on log: any RecordLog, _ stop: StopSignal, report: @escaping @Sendable (String) -> Void
  ) throws {
    let setting = TaskOutputs.Setting(topology: topology, log: log, report: report)
    for name in try directory.tasks(of: generation) {
      try stop.check("the sending of what was not sent yet")
      let path = directory.task(generation, name)
      let state = try TaskState.open(
        directory: path, identity: try StateReader.open(path).identity)
      let waits = state.outbox.destinations.indices.contains { state.outbox.pendingCount($0) > 0 }
      guard waits else { continue }
      let outputs = try TaskOutputs.open(TaskOutputs.Subject(committed: state), setting)
      defer { outputs.close() }
      guard outputs.catchUp == nil else {
        throw StoreError(
          .foreign,
          "the outputs of task \(name) were sent beyond where its state stands, and a changed "
            + "topology cannot bring it there; start the program that sent them once", store: path)
      }
      try outputs.start()
      try outputs.publish()
    }
  }
}

extension TaskOutputs.Subject {
  /// A state as its last commit says, without its operators.
  init(committed state: TaskState) throws {
    let progress = try TaskProgress.read(state.directory)
    self.init(
      state: state, name: TaskName(state.identity),
      standing: Standing(
        units: progress.units, positions: progress.taken, numbers: state.outbox.numbers),
      begun: progress.starts, lineage: nil, destinations: [])
  }
}
