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

  /// Rows in the order of their keys' texts.
  ///
  /// - Parameters:
  ///   - ranges: of orders (``TextOrder``), in order, not overlapping.
  ///   - cursor: of the page before.
  ///   - limit: rows of this page at most, at least 1.
  ///   - bytesMax: the page ends with the row whose value reaches it.
  ///   - keysOnly: leaves the values empty, and reads none: for rows that are only passed.
  /// - Throws: ``StoreError``.
  package func scan(
    _ store: StoreDescription, _ ranges: [KeyRange] = [KeyRange()], reverse: Bool = false,
    cursor: ScanCursor? = nil, limit: Int, bytesMax: Int = .max, keysOnly: Bool = false
  ) throws(StoreError) -> RowPage {
    var page = PageBuilder(limit: limit, bytesMax: bytesMax, keysOnly: keysOnly)
    for range in reverse ? ranges.reversed() : ranges {
      guard let rest = rest(of: range, after: cursor?.order, reverse) else { continue }
      if store.kind == .audit {
        try scanAudit(store, rest, reverse, cursor, &page)
      } else {
        try scanRows(store, rest, reverse, &page)
      }
      if page.isFull { return page.page(isEnd: false) }
    }
    return page.page(isEnd: true)
  }

  /// The part of a range behind a cursor; `nil` if nothing is left.
  func rest(of range: KeyRange, after cursor: [UInt8]?, _ reverse: Bool) -> KeyRange? {
    var range = range
    if let cursor, reverse {
      if range.to == nil || range.to.map({ precedes(cursor, $0) }) == true { range.to = cursor }
    } else if let cursor {
      let next = cursor + [0]
      if range.from == nil || range.from.map({ precedes($0, next) }) == true { range.from = next }
    }
    if let from = range.from, let to = range.to, !precedes(from, to) { return nil }
    return range
  }

  private func scanRows(
    _ store: StoreDescription, _ range: KeyRange, _ reverse: Bool, _ page: inout PageBuilder
  ) throws(StoreError) {
    let isClustered = store.layout == .clustered
    let rows = try table(StoreDescription.rowsTable(store.name))
    let tree = isClustered ? rows : try table("directory")
    // The directory also has keys of deleted rows and of the task's other stores; each row's key
    // is in it, so where both count the same it has no other.
    let keys = try transaction.count(tree)
    let isExact = try keys == transaction.count(rows)
    let walk = TextWalk(
      transaction: transaction, table: tree, leading: TextWalk.leading(store.keyTypes),
      reverse: reverse, head: isClustered ? 1 : 0, keysOnly: page.keysOnly && isExact)
    var range = range
    while true {
      let (entries, isEnd) = try walk.page(
        from: range.from, to: range.to,
        limit: isExact ? min(page.step, page.wanted) : page.step)
      for found in entries {
        let cursor = ScanCursor(order: found.order)
        if let value = try value(of: found.entry, store, rows, isExact, page.keysOnly) {
          page.add(StoredRow(key: found.entry.key, value: value, cursor: cursor))
        } else {
          page.pass(cursor)
        }
        if page.isFull { return }
      }
      guard !isEnd, let last = entries.last?.order else { return }
      if reverse { range.to = last } else { range.from = last + [0] }
      page.widen()
    }
  }

  /// The row of a tree's entry, empty for keys only; `nil` where the store has none.
  private func value(
    of entry: TreeEntry, _ store: StoreDescription, _ rows: Table, _ isExact: Bool,
    _ keysOnly: Bool
  ) throws(StoreError) -> [UInt8]? {
    if keysOnly, isExact { return [] }
    if store.layout == .clustered { return [UInt8](entry.value.dropFirst()) }
    if keysOnly { return try hasRow(rows, entry) ? [] : nil }
    guard entry.value.count == 8 else { return nil }
    return try row(store, entry.value.raw.bigEndian(Int64.self, at: 0))
  }
}
