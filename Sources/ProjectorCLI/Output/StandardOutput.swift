import Glibc

/// The reader of standard output went away.
struct BrokenPipe: Error {}

/// Standard output, buffered; one thread at a time.
final class StandardOutput {
  private var buffer: [UInt8] = []
  private let bytesMax = 1 << 16

  /// - Throws: ``BrokenPipe`` or a ``Failure``.
  func write(_ text: String) throws {
    buffer.append(contentsOf: text.utf8)
    if buffer.count >= bytesMax { try flush() }
  }

  func write(_ bytes: [UInt8]) throws {
    buffer.append(contentsOf: bytes)
    if buffer.count >= bytesMax { try flush() }
  }

  /// Lends the buffer to a writer of many small pieces.
  func append(_ body: (inout [UInt8]) throws -> Void) throws {
    try body(&buffer)
    if buffer.count >= bytesMax { try flush() }
  }

  func flush() throws {
    defer { buffer.removeAll(keepingCapacity: true) }
    var sent = 0
    while sent < buffer.count {
      let count = buffer.withUnsafeBytes {
        Glibc.write(STDOUT_FILENO, $0.baseAddress.map { $0 + sent }, $0.count - sent)
      }
      if count > 0 {
        sent += count
      } else if errno == EPIPE {
        throw BrokenPipe()
      } else if errno != EINTR {
        let reason = String(cString: strerror(errno))
        throw Failure(
          .failed, "cannot write: \(reason)", at: "standard output",
          todo: "check where it is redirected to")
      }
    }
  }

  static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
}

/// Standard error, unbuffered: messages of any thread.
enum StandardError {
  static func write(_ text: String) {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(STDERR_FILENO, $0.baseAddress.map { $0 + sent }, $0.count - sent)
      }
      if count > 0 {
        sent += count
      } else if errno != EINTR {
        return
      }
    }
  }

  static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
}
