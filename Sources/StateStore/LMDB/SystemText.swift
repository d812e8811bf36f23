import Glibc

/// The short texts by which the kernel tells of itself, as in `/proc` and `/sys`.
package enum SystemText {
  /// The first 4 kB of a file, less a line's end; empty where there is no such file.
  package static func read(_ path: String) -> String {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 4_096)
    let count = unsafe bytes.withUnsafeMutableBytes {
      unsafe Glibc.read(file, $0.baseAddress, $0.count)
    }
    var text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    if text.last == "\n" { text.removeLast() }
    return text
  }
}
