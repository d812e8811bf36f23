/// A row found by an index.
package struct IndexedRow: Hashable, Sendable {
  /// The values by which the index orders it.
  package let values: [KeyComponent]
  /// The key's encoded form.
  package let key: [UInt8]
  package let value: [UInt8]
  /// The entry as it is stored: values, then key.
  package let entry: [UInt8]
  /// The bytes that order it among entries of any partition.
  package let order: [UInt8]
}

/// A page of an index, and where the next one begins.
package struct IndexPage: Hashable, Sendable {
  package var rows: [IndexedRow] = []
  /// The order of the last entry; `nil` after the last page.
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

  /// The orders of the entries with these first values, and the next one within bounds.
  private func range(
    _ index: StoreDescription.IndexDescription, _ values: [KeyComponent], _ from: KeyComponent?,
    _ to: KeyComponent?, _ store: StoreDescription
  ) throws(StoreError) -> KeyRange {
    let isRange = from != nil || to != nil
    guard values.count + (isRange ? 1 : 0) <= index.components.count else {
      throw StoreError(
        .invalid, "the index '\(index.name)' has \(index.components.count) values",
        store: store.name)
    }
    let prefix = Self.prefix(index, values)
    let all =
      prefix.isEmpty ? KeyRange() : KeyRange(from: prefix, to: TextOrder.end(ofGroup: prefix))
    guard isRange else { return all }
    let component = index.components[values.count]
    func bound(_ value: KeyComponent) -> [UInt8] {
      Self.prefix(index, values + [value])
    }
    // Where it lies the other way round, the first value is the last entry's, and inclusive.
    let (low, high) = (from.map(bound), to.map(bound))
    guard component.isDescending else { return KeyRange(from: low ?? all.from, to: high ?? all.to) }
    return KeyRange(
      from: high.map(TextOrder.end(ofGroup:)) ?? all.from,
      to: low.map(TextOrder.end(ofGroup:)) ?? all.to)
  }

  /// What the entries with these first values begin with.
  private static func prefix(
    _ index: StoreDescription.IndexDescription, _ values: [KeyComponent]
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    for (value, component) in zip(values, index.components) {
      let start = bytes.count
      value.encode(into: &bytes)
      KeyEncoding.writeOutUUID(&bytes, from: start)
      if component.isDescending { invert(&bytes, from: start) }
    }
    return bytes
  }

  private func walk(
    _ store: StoreDescription, _ index: StoreDescription.IndexDescription, _ reverse: Bool,
    _ keysOnly: Bool
  ) throws(StoreError) -> TextWalk {
    TextWalk(
      transaction: transaction,
      table: try table(StoreDescription.indexTable(store.name, index.name)),
      leading: TextWalk.leading(store.keyTypes).map { index.components.count + $0 },
      reverse: reverse, keysOnly: keysOnly)
  }

  /// Rows that an index finds, in its order.
  ///
  /// - Parameters:
  ///   - values: the first values of the entries.
  ///   - from: the least of the next value, inclusive, whichever way the index lies.
  ///   - to: where the next value ends, exclusive.
  ///   - cursor: of the page before.
  ///   - limit: rows of this page at most, at least 1.
  ///   - bytesMax: the page ends with the row whose value reaches it.
  ///   - keysOnly: leaves the rows' values empty, and reads none: for rows that are only passed.
  /// - Throws: ``StoreError``.
  package func scanIndex(
    _ store: StoreDescription, _ name: String, values: [KeyComponent] = [],
    from: KeyComponent? = nil, to: KeyComponent? = nil, reverse: Bool = false,
    cursor: [UInt8]? = nil, limit: Int, bytesMax: Int = .max, keysOnly: Bool = false
  ) throws(StoreError) -> IndexPage {
    precondition(limit > 0, "a page has at least a row")
    let index = try index(store, name)
    let walk = try walk(store, index, reverse, keysOnly)
    var page = IndexPage()
    guard var range = rest(of: try range(index, values, from, to, store), after: cursor, reverse)
    else {
      return page
    }
    var bytes = 0
    while true {
      // One entry more says whether there is another page.
      let wanted = limit - page.rows.count
      let (entries, isEnd) = try walk.page(
        from: range.from, to: range.to, limit: min(512, wanted == .max ? wanted : wanted + 1))
      for found in entries {
        if page.rows.count == limit || bytes >= bytesMax {
          page.cursor = page.rows.last?.order
          return page
        }
        let row = try indexedRow(store, index, found, keysOnly)
        bytes += row.value.count
        page.rows.append(row)
      }
      guard !isEnd, let last = entries.last?.order else { return page }
      if reverse { range.to = last } else { range.from = last + [0] }
    }
  }

  private func indexedRow(
    _ store: StoreDescription, _ index: StoreDescription.IndexDescription, _ found: OrderedEntry,
    _ keysOnly: Bool
  ) throws(StoreError) -> IndexedRow {
    let entry = found.entry
    var reader = KeyReader(entry.key)
    var values: [KeyComponent] = []
    for _ in index.components { values.append(try reader.component().value) }
    let key = [UInt8](entry.key[reader.position...])
    func row(_ value: [UInt8]) -> IndexedRow {
      IndexedRow(values: values, key: key, value: value, entry: entry.key, order: found.order)
    }
    if keysOnly { return row([]) }
    let stored =
      entry.value.count == 8
      ? try self.row(store, entry.value.raw.bigEndian(Int64.self, at: 0))
      : try get(store, key: key)
    guard let stored else {
      throw StoreError(
        .corrupted, "the index '\(index.name)' points to a row that is not there; rebuild",
        store: store.name)
    }
    return row(stored)
  }

  /// How many rows have these first values: kept for none and for one, counted for more.
  package func countIndex(
    _ store: StoreDescription, _ name: String, values: [KeyComponent] = []
  ) throws(StoreError) -> Int {
    let index = try index(store, name)
    if values.isEmpty {
      return try transaction.count(try table(StoreDescription.indexTable(store.name, name)))
    }
    if values.count == 1 {
      let counts = try table(StoreDescription.countsTable(store.name, name))
      return Int(
        try TreeKey.with(Self.prefix(index, values).raw) { key throws(StoreError) in
          try IndexCore.count(transaction, counts, key)
        })
    }
    var count = 0
    var cursor: [UInt8]?
    repeat {
      let page = try scanIndex(
        store, name, values: values, cursor: cursor, limit: 512, keysOnly: true)
      count += page.rows.count
      cursor = page.cursor
    } while cursor != nil
    return count
  }
}
