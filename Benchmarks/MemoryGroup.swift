import Glibc

/// A control group of this program's own, which limits the memory of what joins it, the cached
/// pages of files included. Removed with its last reference.
final class MemoryGroup {
  let directory: String

  /// Makes one under the mounted memory controller of either version (`cgroup(7)`).
  ///
  /// - Returns: `nil` where that is not allowed.
  init?(bytes: Int) {
    let places = [
      ("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
    ]
    for (parent, limit) in places {
      let directory = "\(parent)/projector-benchmarks-\(getpid())"
      guard mkdir(directory, 0o755) == 0 else { continue }
      if Self.write("\(bytes)", to: "\(directory)/\(limit)") {
        self.directory = directory
        return
      }
      rmdir(directory)
    }
    return nil
  }

  deinit {
    // A process that was killed leaves its group a little later.
    for _ in 0..<100 where rmdir(directory) != 0 { usleep(20_000) }
  }

  private static func write(_ text: String, to path: String) -> Bool {
    let file = open(path, O_WRONLY)
    guard file >= 0 else { return false }
    defer { close(file) }
    let bytes = Array(text.utf8)
    return Glibc.write(file, bytes, bytes.count) == bytes.count
  }
}
