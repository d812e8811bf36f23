/// A ``KeyFilter`` of a tree's keys that is filled a part at a time, for a state is opened without
/// reading all of them; until it is full of them, every key may be there.
struct TreeFilter: ~Copyable {
  /// How much of the tree is in the filter.
  private enum Filled {
    /// All keys before this one, and those that were added since.
    case upTo([UInt8])
    case all
  }

  private var filter = KeyFilter()
  private var filled = Filled.upTo([])

  var memoryBytes: Int { filter.memoryBytes }
  /// Whether the filter answers by itself.
  var isFilled: Bool {
    if case .all = filled { return true }
    return false
  }

  @inline(__always)
  func mayContain(_ hash: UInt64) -> Bool {
    guard case .all = filled else { return true }
    return filter.mayContain(hash)
  }

  /// To be told of each key that is added to the tree, at once.
  mutating func insert(_ hash: UInt64) { filter.insert(hash) }

  /// The same for keys that come again and again: they take room once.
  mutating func insertOnce(_ hash: UInt64) {
    if !filter.mayContain(hash) { filter.insert(hash) }
  }

  /// The tree is empty.
  mutating func removeAll() {
    filter = KeyFilter()
    filled = .all
  }

  /// Brings up to `limit` further keys of the tree into the filter.
  mutating func fill(
    _ transaction: Transaction, _ tree: Table, limit: Int, hash: (RawSpan) -> UInt64
  ) throws(StoreError) {
    guard case .upTo(let start) = filled else { return }
    var cursor = try transaction.cursor(tree)
    var found = try cursor.seek(start.raw)
    for _ in 0..<limit where found && !filter.isFull {
      unsafe insertOnce(hash(cursor.keyBytes.bytes))
      found = try cursor.next()
    }
    filled = found && !filter.isFull ? .upTo(cursor.key) : .all
  }
}
