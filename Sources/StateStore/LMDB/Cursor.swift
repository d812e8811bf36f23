import CLMDB

/// A place in a table, inside one transaction.
///
/// After a move that returned `true`, key and value can be read until the next move or write.
@safe
package struct Cursor: ~Copyable {
  private let handle: OpaquePointer
  private let transaction: Transaction
  private let table: Table
  private var foundKey = unsafe MDB_val()
  private var foundValue = unsafe MDB_val()

  @unsafe
  init(handle: OpaquePointer, transaction: Transaction, table: Table) {
    unsafe self.handle = unsafe handle
    self.transaction = transaction
    self.table = table
  }

  deinit { unsafe mdb_cursor_close(handle) }

  private mutating func move(_ operation: MDB_cursor_op) throws(StoreError) -> Bool {
    let result = unsafe mdb_cursor_get(handle, &foundKey, &foundValue, operation)
    if result == MDB_SUCCESS { return true }
    if result == MDB_NOTFOUND { return false }
    throw transaction.error(result, "walking", table)
  }

  package mutating func first() throws(StoreError) -> Bool { try move(MDB_FIRST) }
  package mutating func last() throws(StoreError) -> Bool { try move(MDB_LAST) }
  package mutating func next() throws(StoreError) -> Bool { try move(MDB_NEXT) }
  package mutating func previous() throws(StoreError) -> Bool { try move(MDB_PREV) }

  /// Moves to the first entry whose key is `key` or lies behind it.
  package mutating func seek(_ key: RawSpan) throws(StoreError) -> Bool {
    if key.isEmpty { return try first() }
    return try unsafe key.withUnsafeBytes { bytes throws(StoreError) in
      unsafe foundKey = unsafe MDB_val(bytes)
      return try move(MDB_SET_RANGE)
    }
  }

  /// Moves to the last entry whose key lies before `key`.
  package mutating func seek(before key: RawSpan) throws(StoreError) -> Bool {
    try seek(key) ? try previous() : try last()
  }

  /// Moves to the entry of a key; as one of many in key order it is mostly found on the page at
  /// hand.
  ///
  /// - Returns: whether there is one.
  package mutating func find(_ key: RawSpan) throws(StoreError) -> Bool {
    try unsafe key.withUnsafeBytes { bytes throws(StoreError) in
      unsafe foundKey = unsafe MDB_val(bytes)
      return try move(MDB_SET_KEY)
    }
  }

  /// The key found, in the map.
  @unsafe var keyBytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(foundKey) }
  /// The value found, in the map.
  @unsafe var valueBytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(foundValue) }

  /// Lends the entry found.
  package borrowing func withEntry<Result>(
    _ body: (_ key: RawSpan, _ value: RawSpan) throws -> Result
  ) rethrows -> Result {
    // SAFETY: the pages stay until the transaction ends or writes.
    try unsafe body(keyBytes.bytes, valueBytes.bytes)
  }

  package var key: [UInt8] { unsafe [UInt8](keyBytes) }
  package var value: [UInt8] { unsafe [UInt8](valueBytes) }

  /// Puts an entry; as one of many in key order it finds its page at hand.
  package mutating func put(
    _ key: RawSpan, _ value: RawSpan, append: Bool = false
  ) throws(StoreError) {
    try put(key, value, flags: append ? UInt32(MDB_APPEND) : 0)
  }

  /// Replaces the value of the entry found, whose key is `key`.
  package mutating func replace(_ key: RawSpan, _ value: RawSpan) throws(StoreError) {
    try put(key, value, flags: UInt32(MDB_CURRENT))
  }

  private mutating func put(
    _ key: RawSpan, _ value: RawSpan, flags: UInt32
  ) throws(StoreError) {
    let result = unsafe key.withUnsafeBytes { key in
      unsafe value.withUnsafeBytes { value in
        var keyValue = unsafe MDB_val(key)
        var valueValue = unsafe MDB_val(value)
        return unsafe mdb_cursor_put(handle, &keyValue, &valueValue, flags)
      }
    }
    guard result == MDB_SUCCESS else { throw transaction.error(result, "writing to", table) }
  }

  /// Deletes the entry found; ``next()`` then gives the one behind it.
  package mutating func delete() throws(StoreError) {
    let result = unsafe mdb_cursor_del(handle, 0)
    guard result == MDB_SUCCESS else { throw transaction.error(result, "deleting from", table) }
  }
}
