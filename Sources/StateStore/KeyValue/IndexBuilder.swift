/// Fills new indexes of a store from its rows.
struct IndexBuilder {
  /// Of entries in one transaction: they are sorted, so that few pages are touched twice.
  private static let bytesPerTransaction = 8 << 20
  private static let pageRows = 1_024

  let core: RowCore
  let environment: Environment

  /// - Parameter entry: as ``TaskState/buildIndexes(_:_:)`` has it.
  func run(
    _ entry: (RawSpan, Int, inout [UInt8]) throws -> Int
  ) throws(StoreError) {
    var from: [UInt8]? = []
    while let start = from {
      if environment.usedBytes > environment.mapSize / 4 * 3 { try environment.grow() }
      do throws(StoreError) {
        let write = try WriteTransaction(environment)
        let next = try note(write.operations, from: start, entry)
        for index in core.missingIndexes { try core.indexes[index].flush(write.operations) }
        try write.commit()
        from = next
      } catch {
        for index in core.indexes { index.forget() }
        guard error.code == .mapFull else { throw error }
        try environment.grow()
      }
    }
  }

  /// Notes the entries of rows from a key on.
  ///
  /// - Returns: the key to go on from; `nil` behind the last one.
  private func note(
    _ transaction: Transaction, from: [UInt8],
    _ entry: (RawSpan, Int, inout [UInt8]) throws -> Int
  ) throws(StoreError) -> [UInt8]? {
    let tree = core.isClustered ? core.table : core.space.tree ?? core.table
    var from = from
    var bytes = 0
    while bytes < Self.bytesPerTransaction {
      let (page, isEnd) = try TreeWalk.page(
        transaction, tree, from: from, limit: Self.pageRows, head: core.isClustered ? 1 : 0)
      for found in page {
        guard let (value, number) = try row(transaction, found) else { continue }
        bytes += try note(value, found.key, number, entry)
      }
      guard !isEnd, let last = page.last else { return nil }
      from = last.key + [0]
    }
    return from
  }

  /// The stored bytes of a row with its encoding, and its number.
  private func row(
    _ transaction: Transaction, _ found: TreeEntry
  ) throws(StoreError) -> (value: [UInt8], number: Int64)? {
    if core.isClustered { return (found.value, KeySpace.none) }
    guard found.value.count == 8 else {
      throw StoreError(.corrupted, "a key has no row number; rebuild", store: core.name)
    }
    let number = found.value.raw.bigEndian(Int64.self, at: 0)
    let value = try withKey(number) { key throws(StoreError) in
      try transaction.value(core.table, key)
    }
    // A key of another store of the task.
    return value.map { ($0, number) }
  }

  /// - Returns: the bytes of the entries.
  private func note(
    _ value: [UInt8], _ key: [UInt8], _ number: Int64,
    _ entry: (RawSpan, Int, inout [UInt8]) throws -> Int
  ) throws(StoreError) -> Int {
    guard value.first == core.encoding.rawValue else { throw core.wronglyEncoded }
    var bytes = 0
    for position in core.missingIndexes {
      let index = core.indexes[position]
      let start = index.arena.value.count
      let first: Int
      do {
        first = try entry(value.raw.extracting(1...), position, &index.arena.value)
      } catch {
        throw core.unreadable(key, error)
      }
      if first < 0 {
        index.arena.value.removeLast(index.arena.value.count - start)
      } else {
        index.noteBuilt(start, first, key: key, number)
        bytes += index.arena.value.count - start
      }
    }
    return bytes
  }
}
