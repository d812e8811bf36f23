import CMalloc
import Glibc
import Synchronization

/// The memory of this process that no file backs.
package enum ProcessMemory {
  /// Bytes in use, the page cache's share left out: what the maps of the state take can be taken
  /// back at any time. 0 where the system does not tell.
  package static var anonymousBytes: Int {
    // Pages: size, resident, of these backed by files (proc(5)).
    let fields = SystemText.read("/proc/self/statm")
      .split(separator: " ").prefix(3).compactMap { Int($0) }
    return fields.count == 3 ? (fields[1] - fields[2]) * Int(getpagesize()) : 0
  }

  /// Has all threads share one heap; to be asked for before the first of them is made. What one has
  /// freed another can use: threads that take turns at the memory would else keep the largest
  /// interval of each (measured with two: 269,000 page faults for 676,000). They
  /// seldom wait for each other: each keeps a few small blocks of its own.
  package static func shareHeap() { mallopt(M_ARENA_MAX, 1) }

  /// Has the allocator keep what is freed until ``trim()``: an interval frees tens of megabytes that
  /// the next one takes again, and pages that went back are faulted in one by one (measured: 9 % of
  /// the time of a projection with an audit view).
  package static func keepFreed() {
    blocks.withLock { blocks in
      // Blocks up to here come from the heap, not from a map of their own; the most glibc allows.
      blocks.mappedFrom = 32 << 20
      blocks.apply()
    }
    mallopt(M_TRIM_THRESHOLD, .max)
  }

  /// Bytes that the allocator has given out and not got back, but for those that LMDB reserves and
  /// hardly touches.
  package static var allocatedBytes: Int {
    let info = mallinfo2()
    let reserved = reservations.load(ordering: .relaxed) * reservedBytes
    return max(0, Int(info.uordblks + info.hblkhd) - reserved)
  }

  /// Gives the allocator's free pages back to the system.
  package static func trim() { malloc_trim(0) }

  // MARK: What LMDB reserves

  /// Of an environment: two lists of as many pages as a transaction may free, or dirty
  /// (`MDB_IDL_UM_MAX` in `midl.h`), the second cleared.
  private static let reservedBytes = 3 << 20
  private static let reservations = Atomic(0)

  /// Which blocks get a map of their own.
  private struct Blocks {
    /// As the allocator itself has it once an environment was closed.
    var mappedFrom = 2 << 20
    var reserving = 0

    func apply() { mallopt(M_MMAP_THRESHOLD, Int32(reserving > 0 ? 512 << 10 : mappedFrom)) }
  }
  private static let blocks = Mutex(Blocks())

  /// Runs `body`, which opens an environment, with large blocks in maps of their own: from the heap
  /// LMDB would get what was used before, and clear 2 MiB of it, for every environment.
  static func reserving<Result>(_ body: () -> Result) -> Result {
    change(by: 1)
    defer { change(by: -1) }
    return body()
  }

  private static func change(by count: Int) {
    blocks.withLock { blocks in
      blocks.reserving += count
      blocks.apply()
    }
  }

  /// An environment was opened or closed.
  static func noteReservations(_ count: Int) { reservations.add(count, ordering: .relaxed) }
}
