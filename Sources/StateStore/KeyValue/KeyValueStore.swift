public import StreamCore

/// A table of typed rows by key, as a processor sees it: reads see the interval's own writes, then
/// the transaction; nothing is visible to others before the interval's commit.
///
/// Used by its task's thread alone. A row is decoded at most once an interval and encoded once, at
/// the flush; no rows are kept after a commit.
public final class KeyValueStore<Key: StoreKey, Row> {
  @usableFromInline let core: RowCore
  @usableFromInline let cache: RowCache<Row>
  @usableFromInline var keyScratch: [UInt8] = []

  @inlinable
  init(core: RowCore, serde: any Serde<Row>, indexes: [Index<Row>]) {
    let cache = RowCache(core: core, serde: serde, indexes: indexes)
    self.core = core
    self.cache = cache
    // Closures made here are compiled for the row's type in the module that knows it. They hold
    // the cache, which holds the core, which holds them: the task cuts the ring when it closes.
    core.setHooks(
      commitUnit: { cache.commitUnit() }, rollbackUnit: { cache.rollbackUnit() },
      writeRows: { try cache.writeRows() }, dropCache: { cache.dropCache() },
      dirtyRows: { cache.dirty.count })
  }

  /// The store's name.
  public var name: String { core.name }

  /// The number of rows, the interval's changes included.
  public var count: Int { core.rowCount }

  @inlinable
  func slot(_ key: Key) throws -> Int {
    keyScratch.removeAll(keepingCapacity: true)
    key.encode(into: &keyScratch)
    return try cache.slot(try core.space.entry(for: keyScratch))
  }

  /// The row of a key.
  ///
  /// - Throws: ``StoreError``, ``SerdeError`` for a stored row that does not decode.
  @inlinable
  public func get(_ key: Key) throws -> Row? { cache.slots[try slot(key)].current }

  /// Puts the row of a key.
  @inlinable
  public func put(_ key: Key, _ row: Row) throws {
    let slot = try slot(key)
    if cache.slots[slot].current == nil {
      core.prepareRow(Int(cache.slots[slot].entry))
      core.addRows(1)
    }
    cache.write(slot, row)
  }

  /// Deletes the row of a key.
  ///
  /// - Returns: whether there was one.
  @inlinable
  @discardableResult
  public func delete(_ key: Key) throws -> Bool {
    let slot = try slot(key)
    if cache.slots[slot].current == nil { return false }
    core.addRows(-1)
    cache.write(slot, nil)
    return true
  }

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
    let slot = try cache.slot(try core.space.entry(for: bytes))
    guard let row = cache.slots[slot].current else { return true }
    return try body(try Key(encoded: bytes), row)
  }

  /// The keys of cached rows in a range, in order.
  @inlinable
  func cachedKeys(_ from: [UInt8]?, _ to: [UInt8]?) -> [[UInt8]] {
    var keys: [[UInt8]] = []
    for slot in cache.dirty where cache.slots[Int(slot)].current != nil {
      let key = core.key(Int(cache.slots[Int(slot)].entry))
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
