import Glibc

/// How much memory this process may use, the cached pages of its files included.
enum MemoryLimit {
  /// The least of the machine's memory and the limits of the control groups of this process, as
  /// they are at the first look.
  static let bytes: Int = {
    let machine = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    return (limitFiles.compactMap { Int(SystemText.read($0)) } + [machine]).filter { $0 > 0 }.min()
      ?? .max
  }()

  /// Where the limits stand: `cgroup(7)`, of both versions, by the paths in `/proc/self/cgroup`. In
  /// a container the path may be the host's, and the group itself is mounted at the root.
  private static var limitFiles: [String] {
    var files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
    for line in SystemText.read("/proc/self/cgroup").split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if fields[0] == "0" {
        files += groups(fields[2]).map { "/sys/fs/cgroup\($0)/memory.max" }
      } else if fields[1].split(separator: ",").contains("memory") {
        files += groups(fields[2]).map { "/sys/fs/cgroup/memory\($0)/memory.limit_in_bytes" }
      }
    }
    return files
  }

  /// A group and those it lies in: the least limit holds.
  private static func groups(_ path: Substring) -> [String] {
    var groups: [String] = []
    var path = path
    while path.count > 1, let slash = path.lastIndex(of: "/") {
      groups.append(String(path))
      path = path[..<slash]
    }
    return groups
  }
}
