/// A secondary index of a key-value store: rows in the order of some values of theirs, then of
/// their key. Its entries are written in the row's transaction.
public struct Index<Row>: Sendable {
  public let name: String
  public let components: [IndexComponent<Row>]

  /// - Parameter components: at least one; a row for which one of them has no value is not in it.
  @inlinable
  public init(_ name: String, _ components: [IndexComponent<Row>]) {
    precondition(!components.isEmpty, "an index has a component")
    self.name = name
    self.components = components
  }

  /// The row's entry without its key; `nil` for a row that is not in this index.
  package func entry(of row: Row) -> [UInt8]? {
    var bytes: [UInt8] = []
    for component in components {
      guard component.encode(row, &bytes) else { return nil }
    }
    return bytes
  }
}

/// One value by which an index orders rows.
public struct IndexComponent<Row>: Sendable {
  /// The field's name, for the catalog.
  public let name: String
  public let type: KeyType
  public let isDescending: Bool
  @usableFromInline let encode: @Sendable (Row, inout [UInt8]) -> Bool

  @usableFromInline
  init(
    name: String, type: KeyType, isDescending: Bool,
    encode: @escaping @Sendable (Row, inout [UInt8]) -> Bool
  ) {
    self.name = name
    self.type = type
    self.isDescending = isDescending
    self.encode = encode
  }

  /// From the least value to the greatest.
  @inlinable
  public static func ascending<Value: StoreKey>(
    _ name: String, _ value: @escaping @Sendable (Row) -> Value?
  ) -> IndexComponent {
    IndexComponent(name: name, type: onlyType(Value.self), isDescending: false) { row, bytes in
      guard let value = value(row) else { return false }
      let start = bytes.count
      value.encode(into: &bytes)
      // The row's key is to come behind it.
      KeyEncoding.writeOutUUID(&bytes, from: start)
      return true
    }
  }

  /// From the greatest value to the least.
  @inlinable
  public static func descending<Value: StoreKey>(
    _ name: String, _ value: @escaping @Sendable (Row) -> Value?
  ) -> IndexComponent {
    IndexComponent(name: name, type: onlyType(Value.self), isDescending: true) { row, bytes in
      guard let value = value(row) else { return false }
      let start = bytes.count
      value.encode(into: &bytes)
      KeyEncoding.writeOutUUID(&bytes, from: start)
      invert(&bytes, from: start)
      return true
    }
  }

  /// For rows whose type is known at run time only.
  public static func dynamic(
    _ name: String, type: KeyType, descending: Bool,
    _ value: @escaping @Sendable (Row) -> KeyComponent?
  ) -> IndexComponent {
    IndexComponent(name: name, type: type, isDescending: descending) { row, bytes in
      guard let value = value(row) else { return false }
      let start = bytes.count
      value.encode(into: &bytes)
      KeyEncoding.writeOutUUID(&bytes, from: start)
      if descending { invert(&bytes, from: start) }
      return true
    }
  }
}

@usableFromInline
func onlyType<Value: StoreKey>(_ type: Value.Type) -> KeyType {
  precondition(Value.keyTypes.count == 1, "a component of an index is one value")
  return Value.keyTypes[0]
}

@usableFromInline
func invert(_ bytes: inout [UInt8], from start: Int) {
  for index in start..<bytes.count { bytes[index] = ~bytes[index] }
}
