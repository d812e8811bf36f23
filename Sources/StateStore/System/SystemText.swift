import Glibc

/// The short texts by which the kernel tells of itself, as in `/proc` and `/sys`.
package enum SystemText {
  /// The beginning of a file, less a line's end; empty where there is no such file.
  package static func read(_ path: String, bytesMax: Int = 4_096) -> String {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: bytesMax)
    var length = 0
    while length < bytesMax {
      // The kernel gives a long text a piece at a time.
      let count = unsafe bytes.withUnsafeMutableBytes {
        unsafe Glibc.read(file, $0.baseAddress.map { unsafe $0 + length }, $0.count - length)
      }
      guard count > 0 else { break }
      length += count
    }
    var text = String(decoding: bytes.prefix(length), as: UTF8.self)
    if text.last == "\n" { text.removeLast() }
    return text
  }
}
