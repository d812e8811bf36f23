/// How a store keeps its rows.
public enum StoreLayout: String, Sendable, Hashable {
  /// Rows in order of first arrival, found through the task's directory: for keys without locality,
  /// as ids of entities.
  case rowNumbers
  /// Rows in order of their keys: for keys written together that lie together, as windows.
  case clustered
}

/// The first byte of a stored value: what the rest is.
public enum RowEncoding: UInt8, Sendable, Hashable {
  /// JSON in UTF-8, as compact as declared.
  case json = 0x4A
  /// Bytes of a serde of one's own.
  case bytes = 0x42
}

/// The part of a store's cache that knows the type of its rows, as its core drives it.
struct RowHooks {
  var rollbackUnit: () -> Void
  var writeRows: () throws -> Void
  var dropCache: () -> Void
  var releaseMemory: () -> Void
  var dirtyRows: () -> Int
}

/// The part of a key-value store that does not know the type of its rows.
@usableFromInline
final class RowCore: StoreParticipant {
  let name: String
  let table: Table
  @usableFromInline let space: KeySpace
  @usableFromInline let indexes: [IndexCore]
  let isClustered: Bool
  let encoding: RowEncoding
  private let interval: Interval
  private let rowsWord: Int
  private let index: Int32
  private var hooks: RowHooks?
  /// What the catalog is to say of the store.
  var description: StoreDescription?
  /// The positions of the indexes that the rows are not in yet.
  @usableFromInline var missingIndexes: [Int] = []
  private let lastUnit = OwnedState(-1)

  private struct Writing: ~Copyable {
    /// On the table of rows, while a flush lasts.
    var cursor: Cursor?
    /// The greatest row number in the table when the flush began.
    var lastNumber: Int64 = -1
    /// Of all flushes: how large rows are.
    var rows = 0
    var bytes = 0
  }
  private let writing = OwnedState(Writing())

  init(
    name: String, table: Table, space: KeySpace, isClustered: Bool, encoding: RowEncoding,
    indexes: [IndexCore], interval: Interval, index: Int
  ) {
    self.name = name
    self.table = table
    self.space = space
    self.isClustered = isClustered
    self.encoding = encoding
    self.indexes = indexes
    self.interval = interval
    self.index = Int32(index)
    self.rowsWord = interval.words.register("rows.\(name)")
  }

  @usableFromInline
  func setHooks(
    rollbackUnit: @escaping () -> Void, writeRows: @escaping () throws -> Void,
    dropCache: @escaping () -> Void, releaseMemory: @escaping () -> Void,
    dirtyRows: @escaping () -> Int
  ) {
    hooks = RowHooks(
      rollbackUnit: rollbackUnit, writeRows: writeRows, dropCache: dropCache,
      releaseMemory: releaseMemory, dirtyRows: dirtyRows)
  }

  @usableFromInline var rowCount: Int { Int(interval.words[rowsWord]) }

  /// Counts the row of an entry that has none yet, and gives its key a row number where rows have
  /// one.
  @usableFromInline
  func addRow(_ entry: Int) {
    if !isClustered { _ = space.assignNumber(entry) }
    interval.words[rowsWord] += 1
  }

  @usableFromInline
  func removeRow() { interval.words[rowsWord] -= 1 }

  /// To be asked before each change of a row: whether it is the unit's first one here.
  @usableFromInline
  func isFirstChange() -> Bool { interval.isFirstChange(of: index, &lastUnit.value) }

  /// The stored row of an entry without its encoding byte, in the map: to be decoded at once.
  @usableFromInline
  func storedRow(_ entry: Int) throws(StoreError) -> UnsafeRawBufferPointer? {
    let operations = interval.operations
    let found: UnsafeRawBufferPointer?
    var content = 1
    if isClustered {
      unsafe found = try unsafe space.keys.withKey(entry) { key throws(StoreError) in
        if key.byteCount > TreeKey.plainBytesMax { content += 4 + key.byteCount }
        return try unsafe TreeKey.with(key) { treeKey throws(StoreError) in
          try unsafe treeKey.withUnsafeBytes { treeKey throws(StoreError) in
            try unsafe operations.value(table, treeKey)
          }
        }
      }
    } else {
      let number = space.number(entry)
      if number == KeySpace.none { return nil }
      unsafe found = try withKey(number) { key throws(StoreError) in
        try unsafe key.withUnsafeBytes { key throws(StoreError) in
          try unsafe operations.value(table, key)
        }
      }
    }
    guard let found = unsafe found else { return nil }
    guard found.count >= content, unsafe found[0] == encoding.rawValue else {
      throw wronglyEncoded
    }
    return unsafe UnsafeRawBufferPointer(rebasing: found[content...])
  }

