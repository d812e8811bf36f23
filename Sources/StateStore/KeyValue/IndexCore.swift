/// The stored side of an index: entry → row number (or nothing, where rows are clustered), and
/// beside it how many entries there are for each value of the first component.
@usableFromInline
final class IndexCore {
  private struct Change {
    let start: Int
    let firstEnd: Int
    let end: Int
    let number: Int64
    let isDeletion: Bool
  }

  let name: String
  let table: Table
  let counts: Table
  /// The entry of the stored row, without its key.
  @usableFromInline var old: [UInt8] = []
  @usableFromInline var oldFirst = -1
  /// The entry of the row as it is now.
  @usableFromInline var new: [UInt8] = []
  @usableFromInline var newFirst = -1
  private var arena: [UInt8] = []
  private var changes: [Change] = []

  init(_ name: String, table: Table, counts: Table) {
    self.name = name
    self.table = table
    self.counts = counts
  }

  @usableFromInline
  func clear() {
    old.removeAll(keepingCapacity: true)
    new.removeAll(keepingCapacity: true)
    oldFirst = -1
    newFirst = -1
  }

  /// Notes what the difference of the two entries needs.
  @usableFromInline
  func noteDifference(_ space: KeySpace, _ entry: Int, _ number: Int64) {
    if oldFirst < 0 && newFirst < 0 { return }
    if oldFirst >= 0 && newFirst >= 0 && old == new { return }
    if oldFirst >= 0 { note(old, oldFirst, space, entry, number, isDeletion: true) }
    if newFirst >= 0 { note(new, newFirst, space, entry, number, isDeletion: false) }
  }

  private func note(
    _ bytes: [UInt8], _ first: Int, _ space: KeySpace, _ entry: Int, _ number: Int64,
    isDeletion: Bool
  ) {
    let start = arena.count
    arena.append(contentsOf: bytes)
    space.keys.append(entry, to: &arena)
    changes.append(
      Change(
        start: start, firstEnd: start + first, end: arena.count, number: number,
        isDeletion: isDeletion))
  }

  /// Applies what was noted, in key order, and forgets it.
  func flush(_ transaction: Transaction) throws(StoreError) {
    defer {
      arena.removeAll(keepingCapacity: true)
      changes.removeAll(keepingCapacity: true)
    }
    if changes.isEmpty { return }
    let arena = arena
    changes.sort {
      precedes(
        arena.raw.extracting($0.start..<$0.end), arena.raw.extracting($1.start..<$1.end))
    }
    try writeEntries(transaction, arena)
    try writeCounts(transaction, arena)
  }

  private func writeEntries(
    _ transaction: Transaction, _ arena: [UInt8]
  ) throws(StoreError) {
    var cursor = try transaction.cursor(table)
    var value: [UInt8] = []
    for change in changes {
      let key = arena.raw.extracting(change.start..<change.end)
      if change.isDeletion {
        let wasThere = try TreeKey.with(key) { treeKey throws(StoreError) in
          try transaction.delete(table, treeKey)
        }
        guard wasThere else {
          throw StoreError(
            .corrupted, "an entry of a stored row is missing; rebuild", store: table.name)
        }
        continue
      }
      value.removeAll(keepingCapacity: true)
      TreeKey.appendHead(key, to: &value)
      if change.number >= 0 { value.append(bigEndian: change.number) }
      if key.byteCount <= TreeKey.plainBytesMax {
        try cursor.put(key, value.raw)
      } else {
        try cursor.put(TreeKey.long(key).raw, value.raw)
      }
    }
  }

  /// The changes are in key order, so equal first components lie together.
  private func writeCounts(
    _ transaction: Transaction, _ arena: [UInt8]
  ) throws(StoreError) {
    var position = 0
    while position < changes.count {
      let first = arena.raw.extracting(changes[position].start..<changes[position].firstEnd)
      var delta: Int64 = 0
      while position < changes.count,
        equal(
          first, arena.raw.extracting(changes[position].start..<changes[position].firstEnd))
      {
        delta += changes[position].isDeletion ? -1 : 1
        position += 1
      }
      if delta != 0 { try add(delta, to: first, transaction) }
    }
  }

  private func add(
    _ delta: Int64, to component: RawSpan, _ transaction: Transaction
  ) throws(StoreError) {
    try TreeKey.with(component) { key throws(StoreError) in
      let count = try Self.count(transaction, counts, key) + delta
      if count == 0 {
        try transaction.delete(counts, key)
      } else {
        try withKey(count) { value throws(StoreError) in
          try transaction.put(counts, key, value)
        }
      }
    }
  }

  static func count(
    _ transaction: Transaction, _ counts: Table, _ key: RawSpan
  ) throws(StoreError) -> Int64 {
    let found = try unsafe key.withUnsafeBytes { key throws(StoreError) in
      try unsafe transaction.value(counts, key)
    }
    guard let found = unsafe found else { return 0 }
    guard found.count == 8 else {
      throw StoreError(.corrupted, "a count is not a number", store: counts.name)
    }
    return unsafe found.bytes.bigEndian(Int64.self, at: 0)
  }
}
