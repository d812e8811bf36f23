import CFutex
import Glibc
import StreamCore

/// A word that all processes with the log share: it changes with each commit, and they sleep on it.
///
/// A futex in a mapped file needs no owner and no clean-up: whoever is killed leaves at most a
/// commit unannounced, which sleepers find when they look again, once a second.
///
/// `@unchecked Sendable`: the mapping never changes and its word is only used atomically.
@safe
final class WakeFile: @unchecked Sendable {
  private static let size = 4_096
  private static let looksAgainAfter: Int64 = 1_000_000_000
  private let word: UnsafeMutablePointer<UInt32>

  /// - Throws: ``LogError`` with `.unreachable` or `.diskFull`.
  init(_ directory: String) throws(LogError) {
    let path = directory + "/wake"
    let file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else {
      throw LogError(
        .unreachable, "cannot open \(path): \(unsafe String(cString: strerror(errno)))")
    }
    defer { close(file) }
    // Never shorter, whoever does the same; and its page is there, so that no access can fail.
    guard posix_fallocate(file, 0, off_t(Self.size)) == 0 else {
      throw LogError(.diskFull, "cannot make \(path); free space")
    }
    let mapped = unsafe mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      throw LogError(
        .failed, "cannot map \(path): \(unsafe String(cString: strerror(errno)))")
    }
    unsafe word = unsafe mapped.assumingMemoryBound(to: UInt32.self)
  }

  deinit { unsafe munmap(word, Self.size) }

  /// What to hand to ``wait(while:atMost:)``, read before looking at the log.
  var count: UInt32 { unsafe futex_load(word) }

  /// Wakes all who wait, in every process.
  func advance() { unsafe futex_advance(word) }

  /// Returns when the count is another, after the time, after a second, or for no reason.
  func wait(while seen: UInt32, atMost limit: Duration) {
    let (seconds, attoseconds) = min(limit, .seconds(1)).components
    let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    guard nanoseconds > 0 else { return }
    unsafe futex_wait_while(word, seen, min(nanoseconds, Self.looksAgainAfter))
  }
}
