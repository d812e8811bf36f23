import StreamCore

extension JSONWriter {
  /// Writes any `Encodable`, members in the order in which it encodes them; decimals and times
  /// exactly.
  ///
  /// Dictionaries and sets are written in the order of their bytes, wherever they are encoded as
  /// values: their own order is another in each process. (A type that hands its own encoder to
  /// one, or walks one itself, answers for the order.)
  ///
  /// It is written as it is encoded, without a tree in between; so a nested container has to be
  /// filled before its parent goes on, as synthesized and usual code does.
  ///
  /// - Throws: ``SerdeError`` where a container is used after its parent has gone on, for a
  ///   number without JSON (`nan`), or what the value throws.
  public mutating func value<Value: Encodable>(codable value: Value) throws {
    let sink = EncodingSink()
    swap(&sink.writer, &self)
    defer { swap(&sink.writer, &self) }
    try sink.encode(value)
  }
}

/// The writer that all containers of one encoding share, and what is open in it.
final class EncodingSink {
  var writer = JSONWriter()
  /// Brackets not yet closed, outermost first.
  var open: [(isObject: Bool, id: Int)] = []
  private var lastID = 0
  private var written = false
  /// What a container that could not be made has to report.
  var failure: SerdeError?

  /// Opens a container and names it.
  func begin(isObject: Bool) -> Int {
    if isObject { writer.beginObject() } else { writer.beginArray() }
    lastID += 1
    open.append((isObject, lastID))
    written = true
    return lastID
  }

  /// Closes what is open inside container `id`.
  func enter(_ id: Int) throws {
    if let failure { throw failure }
    guard open.contains(where: { $0.id == id }) else {
      throw SerdeError("a coding container used after its parent has gone on")
    }
    close(to: open.firstIndex { $0.id == id }.map { $0 + 1 } ?? 0)
    written = true
  }

  func close(to depth: Int) {
    while open.count > depth, let container = open.popLast() {
      if container.isObject { writer.endObject() } else { writer.endArray() }
    }
  }

  /// Writes exactly one value and closes what it opened; one that encodes nothing is an empty
  /// object, as for Foundation.
  func encode<Value: Encodable>(_ value: Value) throws {
    switch value {
    case let decimal as Decimal where Value.self == Decimal.self: writer.value(decimal)
    case let instant as Instant where Value.self == Instant.self: writer.value(instant)
    case let time as Timestamp where Value.self == Timestamp.self: writer.value(time)
    default:
      let depth = open.count
      written = false
      if let unordered = value as? any UnorderedEncodable {
        try unordered.encodeInOrder(to: self)
      } else {
        try value.encode(to: SinkEncoder(sink: self))
      }
      if let failure { throw failure }
      if !written {
        writer.beginObject()
        writer.endObject()
      }
      close(to: depth)
    }
    written = true
  }

  func double(_ value: Double) throws {
    guard value.isFinite else { throw SerdeError("JSON has no number for \(value)") }
    writer.value(value)
    written = true
  }

  func float(_ value: Float) throws {
    guard value.isFinite else { throw SerdeError("JSON has no number for \(value)") }
    // Its own shortest text: that of the double next to it has more digits.
    unsafe writer.value(json: Array(value.description.utf8).span.bytes)
    written = true
  }

  /// Keeps the error of a call that cannot throw for the next one that can.
  func attempt(_ body: () throws -> Void) {
    do { try body() } catch let error as SerdeError { failure = error } catch {
      failure = SerdeError("\(error)")
    }
  }

  func single(_ write: (inout JSONWriter) -> Void) {
    write(&writer)
    written = true
  }
}

private struct SinkEncoder: Encoder {
  let sink: EncodingSink
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    KeyedEncodingContainer(KeyedSink<Key>(sink: sink, id: sink.begin(isObject: true)))
  }
  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    UnkeyedSink(sink: sink, id: sink.begin(isObject: false))
  }
  func singleValueContainer() -> any SingleValueEncodingContainer { SingleSink(sink: sink) }
}

