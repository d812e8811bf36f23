import Glibc

/// Makes directories and their entries durable: a file that is synced is lost with the entry that
/// names it, if its directory was not.
package enum DirectorySync {
  /// Makes a directory with those above it that are missing, each durable in the one above.
  ///
  /// - Parameter sync: called with each directory that has got an entry, from above.
  /// - Throws: ``StoreError``.
  package static func make(
    _ directory: String, sync: (String) throws(StoreError) -> Void
  ) throws(StoreError) {
    var made = directory.hasPrefix("/") ? "/" : "."
    for part in directory.split(separator: "/", omittingEmptySubsequences: true) {
      let parent = made
      made =
        made == "." && !directory.hasPrefix("./") ? String(part) : parent + slash(parent) + part
      if unsafe mkdir(made, 0o755) == 0 {
        try sync(parent)
      } else if errno != EEXIST {
        throw StoreError(lmdb: errno, "making the directory \(made)", store: directory)
      }
    }
  }

  private static func slash(_ path: String) -> String { path.hasSuffix("/") ? "" : "/" }

  /// - Throws: ``StoreError``.
  static func sync(_ path: String, for store: String) throws(StoreError) {
    let file = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw StoreError(lmdb: errno, "opening \(path)", store: store) }
    defer { close(file) }
    guard fsync(file) == 0 else {
      throw StoreError(lmdb: errno, "syncing \(path)", store: store)
    }
  }
}
