public import StreamCore

/// A table of typed rows by key, as a processor sees it: reads see the interval's own writes, then
/// the transaction; nothing is visible to others before the interval's commit.
///
/// Used by its task's thread alone. A row is decoded at most once an interval and encoded once, at
/// the flush; no rows are kept after a commit. A row that has no bytes is refused when it is put,
/// wherever intervals end: what is in the cache can be written.
public final class KeyValueStore<Key: StoreKey, Row> {
  @usableFromInline let core: RowCore
  @usableFromInline let space: KeySpace
  @usableFromInline let cache: RowCache<Row>
  @usableFromInline let keyScratch = OwnedState([UInt8]())

  // Inlined always: the closures made here are to be compiled in the module that knows the types.
  // They hold the cache, which holds the core, which holds them: the task cuts the ring when it
  // closes.
  @inlinable
  @inline(__always)
  init(core: RowCore, serde: some Serde<Row>, indexes: [Index<Row>]) {
    let cache = RowCache<Row>(
      core: core, indexes: indexes, decode: { try serde.deserialize($0) },
      isChecked: !serde.everyValueHasBytes,
      check: { row in
        var bytes: [UInt8] = []
        try serde.serialize(row, into: &bytes)
        // What an index holds is taken from the bytes.
        if !indexes.isEmpty {
          _ = try unsafe bytes.withUnsafeBytes { try unsafe serde.deserialize($0.bytes) }
        }
      })
    self.core = core
    self.space = core.space
    self.cache = cache
    core.setHooks(
      rollbackUnit: { cache.rollbackUnit() },
      writeRows: {
        try cache.writeRows { row, bytes in
          do {
            try serde.serialize(row, into: &bytes)
          } catch {
            throw core.brokenPromise(of: serde.name, error)
          }
        }
      },
      dropCache: { cache.dropCache() }, releaseMemory: { cache.releaseMemory() },
      dirtyRows: { cache.dirtyCount })
  }

  /// The store's name.
  public var name: String { core.name }

  /// The number of rows, the interval's changes included.
  public var count: Int { core.rowCount }

  /// Where a key's row is cached: a number that holds until the unit ends.
  ///
  /// An operator that reads a row and puts another looks its key up once.
  ///
  /// - Throws: as ``get(_:)``.
  @inlinable
  package func slot(of key: Key) throws -> Int {
    keyScratch.value.removeAll(keepingCapacity: true)
    key.encode(into: &keyScratch.value)
    let entry = try unsafe keyScratch.value.withUnsafeBytes { key throws(StoreError) in
      try unsafe space.entry(for: key.bytes)
    }
    return try cache.slot(entry)
  }

  /// The row at a slot.
  @inlinable
  package func row(at slot: Int) -> Row? { cache.row(at: slot) }

  /// Moves the row out of its slot: ``put(_:at:replacing:)``, ``delete(at:replacing:)`` or
  /// ``putBack(_:at:)`` must follow before anything else looks at the slot.
  @inlinable
  package func take(at slot: Int) -> Row? { cache.take(slot) }

  /// Undoes ``take(at:)``.
  @inlinable
  package func putBack(_ row: consuming Row?, at slot: Int) { cache.putBack(slot, row) }

  /// Puts the row at a slot whose row was taken.
  ///
  /// - Throws: as ``put(_:_:)``; the taken row is then back.
  @inlinable
  package func put(
    _ row: consuming Row, at slot: Int, replacing old: consuming Row?
  ) throws(SerdeError) {
    if cache.isChecked { return try check(row, at: slot, replacing: old) }
    write(row, at: slot, replacing: old)
  }

  // Apart, so that a row that needs no trial is moved once.
  @inlinable
  @inline(never)
  func check(
    _ row: consuming Row, at slot: Int, replacing old: consuming Row?
  ) throws(SerdeError) {
    if let refusal = cache.refusal(of: row, at: slot) {
      putBack(old, at: slot)
      throw refusal
    }
    write(row, at: slot, replacing: old)
  }

  @inlinable
  func write(_ row: consuming Row, at slot: Int, replacing old: consuming Row?) {
    if !cache.state.value.slots[slot].hasRow {
      core.addRow(Int(cache.state.value.slots[slot].entry))
    }
    cache.write(slot, row, replacing: old)
  }

  /// Deletes the row at a slot, from which it was taken.
  @inlinable
  package func delete(at slot: Int, replacing old: consuming Row?) {
    core.removeRow()
    cache.write(slot, nil, replacing: old)
  }

