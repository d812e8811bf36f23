extension StateView {
  /// Splits a visible key, or its order, into that of the entity and the rest.
  private func split(_ store: StoreDescription, _ key: [UInt8]) -> (entity: [UInt8], rest: [UInt8])
  {
    // A beginning of a component is no key: it lies before those that begin with it.
    let end = TextOrder.end(ofComponents: store.keyTypes.count, of: key) ?? key.count
    return ([UInt8](key[..<end]), [UInt8](key[end...]))
  }

  /// The value of [key, sequence], or of the n-th repeat of the sequence: [key, sequence, n].
  func auditValue(_ store: StoreDescription, _ key: [UInt8]) throws(StoreError) -> [UInt8]? {
    let (entity, rest) = split(store, key)
    // As the entity's key it ends where the visible one goes on: a UUID is stored in 16 bytes.
    let number = try rowNumber(EncodedKey(EncodedKey(encoded: entity).components()).bytes)
    guard number != KeySpace.none, let end = TextOrder.end(ofComponents: 1, of: rest) else {
      return nil
    }
    var repeats: Int64 = 0
    if end < rest.count {
      var reader = KeyReader(rest)
      _ = try reader.component()
      guard case .integer(let found) = try reader.component().value, found > 0 else { return nil }
      repeats = found
    }
    let group = AuditTree.group(row: number, [UInt8](rest[..<end]))
    var cursor = try transaction.cursor(try table(StoreDescription.auditTree(store.name)))
    var found = try cursor.seek(group.raw)
    while found, cursor.withEntry({ key, _ in AuditTree.isIn(key, group) }) {
      if repeats == 0 {
        let place = try AuditKey.read(cursor.key.raw, store: store.name)
        return try auditRow(store, place.number)
      }
      repeats -= 1
      found = try cursor.next()
    }
    return nil
  }

  private func auditRow(_ store: StoreDescription, _ number: Int64) throws(StoreError) -> [UInt8] {
    if let row = try row(store, number) { return row }
    throw StoreError(.corrupted, "an audit value is not there; rebuild", store: store.name)
  }

  func scanAudit(
    _ store: StoreDescription, _ range: KeyRange, _ reverse: Bool, _ cursor: ScanCursor?,
    _ page: inout PageBuilder
  ) throws(StoreError) {
    let walk = TextWalk(
      transaction: transaction, table: try table("directory"),
      leading: TextWalk.leading(store.keyTypes), reverse: reverse)
    // An entity's key lies before those of its values, so its own bound is its beginning.
    var (from, to) = (range.from.map { split(store, $0).entity }, range.to)
    while true {
      let (entities, isEnd) = try walk.page(from: from, to: to, limit: 64)
      for entity in entities where entity.entry.value.count == 8 {
        let tree = AuditTree(
          store: store, table: try table(StoreDescription.auditTree(store.name)),
          transaction: transaction, order: entity.order,
          row: entity.entry.value.raw.bigEndian(Int64.self, at: 0))
        let isWhole = try scanEntity(tree, range, reverse, cursor, &page)
        if !isWhole || page.isFull { return }
        page.pass(ScanCursor(order: tree.order + [reverse ? 0 : 0xFF]))
        if page.isFull { return }
      }
      guard !isEnd, let last = entities.last else { return }
      if reverse { to = last.order } else { from = TextOrder.end(ofGroup: last.order) }
    }
  }

  /// Adds the values of one entity.
  ///
  /// - Returns: whether there are no more of it.
  private func scanEntity(
    _ tree: AuditTree, _ range: KeyRange, _ reverse: Bool, _ cursor: ScanCursor?,
    _ page: inout PageBuilder
  ) throws(StoreError) -> Bool {
    var steps = try AuditSteps(tree, range, reverse, cursor)
    while true {
      let (entries, isEnd) = try steps.next(min(page.step, page.wanted))
      for entry in entries {
        let value = try page.keysOnly ? [] : auditRow(tree.store, entry.number)
        page.add(StoredRow(key: entry.key, value: value, cursor: entry.cursor))
        if page.isFull { return false }
      }
      if isEnd { return true }
    }
  }
}

/// The values of one entity in an audit store's tree, under (row number, sequence, number).
struct AuditTree {
  let store: StoreDescription
  let table: Table
  let transaction: Transaction
  /// The order of the entity's key, with which visible keys begin.
  let order: [UInt8]
  let row: Int64

  /// What all values of a sequence begin with.
  static func group(row: Int64, _ sequence: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(bigEndian: row)
    return bytes + sequence
  }

  static func isIn(_ key: RawSpan, _ group: [UInt8]) -> Bool {
    key.byteCount == group.count + 8 && equal(key.extracting(first: group.count), group.raw)
  }

