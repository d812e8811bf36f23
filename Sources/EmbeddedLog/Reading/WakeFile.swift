import CFutex
import Glibc
import StreamCore

/// Words that all processes with the log share, by which readers learn that there is something to
/// look at, and where.
///
///     0         changes with each commit that readers see; they sleep on it
///     1         changes with what concerns every partition
///     64…1023   change with what is appended to a partition, many partitions to a word
///
/// A futex in a mapped file needs no owner and no clean-up: whoever is killed leaves at most a
/// commit unannounced, which sleepers find when they look at everything, once a second.
///
/// `@unchecked Sendable`: the mapping never changes and its words are only used atomically.
@safe
final class WakeFile: @unchecked Sendable {
  /// What one commit changed for readers.
  enum Change {
    case nothing
    case partitions(Set<Int>)
    case everything

    func and(_ other: Change) -> Change {
      switch (self, other) {
      case (.everything, _), (_, .everything): .everything
      case (.nothing, let change), (let change, .nothing): change
      case (.partitions(let some), .partitions(let more)): .partitions(some.union(more))
      }
    }
  }

  private static let size = 4_096
  private static let everything = 1
  private static let slots = 64..<1_024
  /// How long a sleeper trusts that commits are announced.
  static let looksAgainAfter = Duration.seconds(1)

  private let words: UnsafeMutablePointer<UInt32>

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
      throw LogError(
        .diskFull,
        "making the wake file: No space left on device (\(directory)); free space, then repeat")
    }
    let mapped = unsafe mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      throw LogError(
        .failed, "cannot map \(path): \(unsafe String(cString: strerror(errno)))")
    }
    unsafe words = unsafe mapped.assumingMemoryBound(to: UInt32.self)
  }

  deinit { unsafe munmap(words, Self.size) }

  /// The word that says when to look at a partition again.
  static func slot(_ topic: UInt32, _ partition: Int) -> Int {
    let mixed = (topic &* 0x9e37_79b1) &+ UInt32(truncatingIfNeeded: partition)
    return slots.lowerBound + Int(mixed) % slots.count
  }

  /// What to hand to ``wait(while:atMost:as:)``, read before looking at the log.
  var count: UInt32 { unsafe futex_load(words) }

  func value(ofSlot slot: Int) -> UInt32 { unsafe futex_load(words + slot) }
  var everythingValue: UInt32 { value(ofSlot: Self.everything) }

  /// Tells all readers, in every process, what a commit that they can see has changed.
  func announce(_ change: Change) {
    switch change {
    case .nothing: return
    case .partitions(let slots):
      for slot in slots { unsafe futex_add(words + slot) }
    case .everything:
      unsafe futex_add(words + Self.everything)
    }
    unsafe futex_advance(words)
  }

  /// Wakes who waits as `sleeper`: of 32 readers one, be it another process's.
  func wake(_ sleeper: UInt32) { unsafe futex_wake(words, 1 << (sleeper % 32)) }

  /// Returns when the count is another, when `sleeper` is woken, after the time, or for no reason.
  func wait(while seen: UInt32, atMost limit: Duration, as sleeper: UInt32) {
    let (seconds, attoseconds) = min(limit, Self.looksAgainAfter).components
    let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    guard nanoseconds > 0 else { return }
    unsafe futex_wait_while(words, seen, nanoseconds, 1 << (sleeper % 32))
  }
}
