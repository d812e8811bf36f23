public import StreamCore

/// A value that can be the key of a store: its bytes compare as the keys do.
public protocol StoreKey: Hashable, Sendable {
  /// The types of its components, for the catalog of stores.
  static var keyTypes: [KeyType] { get }
  /// Appends the order-preserving form.
  func encode(into bytes: inout [UInt8])
  /// - Throws: ``StoreError`` with `corrupted` for bytes of another type.
  init(decoding reader: inout KeyReader) throws(StoreError)
}

extension StoreKey {
  /// The order-preserving form.
  @inlinable
  public var encoded: [UInt8] {
    var bytes: [UInt8] = []
    encode(into: &bytes)
    return bytes
  }

  /// The key of an encoded form.
  ///
  /// - Throws: ``StoreError`` with `corrupted`.
  @inlinable
  public init(encoded bytes: [UInt8]) throws(StoreError) {
    var reader = KeyReader(bytes)
    try self.init(decoding: &reader)
  }
}

extension KeyReader {
  /// The next component, or an error that names the expected type.
  fileprivate mutating func next<Value>(
    _ type: KeyType, _ read: (KeyComponent) -> Value?
  ) throws(StoreError) -> Value {
    guard let value = read(try component().value) else {
      throw StoreError(
        .corrupted, "a key's component is not of type \(type.rawValue)", store: "key")
    }
    return value
  }
}

extension String: StoreKey {
  public static var keyTypes: [KeyType] { [.string] }
  @inlinable
  public func encode(into bytes: inout [UInt8]) { KeyEncoding.append(string: self, to: &bytes) }
  public init(decoding reader: inout KeyReader) throws(StoreError) {
    self = try reader.next(.string) { if case .string(let value) = $0 { value } else { nil } }
  }
}

extension Int64: StoreKey {
  public static var keyTypes: [KeyType] { [.integer] }
  @inlinable
  public func encode(into bytes: inout [UInt8]) { KeyEncoding.append(integer: self, to: &bytes) }
  public init(decoding reader: inout KeyReader) throws(StoreError) {
    self = try reader.next(.integer) { if case .integer(let value) = $0 { value } else { nil } }
  }
}

extension Int: StoreKey {
  public static var keyTypes: [KeyType] { [.integer] }
  @inlinable
  public func encode(into bytes: inout [UInt8]) {
    KeyEncoding.append(integer: Int64(self), to: &bytes)
  }
  public init(decoding reader: inout KeyReader) throws(StoreError) {
    self = Int(try Int64(decoding: &reader))
  }
}

extension Bool: StoreKey {
  public static var keyTypes: [KeyType] { [.boolean] }
  @inlinable
  public func encode(into bytes: inout [UInt8]) { KeyEncoding.append(boolean: self, to: &bytes) }
  public init(decoding reader: inout KeyReader) throws(StoreError) {
    self = try reader.next(.boolean) { if case .boolean(let value) = $0 { value } else { nil } }
  }
}

extension Timestamp: StoreKey {
  public static var keyTypes: [KeyType] { [.timestamp] }
  @inlinable
  public func encode(into bytes: inout [UInt8]) { KeyEncoding.append(timestamp: self, to: &bytes) }
  public init(decoding reader: inout KeyReader) throws(StoreError) {
    self = try reader.next(.timestamp) { if case .timestamp(let value) = $0 { value } else { nil } }
  }
}

extension Instant: StoreKey {
  public static var keyTypes: [KeyType] { [.instant] }
  @inlinable
  public func encode(into bytes: inout [UInt8]) { KeyEncoding.append(instant: self, to: &bytes) }
  public init(decoding reader: inout KeyReader) throws(StoreError) {
    self = try reader.next(.instant) { if case .instant(let value) = $0 { value } else { nil } }
  }
}

extension Decimal: StoreKey {
  public static var keyTypes: [KeyType] { [.decimal] }
  /// By value: `1.50` and `1.5` are one key, which reads back as `1.5`.
  @inlinable
  public func encode(into bytes: inout [UInt8]) { KeyEncoding.append(decimal: self, to: &bytes) }
  public init(decoding reader: inout KeyReader) throws(StoreError) {
    self = try reader.next(.decimal) { if case .decimal(let value) = $0 { value } else { nil } }
  }
}

/// Two keys as one, ordered by the first, then the second; nests for more.
@frozen
public struct KeyPair<First: StoreKey, Second: StoreKey>: StoreKey {
  public let first: First
  public let second: Second

  @inlinable
  public init(_ first: First, _ second: Second) {
    self.first = first
    self.second = second
  }

  public static var keyTypes: [KeyType] { First.keyTypes + Second.keyTypes }

  @inlinable
  public func encode(into bytes: inout [UInt8]) {
    let start = bytes.count
    first.encode(into: &bytes)
    KeyEncoding.writeOutUUID(&bytes, from: start)
    second.encode(into: &bytes)
  }

  @inlinable
  public init(decoding reader: inout KeyReader) throws(StoreError) {
    self.first = try First(decoding: &reader)
    self.second = try Second(decoding: &reader)
  }
}

/// A key whose components are known at run time only.
public struct EncodedKey: StoreKey {
  /// The order-preserving form.
  public let bytes: [UInt8]

  public init(_ components: [KeyComponent]) {
    var bytes: [UInt8] = []
    for component in components {
      KeyEncoding.writeOutUUID(&bytes, from: 0)
      component.encode(into: &bytes)
    }
    self.bytes = bytes
  }

  public static var keyTypes: [KeyType] { [] }

  public func encode(into bytes: inout [UInt8]) { bytes.append(contentsOf: self.bytes) }

  /// Takes all that is left.
  public init(decoding reader: inout KeyReader) throws(StoreError) {
    var components: [KeyComponent] = []
    while !reader.isAtEnd { components.append(try reader.component().value) }
    self.init(components)
  }

  /// - Throws: ``StoreError`` with `corrupted`.
  public func components() throws(StoreError) -> [KeyComponent] {
    var reader = KeyReader(bytes)
    var components: [KeyComponent] = []
    while !reader.isAtEnd { components.append(try reader.component().value) }
    return components
  }
}

/// What a store needs to know of its keys beyond their Swift type.
public struct KeyCoder<Key: StoreKey>: Sendable {
  /// The types of the components, for the catalog.
  public let types: [KeyType]

  public init() { self.types = Key.keyTypes }

  /// For ``EncodedKey``, whose type does not say.
  public init(types: [KeyType]) { self.types = types }
}
