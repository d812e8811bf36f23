import CMalloc
import Glibc

/// The memory of this process that no file backs.
enum ProcessMemory {
  /// Bytes in use, the page cache's share left out: what the maps of the state take can be taken
  /// back at any time. 0 where the system does not tell.
  static var anonymousBytes: Int {
    let file = open("/proc/self/statm", O_RDONLY)
    guard file >= 0 else { return 0 }
    defer { close(file) }
    var text = [UInt8](repeating: 0, count: 128)
    let count = unsafe text.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
    // Pages: size, resident, of these backed by files (proc(5)).
    let fields = String(decoding: text.prefix(max(0, count)), as: UTF8.self)
      .split(separator: " ").prefix(3).compactMap { Int($0) }
    return fields.count == 3 ? (fields[1] - fields[2]) * Int(getpagesize()) : 0
  }

  /// Gives the allocator's free pages back to the system.
  static func trim() { malloc_trim(0) }
}
