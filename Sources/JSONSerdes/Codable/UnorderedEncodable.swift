import StreamCore

/// Collections whose own order is another in each process: what is stored must not depend on it.
protocol UnorderedEncodable {
  func encodeInOrder(to sink: EncodingSink) throws
}

/// As the standard library writes it: an object where the key is a name, else an array of keys and
/// values in turn; in the order of the keys' bytes.
extension Dictionary: UnorderedEncodable where Key: Encodable, Value: Encodable {
  func encodeInOrder(to sink: EncodingSink) throws {
    var entries: [(key: [UInt8], value: [UInt8])] = []
    entries.reserveCapacity(count)
    let isObject =
      Key.self == String.self || Key.self == Int.self || Key.self is any CodingKeyRepresentable.Type
    for (key, value) in self {
      let name =
        switch key {
        case let name as String: try encodedJSON(name)
        case let number as Int: try encodedJSON(String(number))
        case let key as any CodingKeyRepresentable: try encodedJSON(key.codingKey.stringValue)
        default: try encodedJSON(key)
        }
      entries.append((name, try encodedJSON(value)))
    }
    // Keys that are written alike are other keys all the same: then the value decides.
    entries.sort {
      $0.key == $1.key
        ? $0.value.lexicographicallyPrecedes($1.value) : $0.key.lexicographicallyPrecedes($1.key)
    }
    let id = sink.begin(isObject: isObject)
    for (key, value) in entries {
      try sink.enter(id)
      if isObject {
        unsafe sink.writer.name(json: key.span.bytes)
      } else {
        unsafe sink.writer.value(json: key.span.bytes)
      }
      unsafe sink.writer.value(json: value.span.bytes)
    }
  }
}

/// Elements in the order of their JSON's bytes.
extension Set: UnorderedEncodable where Element: Encodable {
  func encodeInOrder(to sink: EncodingSink) throws {
    let elements = try map { try encodedJSON($0) }
    let id = sink.begin(isObject: false)
    for element in elements.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      try sink.enter(id)
      unsafe sink.writer.value(json: element.span.bytes)
    }
  }
}

private func encodedJSON(_ value: some Encodable) throws -> [UInt8] {
  var writer = JSONWriter()
  try writer.value(codable: value)
  return writer.finish()
}
