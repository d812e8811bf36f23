/// Text as its UTF-8 bytes.
public struct StringSerde: Serde {
  public init() {}
  public var name: String { "string" }
  public var everyValueHasBytes: Bool { true }

  @inlinable
  public func serialize(_ value: String, into bytes: inout [UInt8]) throws {
    bytes.append(contentsOf: value.utf8)
  }

  @inlinable
  public func deserialize(_ bytes: RawSpan) throws -> String {
    let text = unsafe bytes.withUnsafeBytes { unsafe String(validating: $0, as: UTF8.self) }
    guard let text else { throw SerdeError("not UTF-8") }
    return text
  }
}

/// Bytes as they are.
public struct BytesSerde: Serde {
  public init() {}
  public var name: String { "bytes" }
  public var everyValueHasBytes: Bool { true }

  @inlinable
  public func serialize(_ value: [UInt8], into bytes: inout [UInt8]) throws {
    bytes.append(contentsOf: value)
  }

  @inlinable
  public func deserialize(_ bytes: RawSpan) throws -> [UInt8] {
    unsafe bytes.withUnsafeBytes { unsafe Array($0) }
  }
}

/// Eight bytes, big-endian, as Kafka's `LongSerializer`.
public struct Int64Serde: Serde {
  public init() {}
  public var name: String { "int64" }
  public var everyValueHasBytes: Bool { true }

  @inlinable
  public func serialize(_ value: Int64, into bytes: inout [UInt8]) throws {
    unsafe withUnsafeBytes(of: value.bigEndian) { unsafe bytes.append(contentsOf: $0) }
  }

  @inlinable
  public func deserialize(_ bytes: RawSpan) throws -> Int64 {
    guard bytes.byteCount == 8 else { throw SerdeError("an int64 has 8 bytes") }
    return Int64(bigEndian: unsafe bytes.unsafeLoadUnaligned(as: Int64.self))
  }
}