  /// The tree's key without the number: row and sequence.
  static func group(of treeKey: [UInt8]) -> [UInt8] { [UInt8](treeKey.dropLast(8)) }

  var start: [UInt8] { Self.group(row: row, []) }
  var end: [UInt8] { Self.group(row: row + 1, []) }

  /// How many values of its sequence lie before a key of the tree.
  func repeats(before treeKey: [UInt8]) throws(StoreError) -> Int64 {
    var cursor = try transaction.cursor(table)
    var found = try cursor.seek(Self.group(of: treeKey).raw)
    var count: Int64 = 0
    while found, cursor.withEntry({ key, _ in compare(key, treeKey.raw) < 0 }) {
      count += 1
      found = try cursor.next()
    }
    return count
  }
}

/// Steps through an entity's values, in order or backwards, from a bound or from where a page
/// ended: a page costs what it has, not what lies before it.
private struct AuditSteps {
  struct Entry {
    let key: [UInt8]
    let cursor: ScanCursor
    let number: Int64
  }

  private let tree: AuditTree
  private let range: KeyRange
  private let reverse: Bool
  private var from: [UInt8]
  private var to: [UInt8]
  /// The value that was stepped to last, and how many of its sequence lie before it.
  private var last: (place: [UInt8], repeats: Int64)?

  init(
    _ tree: AuditTree, _ range: KeyRange, _ reverse: Bool, _ cursor: ScanCursor?
  ) throws(StoreError) {
    self.tree = tree
    self.range = range
    self.reverse = reverse
    from = tree.start
    to = tree.end
    if let cursor, let place = cursor.place, place.count > 16, place.starts(with: tree.start),
      cursor.order.starts(with: tree.order)
    {
      var repeats: Int64 = 0
      var reader = KeyReader([UInt8](cursor.order[tree.order.count...]))
      _ = try reader.component()
      if !reader.isAtEnd, case .integer(let found) = try reader.component().value {
        repeats = found
      }
      last = (place, repeats)
      if reverse { to = place } else { from = place + [0] }
      return
    }
    // Of a bound inside the entity the sequence is one of the tree.
    if let bound = range.from, bound.starts(with: tree.order) {
      from += Self.sequence(of: bound[tree.order.count...])
    }
    if let bound = range.to, bound.starts(with: tree.order), bound.count > tree.order.count {
      let sequence = Self.sequence(of: bound[tree.order.count...])
      to =
        tree.start + sequence + (TextOrder.end(ofComponents: 1, of: sequence) == nil ? [] : [0xFF])
    }
  }

  private static func sequence(of rest: ArraySlice<UInt8>) -> [UInt8] {
    let rest = [UInt8](rest)
    return TextOrder.end(ofComponents: 1, of: rest).map { [UInt8](rest[..<$0]) } ?? rest
  }

  /// The next values within the bounds, at most about `limit`, and whether there are no more.
  mutating func next(_ limit: Int) throws(StoreError) -> (entries: [Entry], isEnd: Bool) {
    let (keys, isEnd) = try TreeWalk.page(
      tree.transaction, tree.table, from: from, to: to, reverse: reverse, limit: limit,
      keysOnly: true)
    var entries: [Entry] = []
    for found in keys {
      let repeats = try repeats(of: found.key)
      last = (found.key, repeats)
      let entry = try entry(found.key, repeats)
      if let from = range.from, precedes(entry.cursor.order, from) {
        if reverse { return (entries, true) }
        continue
      }
      if let to = range.to, !precedes(entry.cursor.order, to) {
        if !reverse { return (entries, true) }
        continue
      }
      entries.append(entry)
    }
    guard !isEnd, let end = keys.last?.key else { return (entries, true) }
    if reverse { to = end } else { from = end + [0] }
    return (entries, false)
  }

  private func repeats(of treeKey: [UInt8]) throws(StoreError) -> Int64 {
    guard let last, AuditTree.group(of: last.place) == AuditTree.group(of: treeKey) else {
      // In order the first of its sequence, unless a walk begins in its middle.
      return reverse ? try tree.repeats(before: treeKey) : 0
    }
    return last.repeats + (reverse ? -1 : 1)
  }

  private func entry(_ treeKey: [UInt8], _ repeats: Int64) throws(StoreError) -> Entry {
    let (_, sequence, number) = try AuditKey.read(treeKey.raw, store: tree.store.name)
    var rest: [UInt8] = []
    (sequence.map { KeyComponent.integer($0) } ?? .null).encode(into: &rest)
    if repeats > 0 { KeyEncoding.append(integer: repeats, to: &rest) }
    return Entry(
      key: tree.order + rest, cursor: ScanCursor(order: tree.order + rest, place: treeKey),
      number: number)
  }
}
