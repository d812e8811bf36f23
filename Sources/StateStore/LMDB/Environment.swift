import CLMDB
import Glibc
import Synchronization

/// One LMDB environment: a directory with `data.mdb` and `lock.mdb`.
///
/// LMDB forbids to open one twice in a process, so ``open(_:_:)`` hands out the one that is open.
/// Unless asked otherwise, commits sync data and leave the meta page to the next one
/// (`MDB_NOMETASYNC`); transactions are bound to their owner, not to a thread (`MDB_NOTLS`).
///
/// `@unchecked Sendable`: LMDB guards what the handle stands for, and the handle itself changes in
/// the gate alone, where no other thread uses it; the tables sit in a mutex.
@safe
package final class Environment: @unchecked Sendable {
  package struct Options: Sendable {
    /// Bytes of address space to begin with; doubled when it is full.
    package var mapSize: Int
    package var maxReaders: Int
    package var maxTables: Int
    /// Whether a missing environment is made.
    package var create: Bool
    /// Whether a commit syncs the meta page too: nobody then sees what a power cut can take away.
    package var syncsMeta: Bool
    /// Whether pages are mostly read in their order, so that reading ahead pays at any size.
    package var readsInOrder: Bool

    package init(
      mapSize: Int = 16 << 30, maxReaders: Int = 1024, maxTables: Int = 256, create: Bool = true,
      syncsMeta: Bool = false, readsInOrder: Bool = false
    ) {
      self.mapSize = mapSize
      self.maxReaders = maxReaders
      self.maxTables = maxTables
      self.create = create
      self.syncsMeta = syncsMeta
      self.readsInOrder = readsInOrder
    }
  }

  /// The device and inode of `data.mdb`: the environment's identity under every path.
  ///
  /// LMDB holds the file open, so its inode is nobody else's until it lets go; a directory's is
  /// given to the next one as soon as it is removed, even under an environment still open.
  struct Identity: Hashable {
    let device: UInt
    let inode: UInt
  }

  private struct Entry {
    weak var environment: Environment?
  }

  private static let opened = Mutex<[Identity: Entry]>([:])

  package let directory: String
  /// The longest key LMDB takes, in bytes (511 as Debian builds it).
  package let keyBytesMax: Int
  /// Used inside the gate; `nil` once opening it anew has failed.
  private(set) var handle: OpaquePointer?
  let gate = ReaderGate()
  private let identity: Identity
  private let options: Options
  private let tables = Mutex<[String: UInt32]>([:])
  /// Held by who opens tables, one at a time as LMDB wants it. Not the tables' own lock: beginning a
  /// transaction may wait for all others to end, and those look tables up.
  private let opening = Mutex(())

  private init(
    directory: String, identity: Identity, handle: OpaquePointer, options: Options
  ) {
    self.directory = directory
    self.identity = identity
    self.options = options
    unsafe self.handle = unsafe handle
    self.keyBytesMax = unsafe Int(mdb_env_get_maxkeysize(handle))
  }

  deinit {
    // Under the lock: nobody may open the directory again before LMDB has let go of it.
    Self.opened.withLock { opened in
      if let handle = unsafe handle { unsafe mdb_env_close(handle) }
      opened[identity] = nil
    }
  }

  /// Opens the environment in `directory`, or gives the one this process has open already.
  ///
  /// - Throws: ``StoreError``: `missing` without `create`, `corrupted`, `newer`, `readOnly`,
  ///   `diskFull`, `failed`.
  package static func open(
    _ directory: String, _ options: Options = Options()
  ) throws(StoreError) -> Environment {
    if options.create { try makeDirectory(directory) }
    while true {
      let found: Environment? = try attempt(directory, options)
      if let found { return found }
      // Its last owner is letting go of it on another thread.
      sched_yield()
    }
  }

  private static func attempt(
    _ directory: String, _ options: Options
  ) throws(StoreError) -> Environment? {
    var status = stat()
    guard unsafe stat(directory, &status) == 0 else {
      throw StoreError(lmdb: errno, "opening the directory", store: directory)
    }
    let (environment, isNew) = try opened.withLock { opened throws(StoreError) in
      let found = identity(of: directory)
      if let found, let entry = opened[found] { return (entry.environment, false) }
      if found == nil && !options.create {
        throw StoreError(.missing, "no environment here", store: directory)
      }
      let environment = try Environment.openAnew(directory, options)
      opened[environment.identity] = Entry(environment: environment)
      return (environment, true)
    }
    if isNew, let environment {
      try environment.checkLength()
      // LMDB gives a file that has outgrown its map just what is in use, and no page to write to.
      if environment.usedBytes > environment.mapSize / 4 * 3 { try environment.grow() }
    }
    return environment
  }

  /// `nil` where there is no environment yet.
  private static func identity(of directory: String) -> Identity? {
    var data = stat()
    guard unsafe stat(directory + "/data.mdb", &data) == 0, data.st_size > 0 else { return nil }
    return Identity(device: UInt(data.st_dev), inode: UInt(data.st_ino))
  }

  private static func openAnew(
    _ directory: String, _ options: Options
  ) throws(StoreError) -> Environment {
    let handle = try unsafe openHandle(directory, options)
    guard let identity = identity(of: directory) else {
      unsafe mdb_env_close(handle)
      throw StoreError(.missing, "the environment was removed meanwhile", store: directory)
    }
    return unsafe Environment(
      directory: directory, identity: identity, handle: handle, options: options)
  }

  private static func openHandle(
    _ directory: String, _ options: Options
  ) throws(StoreError) -> OpaquePointer {
    let files = EnvironmentFiles(in: directory, create: options.create)
    try files.prepare(readers: options.maxReaders)
    var created: OpaquePointer?
    var result = unsafe mdb_env_create(&created)
    guard result == MDB_SUCCESS, let handle = unsafe created else {
      throw StoreError(lmdb: result, "creating an environment", store: directory)
    }
    unsafe DamageReport.install(on: handle)
    unsafe mdb_env_set_mapsize(handle, options.mapSize)
    unsafe mdb_env_set_maxreaders(handle, UInt32(options.maxReaders))
    unsafe mdb_env_set_maxdbs(handle, UInt32(options.maxTables))
    var flags = options.syncsMeta ? MDB_NOTLS : MDB_NOTLS | MDB_NOMETASYNC
    if !options.readsInOrder, dataBytes(of: directory) > readAheadBytesMax {
      flags |= MDB_NORDAHEAD
    }
    result = unsafe mdb_env_open(handle, directory, UInt32(flags), 0o644)
    guard result == MDB_SUCCESS else {
      unsafe mdb_env_close(handle)
      let error = StoreError(lmdb: result, "opening the environment", store: directory)
      if error.code == .diskFull { files.removeHalfMade() }
      throw error
    }
    files.release()
    return unsafe handle
  }

  /// A larger file is read without reading ahead: megabytes around each page that is missing would
  /// drive out of a small memory what is needed next (measured: 4 MB read for each page of 4 kB,
  /// in a control group of a tenth of the state). An eighth, for a process has several of them.
  private static let readAheadBytesMax = MemoryLimit.bytes / 8

  private static func dataBytes(of directory: String) -> Int {
    var status = stat()
    return unsafe stat(directory + "/data.mdb", &status) == 0 ? Int(status.st_size) : 0
  }

  /// Whether the file was opened with reading ahead and has grown too large for it since;
  /// ``releasePages()`` opens it without.
  package var hasOutgrownReadAhead: Bool {
    !options.readsInOrder && usedBytes > Self.readAheadBytesMax
      && gate.briefly {
        var flags: UInt32 = 0
        if let handle = unsafe handle { unsafe mdb_env_get_flags(handle, &flags) }
        return flags & UInt32(MDB_NORDAHEAD) == 0
      }
  }

  static func makeDirectory(_ directory: String) throws(StoreError) {
    var made = ""
    for part in directory.split(separator: "/", omittingEmptySubsequences: true) {
      made += made.isEmpty && !directory.hasPrefix("/") ? String(part) : "/\(part)"
      if unsafe mkdir(made, 0o755) != 0 && errno != EEXIST {
        throw StoreError(lmdb: errno, "making the directory \(made)", store: directory)
      }
    }
  }

  /// The handle, for who is inside the gate.
  ///
  /// - Throws: ``StoreError`` with `failed` once opening it anew has failed.
  @unsafe
  func openHandle() throws(StoreError) -> OpaquePointer {
    guard let handle = unsafe handle else {
      throw StoreError(
        .failed, "it could not be opened again after a commit; start again", store: directory)
    }
    return unsafe handle
  }

  /// Gives the memory back that LMDB keeps of its largest transaction until it closes, if no
  /// transaction of this process is open: closes the environment and opens it again.
  ///
  /// - Throws: ``StoreError``; nothing can then be done with the environment any more.
  package func releasePages() throws(StoreError) {
    // A table that somebody is opening now would be missing among those opened again.
    let failure = opening.withLockIfAvailable { _ in
      gate.aloneNow { () -> StoreError? in
        do throws(StoreError) {
          try reopen()
          return nil
        } catch {
          return error
        }
      }
    }
    if let failure, let failure, let failure { throw failure }
  }

  private func reopen() throws(StoreError) {
    guard let old = unsafe handle else { return }
    var options = options
    options.mapSize = mapSizeInside
    unsafe mdb_env_close(old)
    unsafe handle = nil
    // Without this LMDB would make a new one.
    guard Self.identity(of: directory) == identity else {
      throw StoreError(.missing, "the environment was removed meanwhile", store: directory)
    }
    let opened = try unsafe Self.openHandle(directory, options)
    do throws(StoreError) {
      try unsafe openTablesAgain(opened)
    } catch {
      unsafe mdb_env_close(opened)
      throw error
    }
    unsafe handle = unsafe opened
  }

  /// Gives the tables the numbers that they had: LMDB numbers them in the order of opening.
  private func openTablesAgain(_ handle: OpaquePointer) throws(StoreError) {
    let known = tables.withLock { $0 }.sorted { $0.value < $1.value }
    var transaction: OpaquePointer?
    var result = unsafe mdb_txn_begin(handle, nil, UInt32(MDB_RDONLY), &transaction)
    for (name, number) in known where result == MDB_SUCCESS {
      var found: UInt32 = 0
      result = unsafe mdb_dbi_open(transaction, name, 0, &found)
      if result == MDB_SUCCESS && found != number { result = MDB_BAD_DBI }
    }
    guard result == MDB_SUCCESS else {
      if unsafe transaction != nil { unsafe mdb_txn_abort(transaction) }
      throw StoreError(lmdb: result, "opening the tables again", store: directory)
    }
    // A committed read transaction leaves the handles open for others (lmdb.h, mdb_dbi_open).
    unsafe mdb_txn_commit(transaction)
  }

  /// Forces all commits to disk, data and meta page.
  package func sync() throws(StoreError) {
    gate.enter()
    defer { gate.leave() }
    let result = unsafe mdb_env_sync(try openHandle(), 1)
    guard result == MDB_SUCCESS else {
      throw StoreError(lmdb: result, "syncing", store: directory)
    }
  }

  /// Doubles the map, once this process's transactions here have ended.
  ///
  /// The caller holds none itself, or this never returns.
  package func grow() throws(StoreError) {
    let result = gate.alone {
      guard let handle = unsafe handle else { return EINVAL }
      return unsafe mdb_env_set_mapsize(handle, mapSizeInside * 2)
    }
    guard result == MDB_SUCCESS else {
      throw StoreError(lmdb: result, "doubling the map", store: directory)
    }
  }

  /// Takes over the map size that another process set.
  func adoptMapSize() throws(StoreError) {
    let result = gate.alone {
      guard let handle = unsafe handle else { return EINVAL }
      return unsafe mdb_env_set_mapsize(handle, 0)
    }
    guard result == MDB_SUCCESS else {
      throw StoreError(lmdb: result, "adopting the map's size", store: directory)
    }
  }

  private var info: MDB_envinfo { unsafe gate.briefly { unsafe infoInside } }

  private var infoInside: MDB_envinfo {
    var info = unsafe MDB_envinfo()
    if let handle = unsafe handle { unsafe mdb_env_info(handle, &info) }
    return unsafe info
  }

  private var mapSizeInside: Int { unsafe infoInside.me_mapsize }

  /// Bytes of address space.
  package var mapSize: Int { unsafe info.me_mapsize }
  /// Bytes of the map in use, pages that are free again included.
  package var usedBytes: Int { unsafe (info.me_last_pgno + 1) * pageSize }
  /// The number of the newest committed transaction.
  package var lastTransaction: Int { unsafe info.me_last_txnid }

  private var mainTable: MDB_stat {
    gate.briefly {
      var stat = MDB_stat()
      if let handle = unsafe handle { unsafe mdb_env_stat(handle, &stat) }
      return stat
    }
  }

  package var pageSize: Int {
    Int(mainTable.ms_psize)
  }

  /// Clears the slots of readers whose process is dead, which would keep pages from being reused.
  ///
  /// - Returns: how many were cleared.
  @discardableResult
  package func clearStaleReaders() throws(StoreError) -> Int {
    var dead: Int32 = 0
    let result = gate.briefly {
      guard let handle = unsafe handle else { return EINVAL }
      return unsafe mdb_reader_check(handle, &dead)
    }
    guard result == MDB_SUCCESS else {
      throw StoreError(lmdb: result, "checking readers", store: directory)
    }
    return Int(dead)
  }

  /// How many commits the oldest reader of any process lags behind; 0 without readers.
  package var oldestReaderLag: Int {
    final class Oldest { var transaction = Int.max }
    let oldest = Oldest()
    gate.briefly {
      guard let handle = unsafe handle else { return }
      // Lines of `pid thread transaction`, the last `-` for a slot at rest.
      unsafe mdb_reader_list(
        handle,
        { (text, context) -> Int32 in
          guard let text = unsafe text, let context = unsafe context else { return 0 }
          let line = unsafe String(cString: text)
          let fields = line.split(whereSeparator: { $0 == " " || $0 == "\n" })
          if fields.count == 3, let transaction = Int(fields[2]) {
            let oldest = unsafe Unmanaged<Oldest>.fromOpaque(context).takeUnretainedValue()
            oldest.transaction = min(oldest.transaction, transaction)
          }
          return 0
        }, Unmanaged.passUnretained(oldest).toOpaque())
    }
    return oldest.transaction == .max ? 0 : max(0, lastTransaction - oldest.transaction)
  }

  /// The named table, made if it is missing; the caller holds no write transaction.
  package func table(_ name: String) throws(StoreError) -> Table {
    if let table = try existingTable(name) { return table }
    return try opening.withLock { _ throws(StoreError) in
      if let table = openedTable(name) { return table }
      let transaction = try WriteTransaction(self)
      let number = try transaction.operations.openTable(name, create: true)
      try transaction.commit()
      tables.withLock { $0[name] = number }
      return Table(name: name, number: number ?? 0)
    }
  }

  /// Opens every table that there is, so that a transaction begun afterwards can use them all.
  package func openTables() throws(StoreError) {
    let count = mainTable.ms_entries
    if tables.withLock({ $0.count }) == count { return }
    try opening.withLock { _ throws(StoreError) in
      var numbers = tables.withLock { $0 }
      let transaction = try ReadTransaction(self)
      do {
        // LMDB keeps the named tables as entries of its main one.
        var cursor = try transaction.operations.cursor(Table(name: "", number: 1))
        var found = try cursor.first()
        while found {
          let name = String(decoding: cursor.key, as: UTF8.self)
          if numbers[name] == nil {
            numbers[name] = try transaction.operations.openTable(name, create: false)
          }
          found = try cursor.next()
        }
      }
      transaction.close(keepingTables: true)
      tables.withLock { $0 = numbers }
    }
  }

  /// The named table, if it is open already: what a transaction that has begun can use.
  func openedTable(_ name: String) -> Table? {
    tables.withLock { tables in tables[name].map { Table(name: name, number: $0) } }
  }

  /// The named table, or `nil` if nobody has made it yet.
  package func existingTable(_ name: String) throws(StoreError) -> Table? {
    if let table = openedTable(name) { return table }
    return try opening.withLock { _ throws(StoreError) in
      if let table = openedTable(name) { return table }
      let transaction = try ReadTransaction(self)
      let number = try transaction.operations.openTable(name, create: false)
      // A committed read transaction leaves the handle open for others (lmdb.h, mdb_dbi_open).
      transaction.close(keepingTables: true)
      guard let number else { return nil }
      tables.withLock { $0[name] = number }
      return Table(name: name, number: number)
    }
  }
}

/// One named tree of an environment.
@frozen
package struct Table: Hashable, Sendable {
  package let name: String
  let number: UInt32
}
