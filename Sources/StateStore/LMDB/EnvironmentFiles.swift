import CLMDB
import Glibc

/// The two files of an environment that is being opened, and what LMDB takes for granted of them
/// but a full disk does not give.
///
/// Processes open an environment one after the other while one of these lives; it is never waited
/// for here, for who holds it may have been stopped. This process has the environment not open
/// before: closing a file lets go of all its locks, and those on `lock.mdb` are LMDB's.
struct EnvironmentFiles: ~Copyable {
  private static let magic: UInt32 = 0xbeef_c0de
  /// Up to where a meta page says which transaction wrote it (`MDB_page`, `MDB_meta` in `mdb.c`).
  private static let metaBytes = 152

  private let directory: String
  /// -1 where it cannot be opened for writing: that is LMDB's to report.
  private let data: Int32

  /// - Throws: ``StoreError`` with `locked` while somebody else opens it, or holds the lock.
  init(in directory: String, create: Bool) throws(StoreError) {
    self.directory = directory
    data = unsafe Glibc.open(
      directory + "/data.mdb", O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0o644)
    guard data >= 0, flock(data, LOCK_EX | LOCK_NB) != 0 else { return }
    guard errno == EWOULDBLOCK else { return }
    let holder = FileLocks.holder(of: data)
    close(data)
    throw StoreError(
      .locked,
      "\(holder) holds a lock on data.mdb: it is opening it, or was stopped; continue or end it",
      store: directory)
  }

  deinit { if data >= 0 { close(data) } }

  /// Lets other processes open it.
  consuming func release() {}

  /// Gives the lock file its blocks: LMDB maps it full of holes, and to touch one while the disk is
  /// full ends the process. And forgets a `data.mdb` that was never made to its end.
  ///
  /// - Throws: ``StoreError`` with `diskFull`.
  func prepare(readers: Int) throws(StoreError) {
    if data < 0 { return }
    let lock = unsafe Glibc.open(directory + "/lock.mdb", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    if lock < 0 { return }
    defer { close(lock) }
    guard isUnused(lock) else { return }
    // Two cache lines, and one a reader.
    let result = posix_fallocate(lock, 0, off_t(128 + 64 * readers))
    if [ENOSPC, EDQUOT, EFBIG].contains(result) {
      throw StoreError(lmdb: result, "making the lock file", store: directory)
    }
    removeHalfMade()
  }

  /// Whether no process has the environment open: LMDB holds a lock for as long.
  private func isUnused(_ lock: Int32) -> Bool {
    var range = flock()
    range.l_type = Int16(F_WRLCK)
    range.l_len = 1
    return unsafe fcntl(lock, F_GETLK, &range) == 0 && range.l_type == Int16(F_UNLCK)
  }

  /// Empties a `data.mdb` that a full disk cut short before both meta pages were there: it never
  /// held anything, and would be refused for ever.
  ///
  /// No process has the environment open.
  func removeHalfMade() {
    var status = stat()
    guard data >= 0, unsafe fstat(data, &status) == 0, status.st_size < 2 * getpagesize() else {
      return
    }
    var page = [UInt8](repeating: 0, count: Self.metaBytes)
    let count = unsafe page.withUnsafeMutableBytes {
      unsafe pread(data, $0.baseAddress, $0.count, 0)
    }
    // Both numbers are in the machine's byte order. A page that a transaction wrote has been part
    // of something: that is damage.
    guard count == Self.metaBytes, page.raw.bigEndian(UInt32.self, at: 16).bigEndian == Self.magic,
      page.raw.bigEndian(UInt64.self, at: 144) == 0
    else { return }
    ftruncate(data, 0)
  }
}
