import CLMDB
import Glibc

/// Who holds the locks that `flock` gives.
enum FileLocks {
  /// The process that holds the lock of a file, as text for an error, by `proc_locks(5)`.
  static func holder(of file: Int32) -> String {
    var status = stat()
    guard unsafe fstat(file, &status) == 0 else { return "another process" }
    for line in SystemText.read("/proc/locks", bytesMax: 1 << 20).split(separator: "\n") {
      // `1: FLOCK  ADVISORY  WRITE 1234 08:01:131073 0 EOF`
      let fields = line.split(separator: " ", omittingEmptySubsequences: true)
      guard fields.count >= 6, fields[1] == "FLOCK", let pid = Int(fields[4]),
        fields[5].hasSuffix(":\(status.st_ino)")
      else { continue }
      let name = SystemText.read("/proc/\(pid)/comm")
      return "process \(pid)" + (name.isEmpty ? "" : " (\(name))")
    }
    return "another process"
  }
}
