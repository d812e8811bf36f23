import StateStore
import StreamCore
import Topology

/// Finds events by their ids, which count within a scope: their topic, or a declared common one.
struct EventScopes {
  private let names: [String]

  /// - Parameter topology: where it is registered, for scopes other than the topics.
  init(_ state: TopologyState, _ topology: Topology?) throws {
    var names: Set<String> = []
    for task in state.tasks {
      for (partition, _) in try OpenView.positions(in: task.read { try $0.words() }) {
        names.insert(
          String(partition.prefix(upTo: partition.lastIndex(of: "-") ?? partition.endIndex)))
      }
    }
    names.formUnion(topology?.sources.map(\.idScope) ?? [])
    self.names = names.sorted()
  }

  /// The hashes under which an event may be known.
  func hashes(of eventID: String) -> [(scope: String, hash: Hash128)] {
    let bytes = Array(eventID.utf8)
    return names.map { name in
      let scope = hash64(Array(name.utf8).span.bytes)
      return (name, Hash128(bytes.span.bytes, scope: scope))
    }
  }
}
