import Glibc
import StateStore
import StreamCore

/// Looks at `data.mdb` before LMDB maps it: LMDB trusts its file, and a wrong size is a SIGBUS.
///
/// Layout of the two meta pages as in LMDB 0.9's `mdb.c` (`MDB_page`, `MDB_meta`, `MDB_db`).
struct DataFile {
  private let directory: String
  private let patience: Duration
  private static let magic: UInt32 = 0xbeef_c0de
  private static let dataVersion: UInt32 = 1
  /// LMDB does not write pages that a transaction took and gave back, so a sound file may end a
  /// few pages before its last one.
  private static let shortPagesMax: UInt64 = 256

  /// - Parameter patience: how long another process may take to open the log.
  init(_ directory: String, patience: Duration) {
    self.directory = directory
    self.patience = patience
  }

  /// Checks a log that is there; an absent or empty file is none.
  ///
  /// - Returns: whether there is something to open.
  /// - Throws: ``LogError`` with `.corrupt` or `.unreachable`.
  func check() throws(LogError) -> Bool {
    let path = directory + "/data.mdb"
    let file = unsafe open(path, O_RDWR | O_CLOEXEC)
    if file < 0 {
      if errno == ENOENT { return false }
      throw LogError(
        .unreachable, "cannot open \(path): \(unsafe String(cString: strerror(errno)))")
    }
    defer { close(file) }
    var status = stat()
    guard unsafe fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw LogError(.corrupt, "\(path) is no file")
    }
    if status.st_size == 0 { return false }
    // A writer at work may be seen in the middle of a meta page; two looks in a row will not be.
    do throws(LogError) { try check(file, path) } catch {
      // Who makes the file holds this lock until both meta pages are there.
      do throws(StoreError) {
        try FileLock.take(file, LOCK_SH, path, patience: patience, store: directory)
      } catch {
        throw LogError(error)
      }
      try check(file, path)
    }
    return true
  }

  private func check(_ file: Int32, _ path: String) throws(LogError) {
    let pageSize = UInt64(getpagesize())
    var pages = [UInt8](repeating: 0, count: Int(2 * pageSize))
    let count = unsafe pages.withUnsafeMutableBytes {
      unsafe pread(file, $0.baseAddress, $0.count, 0)
    }
    guard count == pages.count else { throw damaged(path, "it has less than two pages") }
    let metas = try [0, Int(pageSize)].map { start throws(LogError) in
      try Meta(pages.raw.extracting(start..<start + Int(pageSize)), pageSize) {
        reason in damaged(path, reason)
      }
    }
    let newest = metas[0].transaction > metas[1].transaction ? metas[0] : metas[1]
    // The size after the meta pages: a living writer only makes the file longer.
    var status = stat()
    guard unsafe fstat(file, &status) == 0 else { throw damaged(path, "its size is unknown") }
    let size = UInt64(status.st_size)
    let wanted = (newest.lastPage + 1) * pageSize
    if size >= wanted { return }
    guard wanted - size <= Self.shortPagesMax * pageSize else {
      throw damaged(path, "it ends \(wanted - size) bytes too early")
    }
    // Zeroes are no page to LMDB, and no block to us: an error instead of a SIGBUS.
    guard posix_fallocate(file, off_t(wanted - 1), 1) == 0 else {
      throw LogError(.diskFull, "cannot extend \(path) to \(wanted) bytes; free space")
    }
  }

  private func damaged(_ path: String, _ reason: String) -> LogError {
    LogError(.corrupt, "\(path) is no log, or damaged: \(reason); restore the log from a copy")
  }

  private struct Meta {
    let lastPage: UInt64
    let transaction: UInt64

    init(
      _ page: RawSpan, _ pageSize: UInt64, _ damaged: (String) -> LogError
    ) throws(LogError) {
      func number<Number: FixedWidthInteger & BitwiseCopyable>(_ position: Int, _: Number.Type)
        -> Number
      {
        unsafe page.unsafeLoadUnaligned(fromByteOffset: position, as: Number.self)
      }
      guard number(10, UInt16.self) & 0x08 != 0 else { throw damaged("a meta page is none") }
      guard number(16, UInt32.self) == DataFile.magic else {
        throw damaged("a meta page has another magic number than LMDB's")
      }
      let version = number(20, UInt32.self)
      guard version == DataFile.dataVersion else {
        throw damaged("it has LMDB's data version \(version), not \(DataFile.dataVersion)")
      }
      let foundSize = number(40, UInt32.self)
      guard foundSize == pageSize else {
        throw damaged("its pages have \(foundSize) bytes, those of this machine \(pageSize)")
      }
      lastPage = number(136, UInt64.self)
      transaction = number(144, UInt64.self)
      guard lastPage >= 1, lastPage < 1 << 40 else {
        throw damaged("its last page is number \(lastPage)")
      }
      for tree in [40, 88] {
        let depth = number(tree + 6, UInt16.self)
        let root = number(tree + 40, UInt64.self)
        let isEmpty = root == .max && depth == 0
        guard isEmpty || (root <= lastPage && root >= 2 && (1...32).contains(depth)) else {
          throw damaged("a tree of depth \(depth) begins at page \(root) of \(lastPage)")
        }
      }
    }
  }
}
