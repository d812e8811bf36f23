import StateStore
import StreamCore

/// What a state says of one of its tasks, as far as the graph must know it.
package struct HeldTask: Hashable, Sendable {
  package let name: TaskName
  package let stores: Set<String>
  /// Topics that it has read.
  package let topics: Set<String>

  package init(name: TaskName, stores: Set<String>, topics: Set<String>) {
    self.name = name
    self.stores = stores
    self.topics = topics
  }

  /// One task of each sub-topology that a generation holds: they are alike.
  ///
  /// - Throws: ``StateStore/StoreError`` for state that cannot be read.
  package static func all(of generation: Int, in directory: StateDirectory) throws -> [HeldTask] {
    var seen: Set<String> = []
    return try directory.tasks(of: generation).filter { seen.insert($0.subTopology).inserted }
      .compactMap { name in
        let path = directory.task(generation, name)
        do {
          let reader = try StateReader.open(path)
          let progress = try reader.read { try TaskProgress($0) }
          return HeldTask(
            name: name, stores: Set(reader.identity.lineage.keys),
            topics: Set(progress.positions.keys.map(\.topic)))
        } catch let error as StoreError where error.code == .missing || error.code == .foreign {
          // Made by a start that ended before it wrote anything: whoever opens it says what it is.
          return nil
        }
      }
  }
}

extension Topology {
  /// Whether a sub-topology came to a state later and keeps nothing: its sinks begin at the ends of
  /// their sources. One with stores begins where the log does, for a store is never filled from the
  /// middle.
  ///
  /// A state that committed anything was opened with all tasks of its topology.
  package func beginsAtEnds(_ sub: SubTopology, beside held: [HeldTask]) -> Bool {
    sub.stores.isEmpty && held.contains { !$0.topics.isEmpty }
      && !held.contains { $0.name.subTopology == sub.name }
  }

  /// Refuses a state whose stores or inputs lie with a sub-topology of another name than this
  /// topology's: its tasks would begin anew beside it and send everything again.
  ///
  /// - Throws: ``StateStore/StoreError`` with `.lineageChanged`: a rebuild leads on from there.
  package func checkPlaces(of held: [HeldTask], directory: String) throws(StoreError) {
    var changes: [String] = []
    for task in held {
      let old = task.name.subTopology
      for sub in subTopologies where sub.name != old {
        let moved =
          sub.stores.filter(task.stores.contains).map { "store '\($0)'" }
          + sub.topics.filter(task.topics.contains).map { "topic '\($0)'" }
        guard let first = moved.first else { continue }
        changes.append(
          "\(first) was of sub-topology '\(old)', is of '\(sub.name)', which is called by the first "
            + "source that it declares")
      }
      if !subTopologies.contains(where: { $0.name == old }) {
        let known = Set(stores.map(\.name))
        changes += task.stores.subtracting(known).sorted().map { "store '\($0)' is gone" }
      }
    }
    guard !changes.isEmpty else { return }
    throw StoreError(
      .lineageChanged,
      "the topology is not the one that built this state: \(changes.joined(separator: "; ")); "
        + "rebuild it with `projector rewind \(name) --to earliest`, or run the topology that built "
        + "it", store: directory)
  }
}
