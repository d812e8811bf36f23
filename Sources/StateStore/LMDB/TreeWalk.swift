/// One entry of a tree with its full key.
struct TreeEntry {
  let key: [UInt8]
  /// The value without the key of a long one; from its first byte on.
  let value: [UInt8]
}

/// Walks a tree in the order of the full keys, a page at a time.
enum TreeWalk {
  /// The entries whose keys lie in `from ..< to`, at most about `limit` of them, and whether there
  /// are no more.
  ///
  /// Long keys with a common beginning come whole, sorted, so a page may hold more than `limit`.
  ///
  /// - Parameter head: where a long key's head lies in its value.
  static func page(
    _ transaction: Transaction, _ table: Table, from: [UInt8]? = nil, to: [UInt8]? = nil,
    reverse: Bool = false, limit: Int, head: Int = 0, keysOnly: Bool = false
  ) throws(StoreError) -> (entries: [TreeEntry], isEnd: Bool) {
    var entries: [TreeEntry] = []
    var cursor = try transaction.cursor(table)
    var found: Bool
    if reverse {
      found = try seekReverse(&cursor, to)
    } else {
      found = try cursor.seek(start(from).raw)
    }
    while found {
      if entries.count >= limit { return (entries, false) }
      var group = [try entry(cursor, table, head, keysOnly)]
      let prefix = group[0].key.prefix(TreeKey.plainBytesMax)
      if group[0].key.count > TreeKey.plainBytesMax {
        found = reverse ? try cursor.previous() : try cursor.next()
        while found {
          let next = try entry(cursor, table, head, keysOnly)
          guard next.key.count > TreeKey.plainBytesMax,
            next.key.prefix(TreeKey.plainBytesMax) == prefix
          else { break }
          group.append(next)
          found = reverse ? try cursor.previous() : try cursor.next()
        }
        group.sort { reverse ? precedes($1.key, $0.key) : precedes($0.key, $1.key) }
      } else {
        found = reverse ? try cursor.previous() : try cursor.next()
      }
      for entry in group {
        if let from, precedes(entry.key, from) {
          if reverse { return (entries, true) }
          continue
        }
        if let to, !precedes(entry.key, to) {
          if !reverse { return (entries, true) }
          continue
        }
        entries.append(entry)
      }
    }
    return (entries, true)
  }

  private static func start(_ from: [UInt8]?) -> [UInt8] {
    guard let from else { return [] }
    return from.count > TreeKey.plainBytesMax ? [UInt8](from.prefix(TreeKey.plainBytesMax)) : from
  }

  private static func seekReverse(
    _ cursor: inout Cursor, _ to: [UInt8]?
  ) throws(StoreError) -> Bool {
    guard let to else { return try cursor.last() }
    if to.count <= TreeKey.plainBytesMax { return try cursor.seek(before: to.raw) }
    // Behind all long keys of this beginning: they are sorted and compared in full.
    let behind = Array(to.prefix(TreeKey.plainBytesMax)) + [UInt8](repeating: 0xFF, count: 16)
    if try cursor.seek(behind.raw) {
      return cursor.key == behind ? true : try cursor.previous()
    }
    return try cursor.last()
  }

  private static func entry(
    _ cursor: borrowing Cursor, _ table: Table, _ head: Int, _ keysOnly: Bool
  ) throws(StoreError) -> TreeEntry {
    let key = unsafe cursor.keyBytes
    let value = unsafe cursor.valueBytes
    // SAFETY: nothing is written while the page is gathered.
    let content = try unsafe TreeKey.contentOffset(
      key.bytes, value.bytes, head: head, store: table.name)
    let fullKey =
      unsafe content == head
      ? [UInt8](key) : [UInt8](UnsafeRawBufferPointer(rebasing: value[(head + 4)..<content]))
    if keysOnly { return TreeEntry(key: fullKey, value: []) }
    var bytes = unsafe [UInt8](value.prefix(head))
    unsafe bytes.append(contentsOf: value[content...])
    return TreeEntry(key: fullKey, value: bytes)
  }
}
