import StateStore
import StreamCore
import Topology

/// Finds an event by its id, which counts within a scope: its topic, or a declared common one.
struct EventLookup {
  let event: String
  /// Declared scopes other than the topics, where the topology is registered.
  private let declared: [String]

  init(_ event: String, _ topology: Topology?) {
    self.event = event
    declared = topology?.sources.map(\.idScope) ?? []
  }

  /// The hashes under which a task may know the event.
  private func hashes(_ view: StateView) throws -> [(scope: String, hash: Hash128)] {
    let topics = try view.positions().keys.compactMap { name in
      name.lastIndex(of: "-").map { String(name[..<$0]) }
    }
    let bytes = Array(event.utf8)
    return Set(topics + declared).sorted().map { name in
      let scope = hash64(Array(name.utf8).span.bytes)
      return (name, Hash128(bytes.span.bytes, scope: scope))
    }
  }

  /// Where it was seen as processed.
  func seen(_ view: StateView) throws -> [(scope: String, id: SeenID)] {
    try hashes(view).compactMap { scope, hash in try view.seenID(hash).map { (scope, $0) } }
  }

  /// The entries of `held` or `deadLetters` under its id.
  func kept(_ list: String, _ view: StateView) throws -> [EntryStore.Entry] {
    try hashes(view).flatMap { try view.entries(list, id: $0.hash) }
  }
}
