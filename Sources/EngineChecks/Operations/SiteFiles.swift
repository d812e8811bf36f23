import Glibc

/// The files of a state directory, as whoever has a shell sees and moves them.
package enum SiteFiles {
  struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ what: String, _ path: String) {
      description = "cannot \(what) \(path): \(String(cString: strerror(errno)))"
    }
  }

  /// Paths of all files below a directory, relative to it; empty where there is none.
  package static func files(_ root: String) throws -> [String] {
    var all: [String] = []
    for name in try names(root) {
      if isDirectory("\(root)/\(name)") {
        all += try files("\(root)/\(name)").map { "\(name)/\($0)" }
      } else {
        all.append(name)
      }
    }
    return all.sorted()
  }

  /// Names in a directory, hidden ones too; empty where there is none.
  package static func names(_ path: String) throws -> [String] {
    guard let directory = opendir(path) else {
      if errno == ENOENT { return [] }
      throw Failure("list", path)
    }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  private static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  package static func removeTree(_ path: String) throws {
    guard exists(path) else { return }
    if isDirectory(path) {
      for name in try names(path) { try removeTree("\(path)/\(name)") }
      guard rmdir(path) == 0 else { throw Failure("remove", path) }
    } else if unlink(path) != 0 {
      throw Failure("remove", path)
    }
  }

  /// Copies what an owner that is gone has left.
  package static func copyTree(_ from: String, to target: String) throws {
    guard isDirectory(from) else {
      return try write(try read(from), to: target)
    }
    guard mkdir(target, 0o755) == 0 || errno == EEXIST else { throw Failure("create", target) }
    for name in try names(from) { try copyTree("\(from)/\(name)", to: "\(target)/\(name)") }
  }

  package static func makeDirectory(_ path: String) throws {
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw Failure("create", path) }
  }

  /// A new directory for a site, in memory where the machine has a file system for that.
  package static func makeTemporary() throws -> String {
    let base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    var template = Array("\(base)/projector-site-XXXXXX".utf8CString)
    let isMade = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { mkdtemp($0) != nil } ?? false
    }
    guard isMade else { throw Failure("create a directory in", base) }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// A hash of the content of each file, by path, of those that state lies in: what a refused
  /// command may not change. Locks say who looked.
  package static func fingerprint(_ root: String) throws -> [String: Int] {
    var hashes: [String: Int] = [:]
    for file in try files(root) where !file.hasSuffix("lock.mdb") && !file.hasSuffix("owner") {
      hashes[file] = try read("\(root)/\(file)").hashValue
    }
    return hashes
  }

  private static func read(_ path: String) throws -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw Failure("open", path) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw Failure("measure", path) }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var length = 0
    while length < bytes.count {
      let count = bytes.withUnsafeMutableBytes {
        Glibc.read(file, $0.baseAddress.map { $0 + length }, $0.count - length)
      }
      guard count > 0 else { break }
      length += count
    }
    return Array(bytes.prefix(length))
  }

  private static func write(_ bytes: [UInt8], to path: String) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw Failure("create", path) }
    defer { close(file) }
    var length = 0
    while length < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(file, $0.baseAddress.map { $0 + length }, $0.count - length)
      }
      guard count > 0 else { throw Failure("write", path) }
      length += count
    }
  }
}
