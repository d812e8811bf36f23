/// Functions on texts, and `size` of whatever has one (cel-spec, "String Functions").
enum StandardTexts {
  private static let a = CELType.parameter("A")
  private static let b = CELType.parameter("B")

  static let functions: [Function] = [
    search("contains", cost: .linear) { text, part in contains(text, part) },
    search("startsWith", cost: .linear) { text, prefix in text.starts(with: prefix) },
    search("endsWith", cost: .linear) { text, suffix in
      text.count >= suffix.count && text.suffix(suffix.count).elementsEqual(suffix)
    },
    Function(
      "size",
      [CELType.string, .bytes, .list(a), .map(a, b)].flatMap { type in
        // A list knows its size; of a text, code points must be counted.
        let cost: Overload.Cost = type == .string ? .linear : .constant
        return [
          Overload.global([type], .int, cost: cost) { size($0) },
          Overload.member([type], .int, cost: cost) { size($0) },
        ]
      }),
  ]

  private static func search(
    _ name: String, cost: Overload.Cost,
    _ body: @escaping @Sendable (String.UTF8View, String.UTF8View) -> Bool
  ) -> Function {
    Function(
      name,
      .member([.string, .string], .bool, cost: cost) { text, part in
        guard case .string(let text) = text, case .string(let part) = part else {
          return .mismatch
        }
        return .bool(body(text.utf8, part.utf8))
      })
  }

  /// At each place for short parts; for longer ones in time linear in both.
  private static func contains(_ text: String.UTF8View, _ part: String.UTF8View) -> Bool {
    guard let first = part.first else { return true }
    guard part.count <= shortMax else {
      return ByteSearch(String(part)).first(in: Array(text), from: 0) != nil
    }
    var rest = text[...]
    while let start = rest.firstIndex(of: first) {
      rest = rest[start...]
      if rest.starts(with: part) { return true }
      rest = rest.dropFirst()
    }
    return false
  }

  private static let shortMax = 16

  private static func size(_ value: Value) -> Value {
    switch value {
    case .string(let text): .int(Int64(text.unicodeScalars.count))
    case .bytes(let bytes): .int(Int64(bytes.count))
    case .list(let list): .int(Int64(list.count))
    case .map(let map): .int(Int64(map.count))
    default: .mismatch
    }
  }
}
