/// A JSON array of scalars, as keys with several components are written.
enum JSONScalars {
  struct Item: Hashable {
    /// A string's text, or a literal as it stands.
    let text: String
    let isNull: Bool
  }

  /// - Throws: ``StoreError`` with `invalid`.
  static func array(_ text: String) throws(StoreError) -> [Item] {
    var parser = Parser(bytes: Array(text.utf8))
    guard let items = parser.array() else {
      throw StoreError(
        .invalid, "a key with several components is written as a JSON array, not '\(text)'",
        store: "key")
    }
    return items
  }

  private struct Parser {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
      while let byte = next, byte == 0x20 || (0x09...0x0D).contains(byte) { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
      skipSpace()
      guard next == byte else { return false }
      position += 1
      return true
    }

    mutating func array() -> [Item]? {
      guard take(UInt8(ascii: "[")) else { return nil }
      var items: [Item] = []
      if !take(UInt8(ascii: "]")) {
        repeat {
          guard let item = item() else { return nil }
          items.append(item)
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { return nil }
      }
      skipSpace()
      return position == bytes.count ? items : nil
    }

    private mutating func item() -> Item? {
      skipSpace()
      if next == UInt8(ascii: "\"") { return string().map { Item(text: $0, isNull: false) } }
      let start = position
      while let byte = next, !" ,]\t\n\r[{\"".utf8.contains(byte) { position += 1 }
      if start == position { return nil }
      let text = String(decoding: bytes[start..<position], as: UTF8.self)
      return Item(text: text, isNull: text == "null")
    }

    private mutating func string() -> String? {
      position += 1
      var utf8: [UInt8] = []
      while let byte = next {
        position += 1
        if byte == UInt8(ascii: "\"") { return String(validating: utf8, as: UTF8.self) }
        guard byte == UInt8(ascii: "\\") else {
          utf8.append(byte)
          continue
        }
        guard let scalar = escape() else { return nil }
        utf8.append(contentsOf: String(Character(scalar)).utf8)
      }
      return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
      guard let kind = next else { return nil }
      position += 1
      switch kind {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(kind)
      case UInt8(ascii: "b"): return "\u{8}"
      case UInt8(ascii: "f"): return "\u{C}"
      case UInt8(ascii: "n"): return "\n"
      case UInt8(ascii: "r"): return "\r"
      case UInt8(ascii: "t"): return "\t"
      case UInt8(ascii: "u"): break
      default: return nil
      }
      guard let high = unit() else { return nil }
      guard (0xD800..<0xDC00).contains(high) else { return Unicode.Scalar(high) }
      guard next == UInt8(ascii: "\\") else { return nil }
      position += 1
      guard next == UInt8(ascii: "u") else { return nil }
      position += 1
      guard let low = unit(), (0xDC00..<0xE000).contains(low) else { return nil }
      return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
    }

    private mutating func unit() -> UInt32? {
      guard position + 4 <= bytes.count else { return nil }
      let digits = bytes[position..<(position + 4)]
      position += 4
      guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
      return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    }
  }
}
