import StreamCore

/// Keys as people write them: the text of the one component, or a JSON array of several.
package enum KeyText {
  /// The text of an encoded key.
  ///
  /// - Throws: ``StoreError`` with `corrupted` for bytes that are no key.
  package static func text(_ key: [UInt8]) throws(StoreError) -> String {
    text(try EncodedKey(encoded: key).components())
  }

  package static func text(_ components: [KeyComponent]) -> String {
    if components.count == 1 { return plain(components[0]) }
    return "[" + components.map(json).joined(separator: ",") + "]"
  }

  private static func plain(_ component: KeyComponent) -> String {
    switch component {
    case .null: "null"
    case .boolean(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .decimal(let value): "\(value)"
    case .timestamp(let value): "\(value)"
    case .instant(let value): "\(value)"
    case .string(let value): value
    }
  }

  /// The component as JSON: times are strings, decimals numbers.
  package static func json(_ component: KeyComponent) -> String {
    switch component {
    case .string, .timestamp, .instant: quoted(plain(component))
    default: plain(component)
    }
  }

  private static func quoted(_ text: String) -> String {
    var json = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": json += "\\\""
      case "\\": json += "\\\\"
      case "\n": json += "\\n"
      case "\r": json += "\\r"
      case "\t": json += "\\t"
      case _ where scalar.value < 0x20:
        let hex = String(scalar.value, radix: 16)
        json += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: json.unicodeScalars.append(scalar)
      }
    }
    return json + "\""
  }

  /// The key of a text.
  ///
  /// - Parameters:
  ///   - types: the key's components, from the catalog; an array of fewer is a beginning.
  ///   - allowsBeginning: whether fewer components will do.
  /// - Throws: ``StoreError`` with `invalid`.
  package static func components(
    _ text: String, types: [KeyType], allowsBeginning: Bool = false
  ) throws(StoreError) -> [KeyComponent] {
    if types.count == 1 { return [try component(text, types[0])] }
    let items = try JSONScalars.array(text)
    guard items.count == types.count || (allowsBeginning && items.count < types.count) else {
      throw StoreError(
        .invalid,
        "a key here has \(types.count) components, not \(items.count); write "
          + "[\(types.map(\.rawValue).joined(separator: ","))]", store: "key")
    }
    var components: [KeyComponent] = []
    for (item, type) in zip(items, types) {
      components.append(item.isNull ? .null : try component(item.text, type))
    }
    return components
  }

  /// The component of a text.
  ///
  /// - Throws: ``StoreError`` with `invalid`.
  package static func component(
    _ text: String, _ type: KeyType
  ) throws(StoreError) -> KeyComponent {
    let value: KeyComponent? =
      switch type {
      case .string: .string(text)
      case .integer: Int64(text).map { .integer($0) }
      case .decimal: Decimal(text).map { .decimal($0) }
      case .boolean: text == "true" ? .boolean(true) : text == "false" ? .boolean(false) : nil
      case .timestamp, .instant: time(text, type)
      }
    guard let value else {
      throw StoreError(.invalid, "'\(text)' is not of type \(type.rawValue)", store: "key")
    }
    return value
  }

  private static func time(_ text: String, _ type: KeyType) -> KeyComponent? {
    if type == .timestamp, let milliseconds = Int64(text) {
      return .timestamp(Timestamp(milliseconds: milliseconds))
    }
    do {
      return type == .timestamp
        ? .timestamp(try Timestamp(parsing: text)) : .instant(try Instant(parsing: text))
    } catch {
      return nil
    }
  }

  /// The orders of the keys whose text begins with `text`; of composite keys, of those whose first
  /// components are those of the array.
  ///
  /// - Throws: ``StoreError`` with `invalid`; a beginning of a number is not one.
  package static func prefixRange(
    _ text: String, types: [KeyType]
  ) throws(StoreError) -> KeyRange {
    if types == [.string] { return TextOrder.range(ofPrefix: text) }
    return TextOrder.range(of: try components(text, types: types, allowsBeginning: true))
  }
}

/// Keys from the first (inclusive) to the last (exclusive), by their orders (``TextOrder``); `nil`:
/// open.
package struct KeyRange: Hashable, Sendable {
  package var from: [UInt8]?
  package var to: [UInt8]?

  package init(from: [UInt8]? = nil, to: [UInt8]? = nil) {
    self.from = from
    self.to = to
  }

  /// All keys that begin with these bytes.
  package init(prefix: [UInt8]) {
    self.init(from: prefix, to: end(ofPrefix: prefix))
  }
}
