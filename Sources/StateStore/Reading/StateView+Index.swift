/// A row found by an index.
package struct IndexedRow: Hashable, Sendable {
  /// The values by which the index orders it.
  package let values: [KeyComponent]
  /// The key's encoded form.
  package let key: [UInt8]
  package let value: [UInt8]
  /// The entry as it is stored: values, then key.
  package let entry: [UInt8]
}

/// A page of an index, and where the next one begins.
package struct IndexPage: Hashable, Sendable {
  package var rows: [IndexedRow] = []
  /// `nil` after the last page.
  package var cursor: [UInt8]?
}

extension StateView {
  /// - Throws: ``StoreError`` with `missing` for a name that no index has.
  package func index(
    _ store: StoreDescription, _ name: String
  ) throws(StoreError) -> StoreDescription.IndexDescription {
    guard let index = store.indexes.first(where: { $0.name == name }) else {
      let names = store.indexes.map(\.name).joined(separator: ", ")
      throw StoreError(
        .missing, "there is no index '\(name)'; there are: \(names)", store: store.name)
    }
    return index
  }

  /// The beginning of the entries with these first values.
  private func prefix(
    _ index: StoreDescription.IndexDescription, _ values: [KeyComponent], _ store: String
  ) throws(StoreError) -> [UInt8] {
    guard values.count <= index.components.count else {
      throw StoreError(
        .invalid, "the index '\(index.name)' has \(index.components.count) values", store: store)
    }
    var bytes: [UInt8] = []
    for (value, component) in zip(values, index.components) {
      let start = bytes.count
      value.encode(into: &bytes)
      if component.isDescending { invert(&bytes, from: start) }
    }
    return bytes
  }

  /// Rows whose first values are `values`, in the order of the index.
  ///
  /// - Parameters:
  ///   - limit: rows of this page, at least 1.
  ///   - keysOnly: leaves the rows' values empty, and reads none: for rows that are only passed.
  /// - Throws: ``StoreError``.
  package func scanIndex(
    _ store: StoreDescription, _ name: String, values: [KeyComponent] = [], reverse: Bool = false,
    cursor: [UInt8]? = nil, limit: Int, keysOnly: Bool = false
  ) throws(StoreError) -> IndexPage {
    precondition(limit > 0, "a page has at least a row")
    let index = try index(store, name)
    let tree = try table(StoreDescription.indexTable(store.name, name))
    var page = IndexPage()
    let all = KeyRange(prefix: try prefix(index, values, store.name))
    guard var range = rest(of: all, after: cursor, reverse) else { return page }
    var lastEntry: [UInt8]?
    while true {
      let (entries, isEnd) = try TreeWalk.page(
        transaction, tree, from: range.from, to: range.to, reverse: reverse,
        limit: min(512, limit + 1 - page.rows.count), keysOnly: keysOnly)
      for entry in entries {
        if page.rows.count == limit {
          page.cursor = lastEntry
          return page
        }
        page.rows.append(try indexedRow(store, index, entry, keysOnly))
        lastEntry = entry.key
      }
      guard !isEnd, let last = entries.last else { return page }
      if reverse { range.to = last.key } else { range.from = last.key + [0] }
    }
  }

  private func indexedRow(
    _ store: StoreDescription, _ index: StoreDescription.IndexDescription, _ entry: TreeEntry,
    _ keysOnly: Bool
  ) throws(StoreError) -> IndexedRow {
    var reader = KeyReader(entry.key)
    var values: [KeyComponent] = []
    for _ in index.components { values.append(try reader.component().value) }
    let key = [UInt8](entry.key[reader.position...])
    if keysOnly { return IndexedRow(values: values, key: key, value: [], entry: entry.key) }
    let row =
      entry.value.count == 8
      ? try row(store, entry.value.raw.bigEndian(Int64.self, at: 0)) : try get(store, key: key)
    guard let row else {
      throw StoreError(
        .corrupted, "the index '\(index.name)' points to a row that is not there; rebuild",
        store: store.name)
    }
    return IndexedRow(values: values, key: key, value: row, entry: entry.key)
  }

  /// How many rows have these first values: kept for none and for one, counted for more.
  package func countIndex(
    _ store: StoreDescription, _ name: String, values: [KeyComponent] = []
  ) throws(StoreError) -> Int {
    let index = try index(store, name)
    let tree = try table(StoreDescription.indexTable(store.name, name))
    if values.isEmpty { return try transaction.count(tree) }
    let prefix = try prefix(index, values, store.name)
    if values.count == 1 {
      let counts = try table(StoreDescription.countsTable(store.name, name))
      return Int(
        try TreeKey.with(prefix.raw) { key throws(StoreError) in
          try IndexCore.count(transaction, counts, key)
        })
    }
    var count = 0
    var range = KeyRange(prefix: prefix)
    while true {
      let (entries, isEnd) = try TreeWalk.page(
        transaction, tree, from: range.from, to: range.to, limit: 512, keysOnly: true)
      count += entries.count
      guard !isEnd, let last = entries.last else { return count }
      range.from = last.key + [0]
    }
  }
}
