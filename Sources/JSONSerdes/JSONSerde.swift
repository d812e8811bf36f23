public import StreamCore
import Synchronization

/// Values of one type as JSON.
///
/// A type that is ``JSONDecodable`` and ``JSONEncodable`` is read and written that way, any other
/// through `Codable`.
public struct JSONSerde<Value>: Serde {
  public let name: String
  public let everyValueHasBytes: Bool
  @usableFromInline let read: @Sendable (JSONView) throws -> Value
  @usableFromInline let write: @Sendable (Value, inout JSONWriter) throws -> Void
  @usableFromInline let parsers = ParserPool()

  @inlinable
  init(
    _ typeName: String, everyValueHasBytes: Bool,
    read: @escaping @Sendable (JSONView) throws -> Value,
    write: @escaping @Sendable (Value, inout JSONWriter) throws -> Void
  ) {
    name = "json \(typeName)"
    self.everyValueHasBytes = everyValueHasBytes
    self.read = read
    self.write = write
  }

  @inlinable
  public func serialize(_ value: Value, into bytes: inout [UInt8]) throws {
    var writer = JSONWriter()
    try write(value, &writer)
    if let failure = writer.failure { throw failure }
    writer.finish(appendingTo: &bytes)
  }

  @inlinable
  public func deserialize(_ bytes: RawSpan) throws -> Value {
    let parser = parsers.take()
    defer { parsers.giveBack(parser) }
    return try parser.withDocument(bytes, read)
  }
}

extension JSONSerde where Value: JSONDecodable & JSONEncodable {
  /// - Parameter typeName: for lineage; the Swift type's name by default.
  @inlinable
  public init(typeName: String = "\(Value.self)") {
    self.init(
      typeName, everyValueHasBytes: Value.everyValueHasJSON, read: { try Value(json: $0) },
      write: { (value: Value, writer: inout JSONWriter) in value.encode(to: &writer) })
  }
}

extension JSONSerde where Value: Codable & SendableMetatype {
  /// - Parameter typeName: for lineage; the Swift type's name by default.
  @_disfavoredOverload
  public init(typeName: String = "\(Value.self)") {
    self.init(
      typeName, everyValueHasBytes: false,
      read: { view in
        do {
          return try view.decode(codable: Value.self)
        } catch let error as DecodingError {
          throw SerdeError(decoding: error, in: view)
        }
      },
      write: { (value: Value, writer: inout JSONWriter) in try writer.value(codable: value) })
  }
}

extension SerdeError {
  /// The error of a type's own initializer.
  init(decoding error: DecodingError, in view: JSONView) {
    let context =
      switch error {
      case .dataCorrupted(let context), .keyNotFound(_, let context),
        .typeMismatch(_, let context), .valueNotFound(_, let context):
        context
      @unknown default:
        DecodingError.Context(codingPath: view.codingPath, debugDescription: "not decodable")
      }
    let path = context.codingPath.reduce(into: "") { path, key in
      path += key.intValue.map { "[\($0)]" } ?? (path.isEmpty ? "" : ".") + key.stringValue
    }
    self.init(context.debugDescription, path: path)
  }
}

/// Parsers not in use: a serde is shared by threads, a parser is not.
@usableFromInline
final class ParserPool: Sendable {
  /// A parser crosses threads only through this list, when nobody uses it.
  private struct Idle: @unchecked Sendable { let parser: JSONParser }
  private let idle = Mutex<[Idle]>([])

  @usableFromInline init() {}

  @usableFromInline
  func take() -> JSONParser { idle.withLock { $0.popLast() }?.parser ?? JSONParser() }

  @usableFromInline
  func giveBack(_ parser: JSONParser) {
    let parser = Idle(parser: parser)
    idle.withLock { $0.append(parser) }
  }
}
