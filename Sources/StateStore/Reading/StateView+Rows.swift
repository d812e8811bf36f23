/// A row as it is stored: no types of the program are needed to read it.
package struct StoredRow: Hashable, Sendable {
  /// The key's encoded form.
  package let key: [UInt8]
  /// The row without the byte that names its encoding.
  package let value: [UInt8]
}

/// A page of rows, and where the next one begins.
package struct RowPage: Hashable, Sendable {
  package var rows: [StoredRow] = []
  /// `nil` after the last page.
  package var cursor: [UInt8]?
}

extension StateView {
  /// The row of a key; for an audit view the key is [key, sequence] or [key, sequence, n].
  package func get(_ store: StoreDescription, key: [UInt8]) throws(StoreError) -> [UInt8]? {
    switch (store.kind, store.layout) {
    case (.audit, _): return try auditValue(store, key)
    case (.keyValue, .clustered):
      return try value(store, try table(StoreDescription.rowsTable(store.name)), key)
    case (.keyValue, .rowNumbers):
      let number = try rowNumber(key)
      if number == KeySpace.none { return nil }
      return try row(store, number)
    }
  }

  func rowNumber(_ key: [UInt8]) throws(StoreError) -> Int64 {
    let directory = try table("directory")
    return try TreeKey.with(key.raw) { treeKey throws(StoreError) in
      try KeySpace.number(transaction, directory, treeKey)
    }
  }

  /// The row, or audit value, of a number.
  func row(_ store: StoreDescription, _ number: Int64) throws(StoreError) -> [UInt8]? {
    let rows = try table(StoreDescription.rowsTable(store.name))
    let stored = try withKey(number) { key throws(StoreError) in
      try transaction.value(rows, key)
    }
    return stored.map { [UInt8]($0.dropFirst()) }
  }

  /// The row of a clustered store.
  private func value(
    _ store: StoreDescription, _ rows: Table, _ key: [UInt8]
  ) throws(StoreError) -> [UInt8]? {
    let stored = try TreeKey.with(key.raw) { treeKey throws(StoreError) in
      try transaction.value(rows, treeKey)
    }
    guard let stored else { return nil }
    let head = key.count > TreeKey.plainBytesMax ? 5 + key.count : 1
    guard stored.count >= head else {
      throw StoreError(.corrupted, "a row is shorter than its head", store: store.name)
    }
    return [UInt8](stored[head...])
  }

  /// Whether the number of a directory's entry has a row; copies none.
  private func hasRow(_ rows: Table, _ entry: TreeEntry) throws(StoreError) -> Bool {
    guard entry.value.count == 8 else { return false }
    return try withKey(entry.value.raw.bigEndian(Int64.self, at: 0)) { key throws(StoreError) in
      try unsafe key.withUnsafeBytes { bytes throws(StoreError) in
        try unsafe transaction.value(rows, bytes) != nil
      }
    }
  }

  /// The number of rows of a store.
  package func count(_ store: StoreDescription) throws(StoreError) -> Int {
    try transaction.count(try table(StoreDescription.rowsTable(store.name)))
  }

  /// Rows in key order.
  ///
  /// - Parameters:
  ///   - ranges: in key order, not overlapping.
  ///   - cursor: of the page before.
  ///   - limit: rows of this page, at least 1.
  ///   - keysOnly: leaves the values empty, and reads none: for rows that are only passed.
  /// - Throws: ``StoreError``.
  package func scan(
    _ store: StoreDescription, _ ranges: [KeyRange] = [KeyRange()], reverse: Bool = false,
    cursor: [UInt8]? = nil, limit: Int, keysOnly: Bool = false
  ) throws(StoreError) -> RowPage {
    precondition(limit > 0, "a page has at least a row")
    var page = RowPage()
    for range in reverse ? ranges.reversed() : ranges {
      guard let range = rest(of: range, after: cursor, reverse) else { continue }
      if store.kind == .audit {
        try scanAudit(store, range, reverse, limit, keysOnly, &page)
      } else {
        try scanRows(store, range, reverse, limit, keysOnly, &page)
      }
      // One row too many says that there is a next page.
      if page.rows.count > limit {
        page.rows.removeLast(page.rows.count - limit)
        page.cursor = page.rows.last?.key
        return page
      }
    }
    return page
  }

  /// The part of a range behind a cursor; `nil` if nothing is left.
  func rest(of range: KeyRange, after cursor: [UInt8]?, _ reverse: Bool) -> KeyRange? {
    guard let cursor else { return range }
    var range = range
    if reverse {
      if range.to == nil || range.to.map({ precedes(cursor, $0) }) == true { range.to = cursor }
    } else {
      let next = cursor + [0]
      if range.from == nil || range.from.map({ precedes($0, next) }) == true { range.from = next }
    }
    if let from = range.from, let to = range.to, !precedes(from, to) { return nil }
    return range
  }

  private func scanRows(
    _ store: StoreDescription, _ range: KeyRange, _ reverse: Bool, _ limit: Int,
    _ keysOnly: Bool, _ page: inout RowPage
  ) throws(StoreError) {
    let isClustered = store.layout == .clustered
    let rows = try table(StoreDescription.rowsTable(store.name))
    let tree = isClustered ? rows : try table("directory")
    // The directory also has keys of deleted rows and of the task's other stores; each row's key
    // is in it, so where both count the same it has no other.
    let keys = try transaction.count(tree)
    let isExact = try keys == transaction.count(rows)
    var range = range
    while page.rows.count <= limit {
      let (entries, isEnd) = try TreeWalk.page(
        transaction, tree, from: range.from, to: range.to, reverse: reverse,
        limit: min(512, limit + 1 - page.rows.count), head: isClustered ? 1 : 0,
        keysOnly: keysOnly && isExact)
      for entry in entries {
        if keysOnly {
          let isRow = try isExact ? true : hasRow(rows, entry)
          if isRow { page.rows.append(StoredRow(key: entry.key, value: [])) }
        } else if isClustered {
          page.rows.append(StoredRow(key: entry.key, value: [UInt8](entry.value.dropFirst())))
        } else if entry.value.count == 8,
          let row = try row(store, entry.value.raw.bigEndian(Int64.self, at: 0))
        {
          page.rows.append(StoredRow(key: entry.key, value: row))
        }
      }
      guard !isEnd, let last = entries.last else { return }
      if reverse { range.to = last.key } else { range.from = last.key + [0] }
    }
  }
}
