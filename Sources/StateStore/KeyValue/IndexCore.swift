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
  private let noted = OwnedState((arena: [UInt8](), changes: [Change]()))

  init(_ name: String, table: Table, counts: Table) {
    self.name = name
    self.table = table
    self.counts = counts
  }

  /// Notes what the difference of the stored row's entry and the new one's needs. Both are without
  /// the key; where the first component's end is negative, the row is not in the index.
  func noteDifference(
    _ space: KeySpace, _ entry: Int, _ number: Int64, _ storedBytes: [UInt8],
    _ stored: Range<Int>, _ storedFirst: Int, _ new: [UInt8], _ newFirst: Int
  ) {
    let stored = storedBytes.raw.extracting(stored)
    if storedFirst >= 0 {
      if newFirst >= 0 && equal(stored, new.raw) { return }
      note(stored, storedFirst, space, entry, number, isDeletion: true)
    }
    if newFirst >= 0 { note(new.raw, newFirst, space, entry, number, isDeletion: false) }
  }

  private func note(
    _ bytes: RawSpan, _ first: Int, _ space: KeySpace, _ entry: Int, _ number: Int64,
    isDeletion: Bool
  ) {
    let start = noted.value.arena.count
    unsafe bytes.withUnsafeBytes { unsafe noted.value.arena.append(contentsOf: $0) }
    space.keys.append(entry, to: &noted.value.arena)
    noted.value.changes.append(
      Change(
        start: start, firstEnd: start + first, end: noted.value.arena.count, number: number,
        isDeletion: isDeletion))
  }

  func forget() {
    noted.value.arena.removeAll(keepingCapacity: true)
    noted.value.changes.removeAll(keepingCapacity: true)
  }

  /// Applies what was noted, in key order, and forgets it.
  func flush(_ transaction: Transaction) throws(StoreError) {
    defer { forget() }
    let arena = noted.value.arena
    var changes = noted.value.changes
    if changes.isEmpty { return }
    sort(&changes, arena)
    try writeEntries(transaction, arena, changes)
    try writeCounts(transaction, arena, changes)
  }

  /// Puts them in key order; the prefixes, side by side, decide most comparisons.
  private func sort(_ changes: inout [Change], _ arena: [UInt8]) {
    struct Prefixed {
      /// The eight bytes behind what all keys begin with; short ones end with zeros.
      let prefix: UInt64
      let position: Int
    }
    guard let first = changes.first else { return }
    let bytes = arena.raw
    var common = first.end - first.start
    for change in changes {
      common = min(common, change.end - change.start)
      var length = 0
      while length < common,
        bytes.unsafeByte(first.start + length) == bytes.unsafeByte(change.start + length)
      {
        length += 1
      }
      common = length
    }
    var order: [Prefixed] = []
    order.reserveCapacity(changes.count)
    for (position, change) in changes.enumerated() {
      var prefix: UInt64 = 0
      let start = change.start + common
      for offset in start..<(start + 8) {
        prefix = prefix << 8 | (offset < change.end ? UInt64(bytes.unsafeByte(offset)) : 0)
      }
      order.append(Prefixed(prefix: prefix, position: position))
    }
    order.sort {
      if $0.prefix != $1.prefix { return $0.prefix < $1.prefix }
      let (left, right) = (changes[$0.position], changes[$1.position])
      return precedes(
        bytes.extracting(left.start..<left.end), bytes.extracting(right.start..<right.end))
    }
    changes = order.map { changes[$0.position] }
  }

  private func writeEntries(
    _ transaction: Transaction, _ arena: [UInt8], _ changes: [Change]
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
    _ transaction: Transaction, _ arena: [UInt8], _ changes: [Change]
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
