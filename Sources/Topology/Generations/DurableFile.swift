import Glibc
import StateStore

/// Small files that are replaced whole: a reader sees the old or the new one, after a crash too.
enum DurableFile {
  /// - Throws: ``StateStore/StoreError`` naming the path and the system's reason.
  static func write(_ text: String, to path: String) throws(StoreError) {
    try write(Array(text.utf8), to: path)
  }

  /// - Throws: ``StateStore/StoreError`` naming the path and the system's reason.
  static func write(_ bytes: [UInt8], to path: String) throws(StoreError) {
    let temporary = path + ".new"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw failure("create", temporary) }
    defer { Glibc.close(file) }
    try write(bytes, to: file, temporary)
    guard rename(temporary, path) == 0 else { throw failure("rename", temporary) }
    try syncDirectory(of: path)
  }

  /// Writes all of it and syncs.
  static func write(_ bytes: [UInt8], to file: Int32, _ path: String) throws(StoreError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
      guard count > 0 else { throw failure("write", path) }
      rest = rest.dropFirst(count)
    }
    guard fsync(file) == 0 else { throw failure("sync", path) }
  }

  /// - Returns: `nil` where there is no such file.
  static func read(_ path: String) throws(StoreError) -> String? {
    try readBytes(path).map { String(decoding: $0, as: UTF8.self) }
  }

  /// - Returns: `nil` where there is no such file.
  static func readBytes(_ path: String) throws(StoreError) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw failure("read", path)
    }
    defer { Glibc.close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe chunk.withUnsafeMutableBytes {
        unsafe Glibc.read(file, $0.baseAddress, $0.count)
      }
      guard count >= 0 else { throw failure("read", path) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }

  /// Creates a directory and those above it.
  static func makeDirectory(_ path: String) throws(StoreError) {
    if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
      throw failure("create", path)
    }
    try makeDirectory(String(path[..<slash]))
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw failure("create", path) }
  }

  /// Makes a rename in the directory of `path` durable.
  static func syncDirectory(of path: String) throws(StoreError) {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { String(path[..<$0]) } ?? "."
    let file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard file >= 0 else { throw failure("open", directory) }
    defer { Glibc.close(file) }
    guard fsync(file) == 0 else { throw failure("sync", directory) }
  }

  static func failure(_ verb: String, _ path: String) -> StoreError {
    let number = errno
    let reason = unsafe String(cString: strerror(number))
    let code: StoreError.Code =
      switch number {
      case ENOSPC, EDQUOT, EFBIG: .diskFull
      case EROFS, EACCES, EPERM: .readOnly
      default: .failed
      }
    let todo = code == .diskFull ? "; free space, then repeat" : ""
    return StoreError(code, "cannot \(verb) \(path): \(reason)\(todo)", store: "")
  }
}
