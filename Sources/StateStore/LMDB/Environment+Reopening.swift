import CLMDB
import Glibc
import Synchronization

/// What closes an environment under the hands of its users and opens it again, or changes its map:
/// alone in the gate, and a handle that is lost on the way leaves errors behind, no trap.
extension Environment {
  /// What is known of an environment while it is closed.
  @safe
  struct Rested {
    let info: MDB_envinfo
    let mainTable: MDB_stat
  }

  /// Enters the gate, and opens an environment that rests.
  ///
  /// - Returns: the handle, until ``ReaderGate/leave()``.
  @unsafe
  func enter() throws(StoreError) -> OpaquePointer {
    while true {
      gate.enter()
      if let handle = unsafe handle { return unsafe handle }
      let rests = rested != nil
      gate.leave()
      guard rests else { throw lost }
      try wake()
    }
  }

  /// Whether it is closed until its next use.
  package var isResting: Bool { gate.briefly { rested != nil } }

  private var lost: StoreError {
    StoreError(
      .failed, "it could not be opened again, or its map not grown; start again",
      store: directory)
  }

  /// Gives back the memory and the files that LMDB keeps until it closes, if no transaction of this
  /// process is open: closes the environment, and the next use opens it again. Where this process
  /// has no file to spare for that, nothing happens.
  ///
  /// - Throws: ``StoreError``: `missing` where its file was removed; nothing can then be done with
  ///   the environment any more.
  package func releasePages() throws(StoreError) {
    // A table that somebody is opening now would be missing among those opened again.
    let failure = opening.withLockIfAvailable { _ in
      gate.aloneNow { () -> StoreError? in
        guard let open = unsafe handle else { return rested == nil ? lost : nil }
        // Opening takes a file more, for a moment, than closing gives back.
        let spare = (0..<2).map { _ in unsafe Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }
        defer { for file in spare where file >= 0 { close(file) } }
        guard spare.allSatisfy({ $0 >= 0 }) else { return nil }
        unsafe rest(open)
        return isThere ? nil : goneMissing()
      }
    }
    if let failure, let failure, let failure { throw failure }
  }

  /// Lays the environment to rest; alone in the gate.
  private func rest(_ open: OpaquePointer) {
    var mainTable = MDB_stat()
    unsafe mdb_env_stat(open, &mainTable)
    let info = unsafe infoInside
    rested = unsafe Rested(info: info, mainTable: mainTable)
    unsafe Self.closeHandle(open)
    unsafe handle = nil
  }

  /// Syncs an environment that rests without opening it: what its commits wrote is the file's,
  /// whoever has it open.
  ///
  /// - Returns: `false` where it does not rest.
  func syncAtRest() throws(StoreError) -> Bool {
    let result: Int32? = gate.briefly {
      guard rested != nil, isThere else { return nil }
      let file = unsafe Glibc.open(directory + "/data.mdb", O_RDONLY | O_CLOEXEC)
      guard file >= 0 else { return errno }
      defer { close(file) }
      return fsync(file) == 0 ? MDB_SUCCESS : errno
    }
    guard let result else { return false }
    guard result == MDB_SUCCESS else {
      throw StoreError(lmdb: result, "syncing", store: directory)
    }
    return true
  }

  /// Without the file LMDB would make a new one.
  private var isThere: Bool { Self.identity(of: directory) == identity }

  private func goneMissing() -> StoreError {
    rested = nil
    return StoreError(.missing, "the environment was removed meanwhile", store: directory)
  }

  /// Opens the environment again, if it rests.
  func wake() throws(StoreError) {
    let failure = gate.briefly { () -> StoreError? in
      do throws(StoreError) {
        try reopen()
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
  }

  /// Opens the environment that rests; alone in the gate, for nobody is inside while it rests.
  private func reopen() throws(StoreError) {
    guard rested != nil else { return }
    guard isThere else { throw goneMissing() }
    var options = options
    options.mapSize = mapSizeInside
    options.maxTables = tablesMax
    let opened = try unsafe openWaiting(options)
    do throws(StoreError) {
      try unsafe openTablesAgain(opened)
    } catch {
      unsafe Self.closeHandle(opened)
      throw error
    }
    unsafe handle = unsafe opened
    rested = nil
  }

  /// Opens it, waiting for others that open it as well, or that took the last files.
  private func openWaiting(_ options: Options) throws(StoreError) -> OpaquePointer {
    let deadline = SuspendingClock.now + options.openTimeout
    while true {
      do throws(StoreError) {
        return try unsafe Self.openHandle(directory, options)
      } catch {
        let mayPass = error.code == .locked || error.code == .filesFull
        guard mayPass, SuspendingClock.now < deadline else { throw error }
        usleep(5_000)
      }
    }
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

  /// Opens it again for so many tables at least; ``opening`` is the caller's.
  ///
  /// It never closes the gate to wait, for who is inside may want to enter once more.
  ///
  /// - Throws: ``StoreError``; `tablesFull` where this process does not come to an end with its
  ///   transactions here.
  func makeRoom(forTables count: Int) throws(StoreError) {
    let deadline = SuspendingClock.now + options.openTimeout
    while true {
      let failure = gate.aloneNow { () -> StoreError? in
        do throws(StoreError) {
          if tablesMax >= count { return nil }
          while tablesMax < count { tablesMax *= 2 }
          if let handle = unsafe handle { unsafe rest(handle) }
          try reopen()
          return nil
        } catch {
          return error
        }
      }
      if let failure {
        if let failure { throw failure }
        return
      }
      guard SuspendingClock.now < deadline else {
        throw StoreError(
          .tablesFull, "there is no room for \(count) tables while others read; end them",
          store: directory)
      }
      usleep(1_000)
    }
  }

  // MARK: The map's size

  /// Doubles the map, once this process's transactions here have ended; copies are interrupted, and
  /// begin again.
  ///
  /// The caller holds none itself, or this never returns.
  ///
  /// - Throws: ``StoreError``; nothing can then be done with the environment any more.
  package func grow() throws(StoreError) { try resize("doubling the map") { $0 * 2 } }

  /// Takes over the map size that another process set.
  ///
  /// - Throws: as ``grow()``.
  func adoptMapSize() throws(StoreError) { try resize("adopting the map's size") { _ in 0 } }

  private func resize(_ operation: String, _ size: (Int) -> Int) throws(StoreError) {
    let interrupt = { self.copies.withLock { for copy in $0.values { copy.interrupt() } } }
    let failure = gate.alone(closing: interrupt) { () -> StoreError? in
      do throws(StoreError) {
        try reopen()
        guard let handle = unsafe handle else { return lost }
        let result = unsafe mdb_env_set_mapsize(handle, size(mapSizeInside))
        if result == MDB_SUCCESS { return nil }
        // LMDB has unmapped the file by now, and would read where it was.
        unsafe Self.closeHandle(handle)
        unsafe self.handle = nil
        return StoreError(lmdb: result, operation, store: directory)
      } catch {
        return error
      }
    }
    if let failure { throw failure }
  }
}
