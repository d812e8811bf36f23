import Glibc
package import StateStore

/// The lock by which one process owns a topology on a state directory; it ends with the process.
package final class OwnerLock: Sendable {
  private let file: Int32

  /// - Throws: ``StateStore/StoreError`` with `.locked` where another process holds it.
  package init(_ directory: StateDirectory) throws(StoreError) {
    try DurableFile.makeDirectory(directory.path)
    let path = "\(directory.path)/owner"
    let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard opened >= 0 else { throw DurableFile.failure("open", path) }
    guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
      let isTaken = errno == EWOULDBLOCK
      let failure = DurableFile.failure("lock", path)
      Glibc.close(opened)
      guard isTaken else { throw failure }
      throw StoreError(
        .locked,
        "another process runs topology '\(directory.topology)' on \(directory.path); stop it, or "
          + "give this one another --state", store: "")
    }
    // From here on `deinit` closes it: not before nothing can fail, or it would be closed twice.
    file = opened
    ftruncate(file, 0)
    let text = Array("\(getpid())\n".utf8)
    _ = unsafe text.withUnsafeBytes { unsafe write(file, $0.baseAddress, $0.count) }
  }

  deinit {
    // A child process that is just being started may have the file too; the lock ends now.
    flock(file, LOCK_UN)
    Glibc.close(file)
  }
}
