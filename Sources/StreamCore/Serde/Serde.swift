/// Turns values into bytes and back: what was written reads as an equal value, and the bytes are a
/// function of the value alone.
public protocol Serde<Value>: Sendable {
  associatedtype Value
  /// Names encoding and type for lineage and `describe`, as `string` or `json OrderReadModel`.
  var name: String { get }
  /// Appends the value's bytes to `bytes`.
  ///
  /// - Throws: ``SerdeError``.
  func serialize(_ value: Value, into bytes: inout [UInt8]) throws
  /// - Throws: ``SerdeError`` for bytes that are no such value.
  func deserialize(_ bytes: RawSpan) throws -> Value
  /// Whether ``serialize(_:into:)`` never throws, and what it writes always reads as an equal value;
  /// `false` unless a serde says so.
  ///
  /// Rows are encoded once a commit. A store whose rows may have no bytes encodes each of them once
  /// more when it is put, so that the record which made such a row fails, not the commit of many. And
  /// its indexes are made of what the bytes say, which costs reading them.
  var everyValueHasBytes: Bool { get }
}

extension Serde {
  @inlinable
  public var everyValueHasBytes: Bool { false }
}

/// Bytes that are no value of the expected type, or a value that has no bytes.
public struct SerdeError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong, without the contents.
  public let reason: String
  /// The path of the field, as `payload.items[2].quantity`; empty for the whole.
  public let path: String

  public init(_ reason: String, path: String = "") {
    self.reason = reason
    self.path = path
  }

  public var description: String { path.isEmpty ? reason : "\(path): \(reason)" }
}
