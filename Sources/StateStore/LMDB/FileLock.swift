import CLMDB
import Glibc

/// Waiting for an `flock` that others hold for moments only: with a limit, and a name for who holds
/// it beyond that.
package enum FileLock {
  /// Opening an environment takes far less, on any disk.
  package static let patience = Duration.seconds(10)

  /// Locks an open file, until it is closed.
  ///
  /// - Parameters:
  ///   - operation: `LOCK_EX` or `LOCK_SH`.
  ///   - path: the file's, for the message.
  /// - Throws: ``StoreError`` with `locked` where another program holds it too long, or a process
  ///   of ours that was stopped while it held it.
  package static func take(
    _ file: Int32, _ operation: Int32, _ path: String, patience: Duration, store: String
  ) throws(StoreError) {
    let deadline = ContinuousClock.now + patience
    var pause: UInt32 = 200
    while flock(file, operation | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else {
        throw StoreError(lmdb: errno, "locking \(path)", store: store)
      }
      guard ContinuousClock.now < deadline else {
        let holder = FileLocks.holder(of: file)
        throw StoreError(
          .locked,
          "\(holder) has held a lock on \(path) for \(patience), so it was stopped while opening it, "
            + "or is no program of ours; let it go on, or end it", store: store)
      }
      usleep(pause)
      pause = min(pause * 2, 20_000)
    }
  }
}
