/// The keys an interval meets, and in the task's directory their row numbers.
///
/// The directory is one per task: a tree from key to a dense number in order of first arrival,
/// under which every row-number store and audit store of the task keeps what belongs to the key.
/// A number once given stays, also when all rows of its key are deleted.
@usableFromInline
final class KeySpace: StoreParticipant {
  static let none: Int64 = -1

  private struct Hot: ~Copyable {
    var keys = KeyTable()
    /// By entry; ``none`` while the key has no row anywhere.
    var numbers: [Int64] = []
    /// Entries that got their number in this interval.
    var assigned: [Int32] = []
    var assignedInUnit = 0
    var filter = TreeFilter()
    var lastUnit = -1
  }

  private let hot = OwnedState(Hot())
  let tree: Table?
  private let interval: Interval
  private let nextWord: Int
  private var index: Int32 = 0

  /// The directory if there is a tree, else the keys of a clustered store.
  init(_ interval: Interval, tree: Table?) {
    self.interval = interval
    self.tree = tree
    self.nextWord = tree == nil ? -1 : interval.words.register("directory.next")
  }

  var keys: KeyTable {
    _read { yield hot.value.keys }
  }

  /// Appends the key of an entry.
  func appendKey(_ entry: Int, to bytes: inout [UInt8]) {
    hot.value.keys.append(entry, to: &bytes)
  }

  func setIndex(_ index: Int) { self.index = Int32(index) }

  /// The entry of a key in this interval; the next ones of the same key cost a comparison.
  @usableFromInline
  func entry(for key: [UInt8]) throws(StoreError) -> Int { try entry(for: key.raw) }

  @usableFromInline
  func entry(for key: RawSpan) throws(StoreError) -> Int {
    let (entry, isNew) = hot.value.keys.intern(key)
    if isNew, let tree {
      hot.value.numbers.append(KeySpace.none)
      if mayBeStored(entry, key.byteCount) {
        hot.value.numbers[entry] = try storedNumber(tree, key)
      }
    }
    return entry
  }

  private func mayBeStored(_ entry: Int, _ bytes: Int) -> Bool {
    // The tree knows long keys by another name.
    bytes > TreeKey.plainBytesMax || hot.value.filter.mayContain(hot.value.keys.hash(entry))
  }

  private func storedNumber(_ tree: Table, _ key: RawSpan) throws(StoreError) -> Int64 {
    let operations = interval.operations
    return try TreeKey.with(key) { treeKey throws(StoreError) in
      try KeySpace.number(operations, tree, treeKey)
    }
  }

  /// The row number stored under a key's form in the tree.
  static func number(
    _ transaction: Transaction, _ tree: Table, _ treeKey: RawSpan
  ) throws(StoreError) -> Int64 {
    let found = try unsafe treeKey.withUnsafeBytes { bytes throws(StoreError) in
      try unsafe transaction.value(tree, bytes)
    }
    guard let found = unsafe found else { return none }
    let value = unsafe found.bytes
    guard value.byteCount >= 8 else {
      throw StoreError(.corrupted, "an entry is shorter than a number", store: tree.name)
    }
    return value.bigEndian(Int64.self, at: value.byteCount - 8)
  }

  /// The row number of an entry, ``none`` if it has none yet.
  func number(_ entry: Int) -> Int64 { hot.value.numbers[entry] }

  /// The row number of an entry, given to it now if it has none yet.
  func assignNumber(_ entry: Int) -> Int64 {
    let number = hot.value.numbers[entry]
    if number != KeySpace.none { return number }
    if interval.isFirstChange(of: index, &hot.value.lastUnit) { hot.value.assignedInUnit = 0 }
    let next = interval.words[nextWord]
    interval.words[nextWord] = next + 1
    hot.value.numbers[entry] = next
    if tree != nil { hot.value.filter.insert(hot.value.keys.hash(entry)) }
    hot.value.assigned.append(Int32(entry))
    hot.value.assignedInUnit += 1
    return next
  }

  func rollbackUnit() {
    for _ in 0..<hot.value.assignedInUnit {
      let entry = Int(hot.value.assigned.removeLast())
      hot.value.numbers[entry] = KeySpace.none
    }
    hot.value.assignedInUnit = 0
  }

  func flush(_ transaction: Transaction) throws {
    guard let tree else { return }
    // In step with what the interval did itself.
    try hot.value.filter.fill(
      transaction, tree, limit: 1_024 + 2 * hot.value.keys.count, hash: { hash64($0) })
    if assignedEntries.isEmpty { return }
    var cursor = try transaction.cursor(tree)
    for entry in hot.value.keys.sorted(assignedEntries) {
      let number = hot.value.numbers[Int(entry)]
      try hot.value.keys.withKey(Int(entry)) { key throws(StoreError) in
        if key.byteCount <= TreeKey.plainBytesMax {
          try withKey(number) { value throws(StoreError) in try cursor.put(key, value) }
        } else {
          var value: [UInt8] = []
          TreeKey.appendHead(key, to: &value)
          value.append(bigEndian: number)
          try cursor.put(TreeKey.long(key).raw, value.raw)
        }
      }
    }
  }

  func dropCache() {
    hot.value.keys.removeAll()
    hot.value.numbers.empty()
    hot.value.assigned.empty()
    hot.value.assignedInUnit = 0
  }

  func releaseMemory() {
    hot.value.keys = KeyTable()
    hot.value.numbers = []
    hot.value.assigned = []
  }

  var intervalBytes: IntervalBytes {
    let new = hot.value.assigned.count
    let pages =
      tree == nil ? 0 : scatteredBytes(new, in: Int(interval.words[nextWord]), perPage: 60)
    return IntervalBytes(cached: keys.bytes, pages: pages)
  }

  /// Keys that got their number in this interval.
  var newKeys: Int { hot.value.assigned.count }

  /// The entries that got their number in this interval.
  var assignedEntries: [Int32] { hot.value.assigned }
}

/// Bytes of the pages that so many entries at random places of a tree dirty: a page each, and no
/// more than the tree has (measured: a commit costs, and keeps in memory, its distinct pages).
func scatteredBytes(_ count: Int, in total: Int, perPage: Int) -> Int {
  min(count, total / perPage + 1) * 4_096
}
