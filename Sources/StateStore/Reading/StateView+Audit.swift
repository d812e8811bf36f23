extension StateView {
  /// The values of one entity with their visible keys, in order.
  private func auditEntries(
    _ store: StoreDescription, _ key: [UInt8], _ row: Int64
  ) throws(StoreError) -> [(key: [UInt8], number: Int64)] {
    let tree = try table(StoreDescription.auditTree(store.name))
    var from: [UInt8] = []
    from.append(bigEndian: row)
    var to: [UInt8] = []
    to.append(bigEndian: row + 1)
    var entries: [(key: [UInt8], number: Int64)] = []
    var last: Int64??
    var repeats: Int64 = 0
    for entry in try TreeWalk.page(
      transaction, tree, from: from, to: to, limit: .max, keysOnly: true
    ).entries {
      let (_, sequence, number) = try AuditKey.read(entry.key.raw, store: store.name)
      repeats = last == .some(sequence) ? repeats + 1 : 0
      last = .some(sequence)
      var visible = key
      (sequence.map { KeyComponent.integer($0) } ?? .null).encode(into: &visible)
      if repeats > 0 { KeyEncoding.append(integer: repeats, to: &visible) }
      entries.append((visible, number))
    }
    return entries
  }

  /// Splits a visible key into that of the entity and the rest.
  private func entityKey(_ store: StoreDescription, _ key: [UInt8]) throws(StoreError) -> [UInt8] {
    var reader = KeyReader(key)
    var count = 0
    while count < store.keyTypes.count && !reader.isAtEnd {
      _ = try reader.component()
      count += 1
    }
    return [UInt8](key[..<reader.position])
  }

  func auditValue(_ store: StoreDescription, _ key: [UInt8]) throws(StoreError) -> [UInt8]? {
    let entity = try entityKey(store, key)
    let number = try rowNumber(entity)
    if number == KeySpace.none { return nil }
    guard
      let found = try auditEntries(store, entity, number).first(where: { $0.key == key })
    else { return nil }
    return try row(store, found.number)
  }

  func scanAudit(
    _ store: StoreDescription, _ range: KeyRange, _ reverse: Bool, _ limit: Int,
    _ keysOnly: Bool, _ page: inout RowPage
  ) throws(StoreError) {
    let directory = try table("directory")
    // An entity's key lies before those of its values, so its own bound is its beginning.
    var from = range.from
    if let bound = range.from {
      do throws(StoreError) {
        from = try entityKey(store, bound)
      } catch {
        // A beginning of a component is no key: it lies before those that begin with it.
        from = bound
      }
    }
    var to = range.to
    while true {
      let (entries, isEnd) = try TreeWalk.page(
        transaction, directory, from: from, to: to, reverse: reverse, limit: 64)
      for entry in entries where entry.value.count == 8 {
        let number = entry.value.raw.bigEndian(Int64.self, at: 0)
        var values = try auditEntries(store, entry.key, number)
        if reverse { values.reverse() }
        for value in values {
          if let from = range.from, precedes(value.key, from) { continue }
          if let to = range.to, !precedes(value.key, to) { continue }
          guard let row = try keysOnly ? [] : row(store, value.number) else {
            throw StoreError(.corrupted, "an audit value is not there; rebuild", store: store.name)
          }
          page.rows.append(StoredRow(key: value.key, value: row))
          if page.rows.count > limit { return }
        }
      }
      guard !isEnd, let last = entries.last else { return }
      if reverse { to = last.key } else { from = last.key + [0] }
    }
  }
}
