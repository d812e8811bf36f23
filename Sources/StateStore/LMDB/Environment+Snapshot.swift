import CLMDB
import Glibc

extension Environment {
  /// Writes a compacted copy of the last commit into the directory `target`, which must not exist:
  /// under a temporary name beside it, fsynced, then renamed.
  ///
  /// - Throws: ``StoreError``: `locked` if `target` exists, `diskFull`, `readOnly`.
  package func snapshot(to target: String) throws(StoreError) {
    var target = target
    while target.count > 1 && target.hasSuffix("/") { target.removeLast() }
    var status = stat()
    if unsafe stat(target, &status) == 0 {
      throw StoreError(.locked, "a snapshot is there already; remove it first", store: target)
    }
    let parent = target.lastIndex(of: "/").map { String(target[..<$0]) } ?? "."
    try Self.makeDirectory(parent.isEmpty ? "/" : parent)
    let temporary = "\(target).\(getpid()).partial"
    guard unsafe mkdir(temporary, 0o755) == 0 else {
      throw StoreError(lmdb: errno, "making \(temporary)", store: directory)
    }
    do throws(StoreError) {
      try copyCompact(to: temporary)
      guard unsafe rename(temporary, target) == 0 else {
        throw StoreError(lmdb: errno, "renaming \(temporary)", store: directory)
      }
    } catch {
      unsafe unlink(temporary + "/data.mdb")
      unsafe rmdir(temporary)
      throw error
    }
    try syncFile(parent.isEmpty ? "/" : parent)
  }

  /// Writes a compacted copy, fsynced, into the existing empty directory `target`.
  func copyCompact(to target: String) throws(StoreError) {
    gate.enter()
    defer { gate.leave() }
    let result = unsafe mdb_env_copy2(try openHandle(), target, UInt32(MDB_CP_COMPACT))
    guard result == MDB_SUCCESS else {
      throw StoreError(lmdb: result, "copying to \(target)", store: directory)
    }
    try syncFile(target + "/data.mdb")
    try syncFile(target)
  }

  private func syncFile(_ path: String) throws(StoreError) {
    let file = unsafe Glibc.open(path, O_RDONLY)
    guard file >= 0 else { throw StoreError(lmdb: errno, "opening \(path)", store: directory) }
    defer { close(file) }
    guard fsync(file) == 0 else {
      throw StoreError(lmdb: errno, "syncing \(path)", store: directory)
    }
  }
}
