import CLMDB
import Glibc

/// What can be done inside a transaction, without owning it: valid until its owner ends it.
@safe
package struct Transaction {
  let handle: OpaquePointer
  let environment: Environment

  func error(_ result: Int32, _ operation: String, _ table: Table) -> StoreError {
    StoreError(
      lmdb: result, "\(operation) '\(table.name)'", store: environment.directory)
  }

  func openTable(_ name: String, create: Bool) throws(StoreError) -> UInt32? {
    var number: UInt32 = 0
    let result = unsafe mdb_dbi_open(handle, name, create ? UInt32(MDB_CREATE) : 0, &number)
    switch result {
    case MDB_SUCCESS: return number
    case MDB_NOTFOUND where !create: return nil
    default:
      throw StoreError(
        lmdb: result, "opening the table '\(name)'", store: environment.directory)
    }
  }

  /// The number of entries of a table.
  package func count(_ table: Table) throws(StoreError) -> Int {
    var stat = MDB_stat()
    let result = unsafe mdb_stat(handle, table.number, &stat)
    guard result == MDB_SUCCESS else { throw error(result, "counting", table) }
    return stat.ms_entries
  }

  /// Bytes of the pages a table takes.
  package func bytes(_ table: Table) throws(StoreError) -> Int {
    var stat = MDB_stat()
    let result = unsafe mdb_stat(handle, table.number, &stat)
    guard result == MDB_SUCCESS else { throw error(result, "measuring", table) }
    let pages = stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages
    return pages * Int(stat.ms_psize)
  }

  /// The stored bytes, in the map: gone with the transaction, or with its next write.
  @unsafe
  func value(
    _ table: Table, _ key: UnsafeRawBufferPointer
  ) throws(StoreError) -> UnsafeRawBufferPointer? {
    var found = unsafe MDB_val()
    var sought = unsafe MDB_val(key)
    let result = unsafe mdb_get(handle, table.number, &sought, &found)
    if result == MDB_SUCCESS { return unsafe UnsafeRawBufferPointer(found) }
    if result == MDB_NOTFOUND { return nil }
    throw error(result, "reading", table)
  }

  /// Lends the bytes stored for `key` to `body`, without a copy.
  ///
  /// - Returns: what `body` returns, or `nil` if there is no such key.
  package func withValue<Result>(
    _ table: Table, _ key: RawSpan, _ body: (_ value: RawSpan) throws -> Result
  ) throws -> Result? {
    let found = try unsafe key.withUnsafeBytes { bytes throws(StoreError) in
      try unsafe value(table, bytes)
    }
    guard let found = unsafe found else { return nil }
    // SAFETY: the pages stay until the transaction ends or writes; `body` gets neither.
    return try unsafe body(found.bytes)
  }

  /// A copy of the bytes stored for `key`.
  package func value(_ table: Table, _ key: RawSpan) throws(StoreError) -> [UInt8]? {
    let found = try unsafe key.withUnsafeBytes { bytes throws(StoreError) in
      try unsafe value(table, bytes)
    }
    return unsafe found.map { unsafe [UInt8]($0) }
  }

  /// Puts an entry, replacing one of the same key.
  ///
  /// - Parameter append: the key lies behind all others of the table; LMDB then fills pages whole.
  package func put(
    _ table: Table, _ key: RawSpan, _ value: RawSpan, append: Bool = false
  ) throws(StoreError) {
    let result = unsafe key.withUnsafeBytes { key in
      unsafe value.withUnsafeBytes { value in
        var keyValue = unsafe MDB_val(key)
        var valueValue = unsafe MDB_val(value)
        return unsafe mdb_put(
          handle, table.number, &keyValue, &valueValue, append ? UInt32(MDB_APPEND) : 0)
      }
    }
    guard result == MDB_SUCCESS else { throw error(result, "writing to", table) }
  }

  /// Deletes an entry.
  ///
  /// - Returns: whether it was there.
  @discardableResult
  package func delete(_ table: Table, _ key: RawSpan) throws(StoreError) -> Bool {
    let result = unsafe key.withUnsafeBytes { key in
      var keyValue = unsafe MDB_val(key)
      return unsafe mdb_del(handle, table.number, &keyValue, nil)
    }
    if result == MDB_NOTFOUND { return false }
    guard result == MDB_SUCCESS else { throw error(result, "deleting from", table) }
    return true
  }

  /// Deletes every entry whose key begins with `prefix`.
  func delete(_ table: Table, prefix: [UInt8]) throws(StoreError) {
    var cursor = try cursor(table)
    var found = try cursor.seek(prefix.raw)
    while found, unsafe cursor.keyBytes.starts(with: prefix) {
      try cursor.delete()
      found = try cursor.next()
    }
  }

  /// Deletes every entry of a table.
  package func clear(_ table: Table) throws(StoreError) {
    let result = unsafe mdb_drop(handle, table.number, 0)
    guard result == MDB_SUCCESS else { throw error(result, "clearing", table) }
  }

  /// A cursor, to be gone before the transaction ends.
  package func cursor(_ table: Table) throws(StoreError) -> Cursor {
    var opened: OpaquePointer?
    let result = unsafe mdb_cursor_open(handle, table.number, &opened)
    guard result == MDB_SUCCESS, let cursor = unsafe opened else {
      throw error(result, "opening a cursor on", table)
    }
    return unsafe Cursor(handle: cursor, transaction: self, table: table)
  }
}