  func rollbackUnit() { hooks?.rollbackUnit() }

  func flush(_ transaction: Transaction) throws {
    // A flush that failed is repeated whole.
    for index in indexes { index.forget() }
    // Transactions end without open cursors.
    defer { writing.value.cursor = nil }
    try hooks?.writeRows()
    for index in indexes { try index.flush(transaction) }
  }

  /// Cuts the ring of core and cache, when the task closes.
  func close() { hooks = nil }

  func dropCache() {
    if isClustered { space.dropCache() }
    hooks?.dropCache()
  }

  func releaseMemory() {
    if isClustered { space.releaseMemory() }
    hooks?.releaseMemory()
    for index in indexes { index.releaseMemory() }
  }

  var intervalBytes: IntervalBytes {
    let rows = hooks?.dirtyRows() ?? 0
    let mean = writing.value.rows == 0 ? 256 : writing.value.bytes / writing.value.rows
    // New rows of a row-number store are appended side by side; all others lie anywhere.
    let scattered = isClustered ? rows : max(0, rows - space.newKeys)
    let total = rowCount
    let pages =
      rows * mean + scatteredBytes(scattered, in: total, perPage: max(1, 3_000 / max(1, mean)))
      + indexes.count * scatteredBytes(rows, in: total, perPage: 60)
    return IntervalBytes(cached: rows * (mean * 2 + 256), pages: pages)
  }

  // MARK: Flushing, called by the part that knows the rows

  /// The positions of the entries in the order in which they are to be written.
  @usableFromInline
  func order(_ entries: [Int32]) throws(StoreError) -> [Int32] {
    var cursor = try interval.operations.cursor(table)
    if isClustered {
      writing.value.cursor = consume cursor
      return space.keys.sorted(entries)
    }
    writing.value.lastNumber = -1
    if try cursor.last() {
      let key = unsafe cursor.keyBytes
      if key.count == 8 { writing.value.lastNumber = unsafe key.bytes.bigEndian(Int64.self, at: 0) }
    }
    writing.value.cursor = consume cursor
    let numbers = entries.map { space.number(Int($0)) }
    return unsafe KeyOrder.positions(of: numbers).map { entries[Int($0)] }
  }

  /// Begins a value with all that precedes the row in it.
  @usableFromInline
  func beginValue(_ entry: Int, _ value: inout [UInt8]) {
    value.removeAll(keepingCapacity: true)
    value.append(encoding.rawValue)
    if isClustered { space.keys.appendHead(entry, to: &value) }
  }

  /// Writes the value of an entry, in the order of ``order(_:)``.
  @usableFromInline
  func putValue(_ entry: Int, _ value: [UInt8]) throws(StoreError) {
    writing.value.rows += 1
    writing.value.bytes += value.count
    if isClustered {
      try space.keys.withKey(entry) { key throws(StoreError) in
        try TreeKey.with(key) { treeKey throws(StoreError) in
          try writing.value.cursor?.put(treeKey, value.raw)
        }
      }
      return
    }
    let number = space.number(entry)
    try withKey(number) { key throws(StoreError) in
      try writing.value.cursor?.put(key, value.raw, append: number > writing.value.lastNumber)
    }
  }

  @usableFromInline
  func deleteValue(_ entry: Int) throws(StoreError) {
    let transaction = interval.operations
    if isClustered {
      try space.keys.withKey(entry) { key throws(StoreError) in
        try TreeKey.with(key) { treeKey throws(StoreError) in
          _ = try transaction.delete(table, treeKey)
        }
      }
      return
    }
    try withKey(space.number(entry)) { key throws(StoreError) in
      _ = try transaction.delete(table, key)
    }
  }

  /// Notes what the difference of a row's stored entry and the new one at the end of the index's
  /// arena needs.
  @usableFromInline
  func noteDifference(
    _ index: Int, _ entry: Int, _ stored: RawSpan, _ storedFirst: Int, _ start: Int, _ first: Int
  ) {
    // An entry points to a row number, or nowhere where rows are clustered.
    indexes[index].noteDifference(
      space, entry, isClustered ? KeySpace.none : space.number(entry), stored, storedFirst, start,
      first)
  }

  // MARK: Iterating

  /// A page of the stored keys in a range, in order.
  @usableFromInline
  func page(
    from: [UInt8]?, to: [UInt8]?
  ) throws(StoreError) -> (keys: [[UInt8]], isEnd: Bool) {
    let tree = isClustered ? table : space.tree ?? table
    let (entries, isEnd) = try TreeWalk.page(
      interval.operations, tree, from: from, to: to, limit: 512, head: isClustered ? 1 : 0,
      keysOnly: true)
    return (entries.map(\.key), isEnd)
  }
}
