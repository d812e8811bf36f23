import Glibc

/// Reads files and the environment by system calls.
enum SystemFile {
  /// - Returns: `nil` where there is no such file.
  /// - Throws: ``Failure`` naming the path and the system's reason.
  static func read(_ path: String) throws -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw failure("read", path)
    }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = chunk.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
      guard count >= 0 else { throw failure("read", path) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }

  static func failure(_ verb: String, _ path: String) -> Failure {
    let reason = String(cString: strerror(errno))
    return Failure(
      .failed, "cannot \(verb): \(reason)", at: path, todo: "correct the path or its permissions")
  }
}

enum ProcessEnvironment {
  /// The variables this process was started with.
  static func variables() -> [String: String] {
    // Without /proc there is no environment to read; options and files still work.
    guard let bytes = try? SystemFile.read("/proc/self/environ") else { return [:] }
    var variables: [String: String] = [:]
    for entry in bytes.split(separator: 0) {
      guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
      let name = String(decoding: entry[..<equals], as: UTF8.self)
      variables[name] = String(decoding: entry[(equals + 1)...], as: UTF8.self)
    }
    return variables
  }
}
