extension StateView {
  /// What the seen ids take on disk, and in the memory of a process that runs the task: sealed
  /// ids 4 bytes at three quarters full, active ones 16 and a table at most half full.
  package func seenIDs() throws(StoreError) -> SeenIDs.Statistics {
    guard let tables = IDTables(opened: environment) else {
      return SeenIDs.Statistics(ids: 0, memoryBytes: 0, diskBytes: 0)
    }
    let sealed = try tables.loadSegments(transaction).reduce(0) { $0 + $1.count }
    var active = 0
    try tables.forEachActive(transaction) { _ in active += 1 }
    return SeenIDs.Statistics(
      ids: sealed + active, memoryBytes: sealed * 16 / 3 + active * (16 + 8),
      diskBytes: try tables.diskBytes(transaction))
  }
}
