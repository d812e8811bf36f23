import CMalloc
import Glibc
import StateStore

/// The memory of this process that no file backs.
enum ProcessMemory {
  /// Bytes in use, the page cache's share left out: what the maps of the state take can be taken
  /// back at any time. 0 where the system does not tell.
  static var anonymousBytes: Int {
    // Pages: size, resident, of these backed by files (proc(5)).
    let fields = SystemText.read("/proc/self/statm")
      .split(separator: " ").prefix(3).compactMap { Int($0) }
    return fields.count == 3 ? (fields[1] - fields[2]) * Int(getpagesize()) : 0
  }

  /// Has the allocator keep what is freed until ``trim()``: an interval frees tens of megabytes that
  /// the next one takes again, and pages that went back are faulted in one by one (measured: 9 % of
  /// the time of a projection with an audit view).
  static func keepFreed() {
    // Blocks up to here come from the heap, not from a map of their own; the most glibc allows.
    mallopt(M_MMAP_THRESHOLD, 32 << 20)
    mallopt(M_TRIM_THRESHOLD, .max)
  }

  /// Bytes that the allocator has given out and not got back.
  static var allocatedBytes: Int {
    let info = mallinfo2()
    return Int(info.uordblks + info.hblkhd)
  }

  /// Gives the allocator's free pages back to the system.
  static func trim() { malloc_trim(0) }
}