extension MDB_val {
  @unsafe
  init(_ bytes: UnsafeRawBufferPointer) {
    // SAFETY: LMDB does not write through keys and values given to it.
    unsafe self.init(
      mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
  }
}

extension UnsafeRawBufferPointer {
  init(_ value: MDB_val) {
    unsafe self.init(start: value.mv_data, count: value.mv_size)
  }
}

/// One consistent view of an environment.
///
/// Keep it short: LMDB reuses no page freed after it began (lmdb.h, "Avoid long-lived
/// transactions"), and the map cannot grow while it lasts.
@safe
package struct ReadTransaction: ~Copyable {
  package let operations: Transaction
  private var ended = false

  /// - Throws: ``StoreError``: `readersFull`, `failed`.
  package init(_ environment: Environment) throws(StoreError) {
    self.operations = try begin(environment, UInt32(MDB_RDONLY))
  }

  /// The number of the commit it sees.
  package var number: Int { unsafe Int(mdb_txn_id(operations.handle)) }

  consuming func close(keepingTables: Bool) {
    ended = true
    if keepingTables {
      unsafe mdb_txn_commit(operations.handle)
    } else {
      unsafe mdb_txn_abort(operations.handle)
    }
    operations.environment.gate.leave()
  }

  deinit {
    if ended { return }
    unsafe mdb_txn_abort(operations.handle)
    operations.environment.gate.leave()
  }
}

/// The one write transaction of an environment at a time; another begun meanwhile, in any process,
/// waits. Ends with its thread's ``commit()``, else it is aborted.
@safe
package struct WriteTransaction: ~Copyable {
  package let operations: Transaction
  private var ended = false

  /// - Throws: ``StoreError``.
  package init(_ environment: Environment) throws(StoreError) {
    self.operations = try begin(environment, 0)
  }

  /// Makes the writes visible; the data is synced, the meta page with the next commit or sync.
  ///
  /// - Throws: ``StoreError``; the transaction is then aborted.
  package consuming func commit() throws(StoreError) {
    ended = true
    var result = unsafe mdb_txn_commit(operations.handle)
    operations.environment.gate.leave()
    if result == EIO { result = operations.environment.causeOfShortWrite ?? result }
    guard result == MDB_SUCCESS else {
      throw StoreError(lmdb: result, "committing", store: operations.environment.directory)
    }
    operations.environment.lengthenFile()
  }

  package consuming func abort() {}

  deinit {
    if ended { return }
    unsafe mdb_txn_abort(operations.handle)
    operations.environment.gate.leave()
  }
}

private func begin(
  _ environment: Environment, _ flags: UInt32
) throws(StoreError) -> Transaction {
  while true {
    let open = try unsafe environment.enter()
    var begun: OpaquePointer?
    let result = unsafe mdb_txn_begin(open, nil, flags, &begun)
    if result == MDB_SUCCESS, let handle = unsafe begun {
      return unsafe Transaction(handle: handle, environment: environment)
    }
    environment.gate.leave()
    guard result == MDB_MAP_RESIZED else {
      throw StoreError(
        lmdb: result, "beginning a transaction", store: environment.directory)
    }
    try environment.adoptMapSize()
  }
}

extension Environment {
  /// LMDB reports a short write as `EIO`: what may have made it short, a full disk or the limit on
  /// a file's size.
  var causeOfShortWrite: Int32? {
    var limit = rlimit()
    let isLimited = unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0
    // A write that meets the limit ends there.
    if isLimited, fileBytes(file) >= limit.rlim_cur { return EFBIG }
    var status = statvfs()
    guard unsafe statvfs(directory, &status) == 0 else { return nil }
    return status.f_bavail * status.f_frsize < 1 << 20 ? ENOSPC : nil
  }
}
