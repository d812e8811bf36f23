import StreamCore

/// Passes a payload through its upcasters, reading again what each of them wrote.
@usableFromInline
final class UpcastChain<Format: DocumentFormat, Event> {
  @usableFromInline
  typealias Handler = EventTypes<Format.Reader.Document, Event>.Handler

  /// Two readers and buffers, taken in turns: an upcaster reads the one while it writes the other.
  @usableFromInline let readers: [Format.Reader]
  @usableFromInline var buffers: [[UInt8]] = [[], []]

  @inlinable
  init(_ format: Format) {
    readers = [format.makeReader(paths: []), format.makeReader(paths: [])]
  }

  /// Calls `body` with the payload in the handler's version.
  ///
  /// - Throws: what an upcaster or `body` throws.
  @inlinable
  func run(
    _ payload: Format.Reader.Document, from version: Int, _ handler: Handler,
    _ body: (Format.Reader.Document) throws -> Void
  ) throws {
    guard version < handler.version, let upcaster = handler.upcasters[version] else {
      return try body(payload)
    }
    let turn = version % 2
    buffers[turn].removeAll(keepingCapacity: true)
    try upcaster(payload, &buffers[turn])
    let bytes = buffers[turn]
    try readers[turn].withDocument(bytes.span.bytes) { root, _ in
      try run(root, from: version + 1, handler, body)
    }
  }
}
