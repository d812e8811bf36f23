import StreamCore

/// `Decodable` over a view. Its errors are ``SerdeError`` with the path in the document.
struct JSONViewDecoder: Decoder {
  let view: JSONView

  var codingPath: [any CodingKey] { view.codingPath }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard view.kind == .object else { throw view.mismatch("an object") }
    return KeyedDecodingContainer(JSONKeyedDecoding<Key>(view: view))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    JSONUnkeyedDecoding(view: view, rest: try view.elements())
  }

  func singleValueContainer() throws -> any SingleValueDecodingContainer {
    JSONSingleDecoding(view: view)
  }
}

extension JSONView {
  /// Decodes any `Decodable`; decimals and times exactly.
  ///
  /// - Throws: ``SerdeError``, or what the type's own initializer throws.
  public func decode<Value: Decodable>(codable type: Value.Type) throws -> Value {
    // SAFETY: the types are the same; a cast would look up the type's optional each time.
    if type == Decimal.self { return unsafe unsafeBitCast(try decimal(), to: type) }
    if type == Instant.self { return unsafe unsafeBitCast(try instant(), to: type) }
    if type == Timestamp.self { return unsafe unsafeBitCast(try timestamp(), to: type) }
    return try Value(from: JSONViewDecoder(view: self))
  }

  var codingPath: [any CodingKey] {
    check()
    return unsafe state.pointee.steps(to: Int(index)).map { step in
      switch step {
      case .member(let name): JSONCodingKey(stringValue: name)
      case .element(let position): JSONCodingKey(intValue: position)
      }
    }
  }
}

struct JSONCodingKey: CodingKey {
  let stringValue: String
  let intValue: Int?
  init(stringValue: String) {
    self.stringValue = stringValue
    intValue = nil
  }
  init(intValue: Int) {
    stringValue = "\(intValue)"
    self.intValue = intValue
  }
}

private struct JSONKeyedDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let view: JSONView

  var codingPath: [any CodingKey] { view.codingPath }

  var allKeys: [Key] {
    var seen: Set<String> = []
    var keys: [Key] = []
    for member in JSONMembers(view).map(Array.init) ?? [] {
      let name = member.name.string
      if seen.insert(name).inserted, let key = Key(stringValue: name) { keys.append(key) }
    }
    return keys
  }

  func find(_ key: Key) -> JSONView? { view[dynamic: key.stringValue] }

  func need(_ key: Key) throws -> JSONView {
    guard let value = find(key) else { throw view.missing(key.stringValue) }
    return value
  }

  /// Absent and null are both `nil` to `Decodable`.
  func present(_ key: Key) -> JSONView? { find(key)?.nonNull }

  func contains(_ key: Key) -> Bool { find(key) != nil }
  func decodeNil(forKey key: Key) throws -> Bool { try need(key).isNull }
  func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try need(key).bool() }
  func decode(_ type: String.Type, forKey key: Key) throws -> String { try need(key).string() }
  func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try need(key).double() }
  func decode(_ type: Float.Type, forKey key: Key) throws -> Float {
    Float(try need(key).double())
  }
  func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try need(key).integer() }
  func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try need(key).integer() }
  func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try need(key).integer() }
  func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try need(key).integer() }
  func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try need(key).int64() }
  func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try need(key).integer() }
  func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try need(key).integer() }
  func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try need(key).integer() }
  func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try need(key).integer() }
  func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try need(key).integer() }
  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
    try need(key).decode(codable: type)
  }

  // One look for the commonest optional members, where the default takes three.
  func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? {
    try present(key)?.string()
  }
  func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? {
    try present(key)?.integer()
  }
  func decodeIfPresent(_ type: Int64.Type, forKey key: Key) throws -> Int64? {
    try present(key)?.int64()
  }
  func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? {
    try present(key)?.bool()
  }
  func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
    try present(key)?.decode(codable: type)
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Nested> {
    try JSONViewDecoder(view: need(key)).container(keyedBy: type)
  }
  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try JSONViewDecoder(view: need(key)).unkeyedContainer()
  }
  func superDecoder() throws -> any Decoder {
    guard let value = view["super"] else { throw view.missing("super") }
    return JSONViewDecoder(view: value)
  }
  func superDecoder(forKey key: Key) throws -> any Decoder {
    JSONViewDecoder(view: try need(key))
  }
}