private struct KeyedSink<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let sink: EncodingSink
  let id: Int
  var codingPath: [any CodingKey] { [] }

  func name(_ key: Key) throws {
    try sink.enter(id)
    sink.writer.name(dynamic: key.stringValue)
  }
  func put(_ key: Key, _ write: (inout JSONWriter) -> Void) throws {
    try name(key)
    write(&sink.writer)
  }

  mutating func encodeNil(forKey key: Key) throws { try put(key) { $0.null() } }
  mutating func encode(_ value: Bool, forKey key: Key) throws { try put(key) { $0.value(value) } }
  mutating func encode(_ value: String, forKey key: Key) throws {
    try put(key) { $0.value(value) }
  }
  mutating func encode(_ value: Double, forKey key: Key) throws {
    try name(key)
    try sink.double(value)
  }
  mutating func encode(_ value: Float, forKey key: Key) throws {
    try name(key)
    try sink.float(value)
  }
  mutating func encode(_ value: Int, forKey key: Key) throws {
    try put(key) { $0.integer(value) }
  }
  mutating func encode(_ value: Int8, forKey key: Key) throws {
    try put(key) { $0.integer(value) }
  }
  mutating func encode(_ value: Int16, forKey key: Key) throws {
    try put(key) { $0.integer(value) }
  }
  mutating func encode(_ value: Int32, forKey key: Key) throws {
    try put(key) { $0.integer(value) }
  }
  mutating func encode(_ value: Int64, forKey key: Key) throws {
    try put(key) { $0.integer(value) }
  }
  mutating func encode(_ value: UInt, forKey key: Key) throws {
    try put(key) { $0.integer(value) }
  }
  mutating func encode(_ value: UInt8, forKey key: Key) throws {
    try put(key) { $0.integer(value) }
  }
  mutating func encode(_ value: UInt16, forKey key: Key) throws {
    try put(key) { $0.integer(value) }
  }
  mutating func encode(_ value: UInt32, forKey key: Key) throws {
    try put(key) { $0.integer(value) }
  }
  mutating func encode(_ value: UInt64, forKey key: Key) throws {
    try put(key) { $0.integer(value) }
  }
  mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
    try name(key)
    try sink.encode(value)
  }
  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    sink.attempt { try name(key) }
    return KeyedEncodingContainer(KeyedSink<Nested>(sink: sink, id: sink.begin(isObject: true)))
  }
  mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    sink.attempt { try name(key) }
    return UnkeyedSink(sink: sink, id: sink.begin(isObject: false))
  }
  mutating func superEncoder() -> any Encoder {
    sink.attempt { try sink.enter(id) }
    sink.writer.name("super")
    return SinkEncoder(sink: sink)
  }
  mutating func superEncoder(forKey key: Key) -> any Encoder {
    sink.attempt { try name(key) }
    return SinkEncoder(sink: sink)
  }
}

private struct UnkeyedSink: UnkeyedEncodingContainer {
  let sink: EncodingSink
  let id: Int
  var count = 0
  var codingPath: [any CodingKey] { [] }

  init(sink: EncodingSink, id: Int) {
    self.sink = sink
    self.id = id
  }

  mutating func next() throws {
    try sink.enter(id)
    count += 1
  }
  mutating func put(_ write: (inout JSONWriter) -> Void) throws {
    try next()
    write(&sink.writer)
  }

  mutating func encodeNil() throws { try put { $0.null() } }
  mutating func encode(_ value: Bool) throws { try put { $0.value(value) } }
  mutating func encode(_ value: String) throws { try put { $0.value(value) } }
  mutating func encode(_ value: Double) throws {
    try next()
    try sink.double(value)
  }
  mutating func encode(_ value: Float) throws {
    try next()
    try sink.float(value)
  }
  mutating func encode(_ value: Int) throws { try put { $0.integer(value) } }
  mutating func encode(_ value: Int8) throws { try put { $0.integer(value) } }
  mutating func encode(_ value: Int16) throws { try put { $0.integer(value) } }
  mutating func encode(_ value: Int32) throws { try put { $0.integer(value) } }
  mutating func encode(_ value: Int64) throws { try put { $0.integer(value) } }
  mutating func encode(_ value: UInt) throws { try put { $0.integer(value) } }
  mutating func encode(_ value: UInt8) throws { try put { $0.integer(value) } }
  mutating func encode(_ value: UInt16) throws { try put { $0.integer(value) } }
  mutating func encode(_ value: UInt32) throws { try put { $0.integer(value) } }
  mutating func encode(_ value: UInt64) throws { try put { $0.integer(value) } }
  mutating func encode<T: Encodable>(_ value: T) throws {
    try next()
    try sink.encode(value)
  }
  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) -> KeyedEncodingContainer<Nested> {
    sink.attempt { try sink.enter(id) }
    count += 1
    return KeyedEncodingContainer(KeyedSink<Nested>(sink: sink, id: sink.begin(isObject: true)))
  }
  mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    sink.attempt { try sink.enter(id) }
    count += 1
    return UnkeyedSink(sink: sink, id: sink.begin(isObject: false))
  }
  mutating func superEncoder() -> any Encoder {
    sink.attempt { try sink.enter(id) }
    count += 1
    return SinkEncoder(sink: sink)
  }
}

private struct SingleSink: SingleValueEncodingContainer {
  let sink: EncodingSink
  var codingPath: [any CodingKey] { [] }

  mutating func encodeNil() throws { sink.single { $0.null() } }
  mutating func encode(_ value: Bool) throws { sink.single { $0.value(value) } }
  mutating func encode(_ value: String) throws { sink.single { $0.value(value) } }
  mutating func encode(_ value: Double) throws { try sink.double(value) }
  mutating func encode(_ value: Float) throws { try sink.float(value) }
  mutating func encode(_ value: Int) throws { sink.single { $0.integer(value) } }
  mutating func encode(_ value: Int8) throws { sink.single { $0.integer(value) } }
  mutating func encode(_ value: Int16) throws { sink.single { $0.integer(value) } }
  mutating func encode(_ value: Int32) throws { sink.single { $0.integer(value) } }
  mutating func encode(_ value: Int64) throws { sink.single { $0.integer(value) } }
  mutating func encode(_ value: UInt) throws { sink.single { $0.integer(value) } }
  mutating func encode(_ value: UInt8) throws { sink.single { $0.integer(value) } }
  mutating func encode(_ value: UInt16) throws { sink.single { $0.integer(value) } }
  mutating func encode(_ value: UInt32) throws { sink.single { $0.integer(value) } }
  mutating func encode(_ value: UInt64) throws { sink.single { $0.integer(value) } }
  mutating func encode<T: Encodable>(_ value: T) throws { try sink.encode(value) }
}
