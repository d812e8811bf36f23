import Glibc

/// Lines of standard input, read in large pieces.
final class StandardInput {
  private var buffer: [UInt8] = []
  private var start = 0
  private var isAtEnd = false
  private let pieceBytes = 1 << 20
  /// A line beyond it is no record.
  private let lineBytesMax = 256 << 20

  /// The next line without its end; `nil` behind the last one.
  ///
  /// - Throws: ``Failure`` where it cannot be read, or for a line beyond 256 MiB.
  func nextLine() throws -> ArraySlice<UInt8>? {
    var searched = start
    while true {
      if let end = newline(from: searched) {
        defer { start = end + 1 }
        return buffer[start..<end]
      }
      if isAtEnd {
        defer { start = buffer.count }
        return start < buffer.count ? buffer[start...] : nil
      }
      searched = buffer.count - start
      guard searched <= lineBytesMax else {
        throw Failure(
          .invalid, "a line has more than \(lineBytesMax) bytes", at: "standard input",
          todo: "write one record a line")
      }
      try fill()
    }
  }

  /// Whether a whole line is here, or can be read without waiting.
  var isReady: Bool {
    if newline(from: start) != nil { return true }
    var request = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    return isAtEnd || poll(&request, 1, 0) > 0
  }

  private func newline(from position: Int) -> Int? {
    buffer.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress, position < bytes.count,
        let found = memchr(base + position, 0x0a, bytes.count - position)
      else { return nil }
      return UnsafeRawPointer(found) - base
    }
  }

  private func fill() throws {
    buffer.removeSubrange(..<start)
    start = 0
    let count = buffer.count
    buffer.append(contentsOf: repeatElement(0, count: pieceBytes))
    var received = -1
    repeat {
      received = buffer.withUnsafeMutableBytes {
        Glibc.read(STDIN_FILENO, $0.baseAddress.map { $0 + count }, pieceBytes)
      }
    } while received < 0 && errno == EINTR
    let reason = errno
    buffer.removeLast(pieceBytes - max(received, 0))
    if received == 0 { isAtEnd = true }
    if received < 0 {
      throw Failure(
        .failed, "cannot read: \(String(cString: strerror(reason)))", at: "standard input",
        todo: "check where it comes from")
    }
  }
}
