import CLMDB
import Glibc
import Synchronization

extension Environment {
  /// Writes a compacted copy of the last commit into the directory `target`, which must not exist:
  /// under a temporary name beside it, fsynced, then renamed.
  ///
  /// - Parameter cancellation: ends it early from another thread; nothing is left of it then.
  /// - Throws: ``StoreError``: `locked` if `target` exists, `corrupted` where a page is damaged,
  ///   `diskFull`, `readOnly`, `cancelled`.
  package func snapshot(
    to target: String, cancellation: CopyCancellation = CopyCancellation()
  ) throws(StoreError) {
    var target = target
    while target.count > 1 && target.hasSuffix("/") { target.removeLast() }
    var status = stat()
    if unsafe stat(target, &status) == 0 {
      throw StoreError(.locked, "a snapshot is there already; remove it first", store: target)
    }
    let parent = target.lastIndex(of: "/").map { String(target[..<$0]) } ?? "."
    try Self.makeDirectory(parent.isEmpty ? "/" : parent)
    let temporary = "\(target).\(getpid()).partial"
    copies.withLock { $0[ObjectIdentifier(cancellation)] = cancellation }
    defer { copies.withLock { $0[ObjectIdentifier(cancellation)] = nil } }
    while true {
      cancellation.begin()
      do throws(StoreError) {
        try checkPages(cancellation)
        try copy(to: target, by: temporary, cancellation)
        break
      } catch {
        // Interrupted, for the map had to grow: begun again.
        if error.code == .cancelled && !cancellation.isCancelled { continue }
        throw error
      }
    }
    try DirectorySync.sync(parent.isEmpty ? "/" : parent, for: directory)
  }

  private func copy(
    to target: String, by temporary: String, _ cancellation: CopyCancellation
  ) throws(StoreError) {
    guard unsafe mkdir(temporary, 0o755) == 0 else {
      throw StoreError(lmdb: errno, "making \(temporary)", store: directory)
    }
    do throws(StoreError) {
      try copyCompact(to: temporary + "/data.mdb", cancellation)
      try DirectorySync.sync(temporary, for: directory)
      guard unsafe rename(temporary, target) == 0 else {
        throw StoreError(lmdb: errno, "renaming \(temporary)", store: directory)
      }
    } catch {
      unsafe unlink(temporary + "/data.mdb")
      unsafe rmdir(temporary)
      throw error
    }
  }

  /// Writes a compacted copy, fsynced, into a new file.
  private func copyCompact(
    to path: String, _ cancellation: CopyCancellation
  ) throws(StoreError) {
    let file = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o664)
    guard file >= 0 else { throw StoreError(lmdb: errno, "making \(path)", store: directory) }
    defer { close(file) }
    // Past the page cache, as LMDB itself copies to a path: where the file system has it, little is
    // left for the sync.
    let flags = fcntl(file, F_GETFL)
    if flags >= 0 { _ = fcntl(file, F_SETFL, flags | directIO) }
    let handle = try unsafe enter()
    defer { gate.leave() }
    let result = cancellation.guarding(file) {
      unsafe mdb_env_copyfd2(handle, file, UInt32(MDB_CP_COMPACT))
    }
    guard let result else {
      throw StoreError(.cancelled, "the copy was ended early", store: directory)
    }
    guard result == MDB_SUCCESS else {
      throw StoreError(lmdb: result, "copying to \(path)", store: directory)
    }
    guard fsync(file) == 0 else {
      throw StoreError(lmdb: errno, "syncing \(path)", store: directory)
    }
  }
}
