import StreamCore

/// The JSON of a value in the one form that digests are made of: compact, the members of an
/// object in the order of their names' bytes (the last of several with one name), numbers in
/// plain notation without trailing zeros, strings with no more escapes than they need.
///
/// A number beyond 38 digits stays as it is written.
///
/// - Throws: ``SerdeError`` for bytes that are no JSON text.
public func canonicalJSON(_ bytes: RawSpan) throws -> [UInt8] {
  try JSONParser().withDocument(bytes) { root in
    var writer = JSONWriter()
    try root.writeCanonical(to: &writer)
    return writer.finish()
  }
}

/// As ``canonicalJSON(_:)`` of an array.
public func canonicalJSON(_ bytes: [UInt8]) throws -> [UInt8] {
  unsafe try canonicalJSON(bytes.span.bytes)
}

extension JSONView {
  /// Writes this value in the form of ``canonicalJSON(_:)``.
  public func writeCanonical(to writer: inout JSONWriter) throws {
    switch kind {
    case .absent, .null: writer.null()
    case .bool: writer.value(try bool())
    case .string: writer.value(try string())
    case .number:
      let text = json
      do {
        unsafe writer.value(try Decimal(parsing: text.span.bytes, in: 0..<text.count).canonical)
      } catch {
        unsafe writer.value(json: text.span.bytes)
      }
    case .array:
      writer.beginArray()
      for element in try elements() { try element.writeCanonical(to: &writer) }
      writer.endArray()
    case .object:
      // By bytes: Swift's strings are equal where only their composition differs.
      var members: [(name: [UInt8], value: JSONView)] = []
      var places: [[UInt8]: Int] = [:]
      for member in try self.members() {
        let name = Array(member.name.string.utf8)
        if let place = places[name] {
          members[place].value = member.value
        } else {
          places[name] = members.count
          members.append((name, member.value))
        }
      }
      members.sort { $0.name.lexicographicallyPrecedes($1.name) }
      writer.beginObject()
      for member in members {
        writer.name(dynamic: String(decoding: member.name, as: UTF8.self))
        try member.value.writeCanonical(to: &writer)
      }
      writer.endObject()
    }
  }
}
