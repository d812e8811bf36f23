import StreamCore

/// Passes a payload through its upcasters, reading again what each of them wrote.
@usableFromInline
final class UpcastChain<Format: DocumentFormat, Event> {
  @usableFromInline
  typealias Types = EventTypes<Format.Reader.Document, Event>

  /// Two readers and buffers, taken in turns: an upcaster reads the one while it writes the other.
  @usableFromInline let readers: [Format.Reader]
  @usableFromInline var buffers: [[UInt8]] = [[], []]

  /// By handler, then by the version it takes; `nil` at the latest.
  @usableFromInline let upcasters: [[Types.Upcaster?]]

  @inlinable
  init(_ format: Format, _ handlers: [Types.Handler]) {
    readers = [format.makeReader(paths: []), format.makeReader(paths: [])]
    upcasters = handlers.map { handler in
      (0...max(0, handler.version)).map { handler.upcasters[$0] }
    }
  }

  /// Calls `body` with the payload in the handler's version.
  ///
  /// - Throws: what an upcaster or `body` throws.
  @inlinable
  func run(
    _ payload: Format.Reader.Document, from version: Int, handler: Int,
    _ body: (Format.Reader.Document) throws -> Void
  ) throws {
    guard version < upcasters[handler].count, let upcaster = upcasters[handler][version] else {
      return try body(payload)
    }
    let turn = version % 2
    buffers[turn].removeAll(keepingCapacity: true)
    try upcaster(payload, &buffers[turn])
    let bytes = buffers[turn]
    try readers[turn].withDocument(bytes.span.bytes) { root, _ in
      try run(root, from: version + 1, handler: handler, body)
    }
  }
}
