/// What one field of a document holds, as a slice of the record.
@frozen
public struct FieldSlot: Hashable, Sendable {
  @frozen
  public enum Kind: UInt8, Sendable {
    case absent, null, bool, number, string, object, array
  }
  public var kind: Kind
  /// A string's text without its quotes, any other value's whole text; offsets into the payload.
  public var range: Range<Int>
  /// Whether a string has escapes, so that its bytes are not its text.
  public var hasEscapes: Bool

  @inlinable
  public init(kind: Kind, range: Range<Int>, hasEscapes: Bool = false) {
    self.kind = kind
    self.range = range
    self.hasEscapes = hasEscapes
  }

  public static let absent = FieldSlot(kind: .absent, range: 0..<0)
}

/// A structured payload format, as the engine's sources need it: envelope fields by path, and a
/// document handed to decoders. JSON's is in `JSONSerdes`; others plug in here.
public protocol DocumentFormat: Sendable {
  associatedtype Reader: DocumentReader
  /// As `json`, for lineage and `describe`.
  var name: String { get }
  /// A reader for one thread.
  ///
  /// - Parameter paths: the fields that ``DocumentReader/withDocument(_:_:)`` finds for each
  ///   document; a path is the names from the root down.
  func makeReader(paths: [[String]]) -> Reader
  /// A document without fields: what stands for the payload of a tombstone that is an event.
  var emptyDocument: [UInt8] { get }
}

/// Reads one document after another on one thread, reusing its memory.
public protocol DocumentReader: AnyObject {
  /// A node of a document, valid only inside the closure it was lent to.
  associatedtype Document

  /// Parses `bytes` and lends the document and the declared fields, in the order of the paths.
  ///
  /// - Throws: ``SerdeError`` for bytes that are no document, or what `body` throws.
  func withDocument<Result>(
    _ bytes: RawSpan, _ body: (_ root: Document, _ fields: [FieldSlot]) throws -> Result
  ) throws -> Result

  /// The node at a path that was declared, inside the closure; `nil` where it is absent.
  func document(atPath index: Int) -> Document?

  /// A string field's text with its escapes resolved, inside the closure.
  func text(_ slot: FieldSlot) -> String
}