  /// Puts the row at a slot.
  ///
  /// - Throws: as ``put(_:_:)``.
  @inlinable
  package func put(_ row: consuming Row, at slot: Int) throws(SerdeError) {
    try put(row, at: slot, replacing: take(at: slot))
  }

  /// Deletes the row at a slot, if there is one.
  ///
  /// - Returns: whether there was.
  @inlinable
  @discardableResult
  package func delete(at slot: Int) -> Bool {
    guard cache.state.value.slots[slot].hasRow else { return false }
    delete(at: slot, replacing: take(at: slot))
    return true
  }

  /// The row of a key.
  ///
  /// - Throws: ``StoreError``; ``StreamCore/SerdeError``, which names store and key, for a stored
  ///   row that does not decode.
  @inlinable
  public func get(_ key: Key) throws -> Row? { row(at: try slot(of: key)) }

  /// Puts the row of a key.
  ///
  /// - Throws: as ``get(_:)``; ``StreamCore/SerdeError`` for a row that its serde cannot write, and
  ///   the key's row is then what it was.
  @inlinable
  public func put(_ key: Key, _ row: Row) throws { try put(row, at: try slot(of: key)) }

  /// Deletes the row of a key.
  ///
  /// - Returns: whether there was one.
  @inlinable
  @discardableResult
  public func delete(_ key: Key) throws -> Bool { delete(at: try slot(of: key)) }

  /// Calls `body` with the rows whose keys lie in `from ..< to`, in key order, until it returns
  /// `false`.
  ///
  /// `body` may put and delete; rows that it adds are not met, rows that it deletes are not either.
  @inlinable
  public func forEach(
    from: Key? = nil, to: Key? = nil, _ body: (Key, Row) throws -> Bool
  ) throws {
    try forEach(fromBytes: from?.encoded, toBytes: to?.encoded, body)
  }

  /// Calls `body` with the rows whose keys begin with the components of `prefix`, in key order,
  /// until it returns `false`.
  @inlinable
  public func forEach(
    prefix: some StoreKey, _ body: (Key, Row) throws -> Bool
  ) throws {
    let prefix = prefix.encoded
    try forEach(fromBytes: prefix, toBytes: endOfPrefix(prefix), body)
  }

  @inlinable
  func forEach(
    fromBytes from: [UInt8]?, toBytes to: [UInt8]?, _ body: (Key, Row) throws -> Bool
  ) throws {
    let cached = cachedKeys(from, to)
    var nextCached = 0
    var start = from
    var isEnd = false
    while !isEnd {
      let page = try core.page(from: start, to: to)
      isEnd = page.isEnd
      for key in page.keys {
        while nextCached < cached.count && precedesKey(cached[nextCached], key) {
          guard try visit(cached[nextCached], body) else { return }
          nextCached += 1
        }
        if nextCached < cached.count && cached[nextCached] == key { nextCached += 1 }
        guard try visit(key, body) else { return }
      }
      if let last = page.keys.last { start = last + [0] }
    }
    while nextCached < cached.count {
      guard try visit(cached[nextCached], body) else { return }
      nextCached += 1
    }
  }

  @inlinable
  func visit(_ bytes: [UInt8], _ body: (Key, Row) throws -> Bool) throws -> Bool {
    let slot = try cache.slot(try space.entry(for: bytes))
    guard let row = cache.row(at: slot) else { return true }
    return try body(try Key(encoded: bytes), row)
  }

  /// The keys of cached rows in a range, in order.
  @inlinable
  func cachedKeys(_ from: [UInt8]?, _ to: [UInt8]?) -> [[UInt8]] {
    var keys: [[UInt8]] = []
    for slot in cache.state.value.dirty where cache.state.value.slots[Int(slot)].hasRow {
      let key = core.key(Int(cache.state.value.slots[Int(slot)].entry))
      if let from, precedesKey(key, from) { continue }
      if let to, !precedesKey(key, to) { continue }
      keys.append(key)
    }
    keys.sort { precedesKey($0, $1) }
    return keys
  }
}

extension RowCore {
  @usableFromInline
  func key(_ entry: Int) -> [UInt8] { space.keys.key(entry) }
}

@usableFromInline
func precedesKey(_ left: [UInt8], _ right: [UInt8]) -> Bool { precedes(left, right) }

@usableFromInline
func endOfPrefix(_ prefix: [UInt8]) -> [UInt8]? { end(ofPrefix: prefix) }
