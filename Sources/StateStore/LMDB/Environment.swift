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
    /// Tables to begin with; with one more, it is opened again for twice as many.
    package var maxTables: Int
    /// Whether a missing environment is made.
    package var create: Bool
    /// Whether a commit syncs the meta page too: nobody then sees what a power cut can take away.
    package var syncsMeta: Bool
    /// Whether pages are mostly read in their order, so that reading ahead pays at any size.
    package var readsInOrder: Bool
    /// How long to wait for another process that is opening it, or holds a lock on its file.
    package var openTimeout: Duration
    /// How often a writer clears the slots of dead readers.
    package var staleReadersEvery: Duration

    package init(
      mapSize: Int = 16 << 30, maxReaders: Int = 1024, maxTables: Int = 64, create: Bool = true,
      syncsMeta: Bool = false, readsInOrder: Bool = false, openTimeout: Duration = .seconds(10),
      staleReadersEvery: Duration = .seconds(30)
    ) {
      self.mapSize = mapSize
      self.maxReaders = maxReaders
      self.maxTables = maxTables
      self.create = create
      self.syncsMeta = syncsMeta
      self.readsInOrder = readsInOrder
      self.openTimeout = openTimeout
      self.staleReadersEvery = staleReadersEvery
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
  /// Used inside the gate; `nil` while the environment rests, and once opening it again, or growing
  /// its map, has failed.
  var handle: OpaquePointer?
  /// What is to be said of it while it rests; changed in the gate alone.
  var rested: Rested?
  let gate = ReaderGate()
  let identity: Identity
  let options: Options
  /// How many tables it is opened for; whoever holds ``opening`` changes it.
  var tablesMax: Int
  let tables = Mutex<[String: UInt32]>([:])
  /// Held by who opens tables, one at a time as LMDB wants it. Not the tables' own lock: beginning a
  /// transaction may wait for all others to end, and those look tables up.
  let opening = Mutex(())
  /// The copies on their way.
  let copies = Mutex<[ObjectIdentifier: CopyCancellation]>([:])
  let lastReaderCheck = Mutex(SuspendingClock.now)

  private init(
    directory: String, identity: Identity, handle: OpaquePointer, options: Options
  ) {
    self.directory = directory
    self.identity = identity
    self.options = options
    self.tablesMax = options.maxTables
    unsafe self.handle = unsafe handle
    self.keyBytesMax = unsafe Int(mdb_env_get_maxkeysize(handle))
  }

  deinit {
    // Under the lock: nobody may open the directory again before LMDB has let go of it.
    Self.opened.withLock { opened in
      if let handle = unsafe handle { unsafe Self.closeHandle(handle) }
      opened[identity] = nil
    }
  }

  /// Opens the environment in `directory`, or gives the one this process has open already.
  ///
  /// - Throws: ``StoreError``: `missing` without `create`, `corrupted`, `newer`, `readOnly`,
  ///   `locked` by a process that does not come to the end of its own opening, `diskFull`,
  ///   `filesFull`, `failed`.
  package static func open(
    _ directory: String, _ options: Options = Options()
  ) throws(StoreError) -> Environment {
    if options.create { try makeDirectory(directory) }
    let deadline = SuspendingClock.now + options.openTimeout
    while true {
      do throws(StoreError) {
        if let found = try attempt(directory, options) { return found }
        // Its last owner is letting go of it on another thread.
        sched_yield()
      } catch {
        // Waited for here, where nobody waits for this thread.
        guard error.code == .locked, SuspendingClock.now < deadline else { throw error }
        usleep(5_000)
      }
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
      try environment.makeRoomForStoredTables()
      // LMDB gives a file that has outgrown its map just what is in use, and no page to write to.
      if environment.usedBytes > environment.mapSize / 4 * 3 { try environment.grow() }
    }
    return environment
  }

  /// `nil` where there is no environment yet.
  static func identity(of directory: String) -> Identity? {
    var data = stat()
    guard unsafe stat(directory + "/data.mdb", &data) == 0, data.st_size > 0 else { return nil }
    return Identity(device: UInt(data.st_dev), inode: UInt(data.st_ino))
  }

  private static func openAnew(
    _ directory: String, _ options: Options
  ) throws(StoreError) -> Environment {
    let isNew = identity(of: directory) == nil
    let handle = try unsafe openHandle(directory, options)
    if isNew {
      do throws(StoreError) { try DirectorySync.sync(directory, for: directory) } catch {
        unsafe closeHandle(handle)
        throw error
      }
    }
    guard let identity = identity(of: directory) else {
      unsafe closeHandle(handle)
      throw StoreError(.missing, "the environment was removed meanwhile", store: directory)
    }
    return unsafe Environment(
      directory: directory, identity: identity, handle: handle, options: options)
  }

  static func openHandle(
    _ directory: String, _ options: Options
  ) throws(StoreError) -> OpaquePointer {
    let files = try EnvironmentFiles(in: directory, create: options.create)
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
    result = ProcessMemory.reserving {
      unsafe mdb_env_open(handle, directory, UInt32(flags), 0o644)
    }
    guard result == MDB_SUCCESS else {
      unsafe mdb_env_close(handle)
      let error = StoreError(lmdb: result, "opening the environment", store: directory)
      if error.code == .diskFull { files.removeHalfMade() }
      throw error
    }
    files.release()
    ProcessMemory.noteReservations(1)
    return unsafe handle
  }

  static func closeHandle(_ handle: OpaquePointer) {
    unsafe mdb_env_close(handle)
    ProcessMemory.noteReservations(-1)
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
    try DirectorySync.make(directory) { parent throws(StoreError) in
      try DirectorySync.sync(parent, for: directory)
    }
  }

  /// Forces all commits to disk, data and meta page.
  package func sync() throws(StoreError) {
    if try syncAtRest() { return }
    let handle = try unsafe enter()
    defer { gate.leave() }
    let result = unsafe mdb_env_sync(handle, 1)
    guard result == MDB_SUCCESS else {
      throw StoreError(lmdb: result, "syncing", store: directory)
    }
  }

  private var info: MDB_envinfo { unsafe gate.briefly { unsafe infoInside } }

  var infoInside: MDB_envinfo {
    if let rested { return unsafe rested.info }
    var info = unsafe MDB_envinfo()
    if let handle = unsafe handle { unsafe mdb_env_info(handle, &info) }
    return unsafe info
  }

  var mapSizeInside: Int { unsafe infoInside.me_mapsize }

  /// Bytes of address space.
  package var mapSize: Int { unsafe info.me_mapsize }
  /// Bytes of the map in use, pages that are free again included.
  package var usedBytes: Int { unsafe (info.me_last_pgno + 1) * pageSize }
  /// The number of the newest committed transaction.
  package var lastTransaction: Int { unsafe info.me_last_txnid }

  var mainTable: MDB_stat {
    gate.briefly {
      if let rested { return rested.mainTable }
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
      // Nobody writes, so no page waits for a reader.
      if rested != nil { return MDB_SUCCESS }
      guard let handle = unsafe handle else { return EINVAL }
      return unsafe mdb_reader_check(handle, &dead)
    }
    guard result == MDB_SUCCESS else {
      throw StoreError(lmdb: result, "checking readers", store: directory)
    }
    return Int(dead)
  }

  /// Clears the slots of dead readers, if that is a while ago: a reader that was killed keeps every
  /// page from being reused that is freed after it began.
  func clearStaleReadersNowAndThen() throws(StoreError) {
    let now = SuspendingClock.now
    let isDue = lastReaderCheck.withLock { last in
      if now - last < options.staleReadersEvery { return false }
      last = now
      return true
    }
    if isDue { try clearStaleReaders() }
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
}

/// One named tree of an environment.
@frozen
package struct Table: Hashable, Sendable {
  package let name: String
  let number: UInt32
}
