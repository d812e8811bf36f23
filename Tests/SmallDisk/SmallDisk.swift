import ChildProcesses
import Glibc

/// A disk of a few MiB in memory or in a file, to be filled by a test; gone with its last reference.
///
/// What is done with a full one in a process of its own may fail in every way but a trap.
package final class SmallDisk {
  package enum FileSystem: String, CaseIterable, Sendable, CustomStringConvertible {
    case tmpfs, ext4
    package var description: String { rawValue }
  }

  /// Whether this process may mount one; in most containers even root may not.
  package static func isAvailable(_ fileSystem: FileSystem) -> Bool {
    availability[fileSystem] ?? false
  }

  private static let availability: [FileSystem: Bool] = {
    let path = "/tmp/small-disk-\(getpid())"
    defer { rmdir(path) }
    return Dictionary(
      uniqueKeysWithValues: FileSystem.allCases.map { fileSystem in
        do {
          _ = try SmallDisk(fileSystem, mebibytes: 8, at: path)
          return (fileSystem, true)
        } catch {
          return (fileSystem, false)
        }
      })
  }()

  /// Where it is mounted.
  package let path: String
  private let image: String?
  private var ballast: String { path + "/ballast" }

  /// Mounts one at a path, which is made.
  ///
  /// - Throws: ``SmallDiskError``, ``ChildProcesses/ChildProcessError``.
  package init(_ fileSystem: FileSystem, mebibytes: Int, at path: String) throws {
    self.path = path
    image = fileSystem == .ext4 ? path + ".image" : nil
    mkdir(path, 0o755)
    switch fileSystem {
    case .tmpfs:
      try Self.run(
        "/usr/bin/mount", ["-t", "tmpfs", "-o", "size=\(mebibytes)m", "tmpfs", path])
    case .ext4:
      let image = path + ".image"
      let file = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      ftruncate(file, off_t(mebibytes) << 20)
      close(file)
      // Without blocks that only root may take, and without a journal, which takes most of it.
      try Self.run("/usr/sbin/mkfs.ext4", ["-q", "-m", "0", "-O", "^has_journal", image])
      try Self.run("/usr/bin/mount", ["-o", "loop", image, path])
    }
  }

  deinit {
    do {
      try Self.run("/usr/bin/umount", [path])
    } catch {
      print("\(path) stays mounted: \(error)")
    }
    if let image { unlink(image) }
  }

  private static func run(_ program: String, _ arguments: [String]) throws {
    let process = try ChildProcess(program, arguments, output: .discarded, errors: .discarded)
    guard process.wait() == .exit(0) else { throw SmallDiskError("\(program) \(arguments)") }
  }

  /// Bytes that are free.
  package var free: Int {
    var status = statvfs()
    statvfs(path, &status)
    return Int(status.f_bavail * status.f_frsize)
  }

  /// Takes all of its space but some.
  package func fill(leavingKibibytes left: Int) throws {
    clear()
    // What was deleted a moment ago may still be on its way.
    sync()
    let file = open(ballast, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(file) }
    let bytes = free - left << 10
    guard bytes > 0, posix_fallocate(file, 0, off_t(bytes)) == 0 else {
      throw SmallDiskError("\(path) cannot be filled up to \(left) KiB")
    }
  }

  /// Frees what ``fill(leavingKibibytes:)`` took.
  package func clear() { unlink(ballast) }
}

package struct SmallDiskError: Error, CustomStringConvertible {
  package let description: String
  init(_ description: String) { self.description = description }
}
