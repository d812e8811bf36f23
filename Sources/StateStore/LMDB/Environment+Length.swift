import CLMDB
import Glibc

/// A file that is shorter than its meta page says would end the process when a page behind its end
/// is touched in the map. LMDB itself leaves one in a single case: the last pages a transaction
/// took and gave back are never written. So commits lengthen the file to what it should be, and a
/// short one is refused unless all that is missing is free.
extension Environment {
  var file: Int32 {
    gate.briefly {
      var file: Int32 = -1
      if let handle = unsafe handle { unsafe mdb_env_get_fd(handle, &file) }
      return file
    }
  }

  func fileBytes(_ file: Int32) -> Int {
    var status = stat()
    return unsafe fstat(file, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Lengthens the file to all pages that the last commit counts; the commit stands either way.
  func lengthenFile() {
    let file = file
    let length = fileBytes(file)
    let used = usedBytes
    // posix_fallocate never shortens, whatever another process does meanwhile.
    if length < used { posix_fallocate(file, length, used - length) }
  }

  /// - Throws: ``StoreError``: `corrupted` for a file whose end is gone, `diskFull` where nothing can
  ///   be said of it for want of space.
  func checkLength() throws(StoreError) {
    let file = file
    let length = fileBytes(file)
    let used = usedBytes
    if length >= used { return }
    let cut = StoreError(
      .corrupted,
      "the file has \(length) bytes of \(used); restore a snapshot or rebuild the state",
      store: directory)
    guard length >= 2 * pageSize else { throw cut }
    // The pages that are missing read as zeros from here on.
    let result = posix_fallocate(file, length, used - length)
    if [ENOSPC, EDQUOT, EFBIG].contains(result) {
      // Most likely it was full as well when the file should have been lengthened.
      throw StoreError(
        lmdb: result, "lengthening the file from \(length) to \(used) bytes", store: directory)
    }
    guard result == 0 else { throw cut }
    do throws(StoreError) {
      let missing = (length / pageSize)..<(used / pageSize)
      if try freePages(in: missing) == missing.count { return }
    } catch {
      // A page of the free list itself is gone.
    }
    if fileBytes(file) == used { ftruncate(file, length) }
    throw cut
  }

  /// How many pages of a range are on the free list.
  private func freePages(in pages: Range<Int>) throws(StoreError) -> Int {
    let read = try ReadTransaction(self)
    // LMDB's table of free pages: transaction → count, page numbers.
    var cursor = try read.operations.cursor(Table(name: "free pages", number: 0))
    var count = 0
    var found = try cursor.first()
    while found {
      let list = cursor.value
      for offset in stride(from: 8, to: list.count, by: 8) {
        // In the machine's byte order.
        let page = Int(list.raw.bigEndian(UInt64.self, at: offset).bigEndian)
        if pages.contains(page) { count += 1 }
      }
      found = try cursor.next()
    }
    return count
  }
}
