/// What readers without the ids in memory see of them.
extension StateView {
  /// The scopes of the seen ids and the tables of each.
  private func seenScopes() throws(StoreError) -> [(name: String, number: UInt32, IDTables)] {
    guard let table = environment.openedTable("ids.scopes") else { return [] }
    var scopes: [(name: String, number: UInt32, IDTables)] = []
    for (name, number) in try IDScopes.load(transaction, table) {
      guard let tables = IDTables(opened: environment, scope: number) else { continue }
      scopes.append((name, number, tables))
    }
    return scopes
  }

  /// Where an id was seen, in the order of the scopes, in each in order of arrival; entries beyond a
  /// retention are among them until they are deleted.
  package func seenEntries(_ hash: Hash128) throws(StoreError) -> [(scope: String, SeenID)] {
    var search = SeenIDSearch(hash)
    return try search.find(in: self)
  }

  /// What the seen ids take on disk, and in the memory of a process that runs the task: sealed
  /// ids 4 bytes at three quarters full, active ones 16 and a table at most half full.
  package func seenIDs() throws(StoreError) -> SeenIDs.Statistics {
    var (sealed, active) = (0, 0)
    for (_, _, tables) in try seenScopes() {
      sealed += try tables.loadSegments(transaction).reduce(0) { $0 + $1.count }
      try tables.forEachActive(transaction) { _ in active += 1 }
    }
    return SeenIDs.Statistics(
      ids: sealed + active, memoryBytes: sealed * 16 / 3 + active * (16 + 10),
      diskBytes: try IDTables.diskBytes(transaction, environment))
  }

  /// Calls `body` with the entries of an id that came since an earlier look.
  fileprivate func forEachEntry(
    _ hash: Hash128, since looked: inout [UInt32: SeenIDSearch.Looked],
    _ body: (String, SeenID) -> Void
  ) throws(StoreError) {
    for (name, number, tables) in try seenScopes() {
      var place = looked[number] ?? SeenIDSearch.Looked()
      for segment in try tables.loadSegments(transaction) where segment.number >= place.segment {
        for position in try tables.positions(transaction, segment: segment.number, hash) {
          body(name, try tables.place(transaction, segment: segment.number, position).seenID)
        }
        // The ids that were active until now, and those behind them.
        place = SeenIDSearch.Looked(segment: segment.number + 1, position: 0)
      }
      var next = place.position
      try tables.forEachActive(transaction, from: place.position) {
        if $0.hash == hash { body(name, $0.place.seenID) }
        next = Int($0.position) + 1
      }
      looked[number] = SeenIDSearch.Looked(segment: place.segment, position: next)
    }
  }
}

/// Looks for an id again and again, as who waits for an event does: each look reads what came since
/// the one before.
package struct SeenIDSearch {
  fileprivate struct Looked {
    /// The first segment not looked at yet, and the first position of the active one.
    var segment = 0
    var position = 0
  }

  private let hash: Hash128
  private var looked: [UInt32: Looked] = [:]

  package init(_ hash: Hash128) { self.hash = hash }

  /// The id's entries that came since the last call, with their scopes.
  package mutating func find(
    in view: StateView
  ) throws(StoreError) -> [(scope: String, SeenID)] {
    var found: [(scope: String, SeenID)] = []
    try view.forEachEntry(hash, since: &looked) { found.append(($0, $1)) }
    return found
  }
}
