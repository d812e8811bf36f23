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
    case .string:
      // Without escapes it is as short as it gets.
      if slot.hasEscapes {
        writer.value(try string())
      } else {
        withBytes { writer.value(json: $0) }
      }
    case .number: writeCanonicalNumber(to: &writer)
    case .array:
      writer.beginArray()
      for element in try elements() { try element.writeCanonical(to: &writer) }
      writer.endArray()
    case .object:
      var members: [(name: String, order: Int, value: JSONView)] = []
      for member in try self.members() {
        members.append((member.name.string, members.count, member.value))
      }
      // By bytes: Swift's strings are equal where only their composition differs.
      members.sort {
        $0.name.utf8.elementsEqual($1.name.utf8)
          ? $0.order < $1.order : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
      }
      writer.beginObject()
      for (index, member) in members.enumerated() {
        // Of several members with one name the last counts.
        if index + 1 < members.count, members[index + 1].name.utf8.elementsEqual(member.name.utf8) {
          continue
        }
        writer.name(dynamic: member.name)
        try member.value.writeCanonical(to: &writer)
      }
      writer.endObject()
    }
  }

  private func writeCanonicalNumber(to writer: inout JSONWriter) {
    let text = json
    let isWhole = text.count < 38 && text.allSatisfy { (0x30...0x39).contains($0) }
    do {
      if isWhole { return unsafe writer.value(json: text.span.bytes) }
      unsafe writer.value(try Decimal(parsing: text.span.bytes, in: 0..<text.count).canonical)
    } catch {
      unsafe writer.value(json: text.span.bytes)
    }
  }
}
