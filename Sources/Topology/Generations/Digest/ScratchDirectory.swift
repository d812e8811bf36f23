import Glibc
import StateStore

/// A directory beside a topology's state for what is made once and thrown away: each its own, gone
/// with the one who made it, also where that was killed.
final class ScratchDirectory {
  let path: String
  private let file: Int32

  /// Makes one, and removes those whose makers are gone.
  ///
  /// - Throws: ``StateStore/StoreError``.
  init(_ directory: StateDirectory) throws(StoreError) {
    let root = Self.root(directory)
    try DurableFile.makeDirectory(root)
    // Held while one is made: between its making and its lock it looks like one that was left.
    let making = try Self.lock(root, LOCK_EX)
    defer { close(making) }
    try Self.sweep(root)
    let taken = try StateDirectory.allEntries(root).compactMap { Int($0) }
    let path = "\(root)/\((taken.max() ?? 0) + 1)"
    try DurableFile.makeDirectory(path)
    self.path = path
    file = try Self.lock(path, LOCK_EX)
  }

  deinit {
    defer {
      flock(file, LOCK_UN)
      close(file)
    }
    // One that cannot be removed now goes with the next one's sweep.
    do { try StateDirectory.removeTree(path) } catch { return }
  }

  /// Removes what killed processes left.
  ///
  /// - Throws: ``StateStore/StoreError``.
  static func removeLeftovers(_ directory: StateDirectory) throws(StoreError) {
    let root = root(directory)
    guard access(root, F_OK) == 0 else { return }
    let making = try lock(root, LOCK_EX)
    defer { close(making) }
    try sweep(root)
  }

  private static func root(_ directory: StateDirectory) -> String { "\(directory.path)/.verify" }

  private static func sweep(_ root: String) throws(StoreError) {
    for name in try StateDirectory.allEntries(root) {
      let path = "\(root)/\(name)"
      let file = open(path, O_RDONLY | O_CLOEXEC)
      guard file >= 0 else { continue }
      defer { close(file) }
      if flock(file, LOCK_EX | LOCK_NB) == 0 { try StateDirectory.removeTree(path) }
    }
  }

  private static func lock(_ path: String, _ kind: Int32) throws(StoreError) -> Int32 {
    let file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard file >= 0 else { throw DurableFile.failure("open", path) }
    guard flock(file, kind) == 0 else {
      let failure = DurableFile.failure("lock", path)
      close(file)
      throw failure
    }
    return file
  }
}
