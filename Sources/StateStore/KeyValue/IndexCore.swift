/// The stored side of an index: entry → row number (or nothing, where rows are clustered), and
/// beside it how many entries there are for each value of the first component.
@usableFromInline
final class IndexCore {
  private struct Change {
    let start: Int32
    let firstEnd: Int32
    let end: Int32
    let isDeletion: Bool
    let number: Int64
  }

  let name: String
  let table: Table
  let counts: Table
  /// The entries of the changes, one behind the other.
  @usableFromInline let arena = OwnedState([UInt8]())
  private let changes = OwnedState([Change]())

  init(_ name: String, table: Table, counts: Table) {
    self.name = name
    self.table = table
    self.counts = counts
  }

  /// Notes what the difference of the stored row's entry and the new one's needs. Both are without
  /// the key; where the first component's end is negative, the row is not in the index.
  ///
  /// - Parameters:
  ///   - start: where the new entry, or what there is of it, begins in the arena; it is its last.
  ///   - number: the row's, which the entry points to.
  func noteDifference(
    _ space: KeySpace, _ entry: Int, _ number: Int64, _ stored: RawSpan, _ storedFirst: Int,
    _ start: Int, _ first: Int
  ) {
    if first < 0 {
      arena.value.removeLast(arena.value.count - start)
    } else {
      if storedFirst >= 0, Self.hasEnd(arena.value, from: start, equalTo: stored) {
        arena.value.removeLast(stored.byteCount)
        return
      }
      close(start, first - start, space, entry, number, isDeletion: false)
    }
    guard storedFirst >= 0 else { return }
    let start = arena.value.count
    arena.value.append(stored)
    close(start, storedFirst, space, entry, number, isDeletion: true)
  }

  private static func hasEnd(_ bytes: [UInt8], from start: Int, equalTo other: RawSpan) -> Bool {
    equal(bytes.raw.extracting(start...), other)
  }

  /// Ends the arena's last entry with its key.
  private func close(
    _ start: Int, _ first: Int, _ space: KeySpace, _ entry: Int, _ number: Int64, isDeletion: Bool
  ) {
    space.appendKey(entry, to: &arena.value)
    note(start, first, number, isDeletion: isDeletion)
  }

  /// Notes the arena's last entry, to which its key is to be added, of a row that no entry was made
  /// for yet.
  func noteBuilt(_ start: Int, _ first: Int, key: [UInt8], _ number: Int64) {
    arena.value.append(contentsOf: key)
    note(start, first - start, number, isDeletion: false)
  }

  private func note(_ start: Int, _ first: Int, _ number: Int64, isDeletion: Bool) {
    changes.value.append(
      Change(
        start: Int32(truncatingIfNeeded: start),
        firstEnd: Int32(truncatingIfNeeded: start + first),
        end: Int32(truncatingIfNeeded: arena.value.count), isDeletion: isDeletion, number: number))
  }

  func forget() {
    arena.value.empty()
    changes.value.empty()
  }

  func releaseMemory() {
    arena.value = []
    changes.value = []
  }

  /// Applies what was noted, in key order, and forgets it.
  func flush(_ transaction: Transaction) throws(StoreError) {
    defer { forget() }
    if changes.value.isEmpty { return }
    let arena = arena.value
    let ranges = changes.value.map { $0.start..<$0.end }
    let order = unsafe KeyOrder.positions(of: ranges, in: arena.raw)
    let sorted = order.map { changes.value[Int($0)] }
    try writeEntries(transaction, arena.raw, sorted)
    try writeCounts(transaction, arena.raw, sorted)
  }

  private func writeEntries(
    _ transaction: Transaction, _ arena: RawSpan, _ changes: [Change]
  ) throws(StoreError) {
    var cursor = try transaction.cursor(table)
    for change in changes {
      let key = arena.extracting(Int(change.start)..<Int(change.end))
      if change.isDeletion {
        let wasThere = try TreeKey.with(key) { treeKey throws(StoreError) in
          try transaction.delete(table, treeKey)
        }
        guard wasThere else {
          throw StoreError(
            .corrupted, "an entry of a stored row is missing; rebuild", store: table.name)
        }
      } else if key.byteCount > TreeKey.plainBytesMax {
        var value: [UInt8] = []
        TreeKey.appendHead(key, to: &value)
        if change.number >= 0 { value.append(bigEndian: change.number) }
        try cursor.put(TreeKey.long(key).raw, value.raw)
      } else if change.number >= 0 {
        try withKey(change.number) { value throws(StoreError) in try cursor.put(key, value) }
      } else {
        try cursor.put(key, RawSpan())
      }
    }
  }

  /// The changes are in key order, so equal first components lie together.
  private func writeCounts(
    _ transaction: Transaction, _ arena: RawSpan, _ changes: [Change]
  ) throws(StoreError) {
    var cursor = try transaction.cursor(counts)
    var position = 0
    while position < changes.count {
      let first = arena.extracting(
        Int(changes[position].start)..<Int(changes[position].firstEnd))
      var delta: Int64 = 0
      while position < changes.count,
        case let change = changes[position],
        equal(first, arena.extracting(Int(change.start)..<Int(change.firstEnd)))
      {
        delta += change.isDeletion ? -1 : 1
        position += 1
      }
      if delta == 0 { continue }
      if first.byteCount <= TreeKey.plainBytesMax {
        try add(delta, to: first, &cursor, transaction)
      } else {
        try add(delta, to: TreeKey.long(first).raw, &cursor, transaction)
      }
    }
  }

  private func add(
    _ delta: Int64, to key: RawSpan, _ cursor: inout Cursor, _ transaction: Transaction
  ) throws(StoreError) {
    guard try cursor.find(key) else {
      return try withKey(delta) { value throws(StoreError) in try cursor.put(key, value) }
    }
    let count = try unsafe Self.count(cursor.valueBytes, counts) + delta
    if count == 0 {
      try transaction.delete(counts, key)
    } else {
      try withKey(count) { value throws(StoreError) in try cursor.replace(key, value) }
    }
  }

  @unsafe
  private static func count(
    _ found: UnsafeRawBufferPointer, _ counts: Table
  ) throws(StoreError) -> Int64 {
    guard found.count == 8 else {
      throw StoreError(.corrupted, "a count is not a number", store: counts.name)
    }
    return unsafe found.bytes.bigEndian(Int64.self, at: 0)
  }

  static func count(
    _ transaction: Transaction, _ counts: Table, _ key: RawSpan
  ) throws(StoreError) -> Int64 {
    let found = try unsafe key.withUnsafeBytes { key throws(StoreError) in
      try unsafe transaction.value(counts, key)
    }
    guard let found = unsafe found else { return 0 }
    return try unsafe count(found, counts)
  }
}