private struct JSONUnkeyedDecoding: UnkeyedDecodingContainer {
  let view: JSONView
  var rest: JSONElements
  var currentIndex = 0

  init(view: JSONView, rest: JSONElements) {
    self.view = view
    self.rest = rest
  }

  var codingPath: [any CodingKey] { view.codingPath }
  /// Known only by a walk over the elements.
  var count: Int? { rest.reduce(currentIndex) { count, _ in count + 1 } }
  var isAtEnd: Bool { rest.isAtEnd }

  mutating func take() throws -> JSONView {
    guard let element = rest.next() else {
      throw view.error("an array of only \(currentIndex) elements")
    }
    currentIndex += 1
    return element
  }

  mutating func decodeNil() throws -> Bool {
    var ahead = rest
    guard let element = ahead.next() else {
      throw view.error("an array of only \(currentIndex) elements")
    }
    guard element.isNull else { return false }
    rest = ahead
    currentIndex += 1
    return true
  }
  mutating func decode(_ type: Bool.Type) throws -> Bool { try take().bool() }
  mutating func decode(_ type: String.Type) throws -> String { try take().string() }
  mutating func decode(_ type: Double.Type) throws -> Double { try take().double() }
  mutating func decode(_ type: Float.Type) throws -> Float { Float(try take().double()) }
  mutating func decode(_ type: Int.Type) throws -> Int { try take().integer() }
  mutating func decode(_ type: Int8.Type) throws -> Int8 { try take().integer() }
  mutating func decode(_ type: Int16.Type) throws -> Int16 { try take().integer() }
  mutating func decode(_ type: Int32.Type) throws -> Int32 { try take().integer() }
  mutating func decode(_ type: Int64.Type) throws -> Int64 { try take().int64() }
  mutating func decode(_ type: UInt.Type) throws -> UInt { try take().integer() }
  mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try take().integer() }
  mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try take().integer() }
  mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try take().integer() }
  mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try take().integer() }
  mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
    try take().decode(codable: type)
  }
  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) throws -> KeyedDecodingContainer<Nested> {
    try JSONViewDecoder(view: take()).container(keyedBy: type)
  }
  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try JSONViewDecoder(view: take()).unkeyedContainer()
  }
  mutating func superDecoder() throws -> any Decoder { JSONViewDecoder(view: try take()) }
}

private struct JSONSingleDecoding: SingleValueDecodingContainer {
  let view: JSONView

  var codingPath: [any CodingKey] { view.codingPath }
  func decodeNil() -> Bool { view.isNull }
  func decode(_ type: Bool.Type) throws -> Bool { try view.bool() }
  func decode(_ type: String.Type) throws -> String { try view.string() }
  func decode(_ type: Double.Type) throws -> Double { try view.double() }
  func decode(_ type: Float.Type) throws -> Float { Float(try view.double()) }
  func decode(_ type: Int.Type) throws -> Int { try view.integer() }
  func decode(_ type: Int8.Type) throws -> Int8 { try view.integer() }
  func decode(_ type: Int16.Type) throws -> Int16 { try view.integer() }
  func decode(_ type: Int32.Type) throws -> Int32 { try view.integer() }
  func decode(_ type: Int64.Type) throws -> Int64 { try view.int64() }
  func decode(_ type: UInt.Type) throws -> UInt { try view.integer() }
  func decode(_ type: UInt8.Type) throws -> UInt8 { try view.integer() }
  func decode(_ type: UInt16.Type) throws -> UInt16 { try view.integer() }
  func decode(_ type: UInt32.Type) throws -> UInt32 { try view.integer() }
  func decode(_ type: UInt64.Type) throws -> UInt64 { try view.integer() }
  func decode<T: Decodable>(_ type: T.Type) throws -> T { try view.decode(codable: type) }
}
