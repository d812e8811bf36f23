/// Reads what lies between the quotes of a text or bytes literal.
struct TextLiteral {
  private let bytes: ArraySlice<UInt8>
  private let isBytes: Bool
  private let isRaw: Bool
  private var position: Int
  private var output: [UInt8] = []

  /// - Parameter token: a complete literal with prefix and quotes, as ``Lexer`` found it.
  init(_ source: [UInt8], _ token: Token) {
    var start = token.start
    var isRaw = false
    while source[start] != UInt8(ascii: "'"), source[start] != UInt8(ascii: "\"") {
      if source[start] | 0x20 == UInt8(ascii: "r") { isRaw = true }
      start += 1
    }
    let quote = source[start]
    let isTriple =
      token.end - start >= 6 && source[start + 1] == quote && source[start + 2] == quote
    let quotes = isTriple ? 3 : 1
    bytes = source[start + quotes..<token.end - quotes]
    isBytes = token.kind == .bytes
    self.isRaw = isRaw
    position = bytes.startIndex
  }

  /// The bytes meant; for a text they are UTF-8.
  mutating func contents() throws(Mistake) -> [UInt8] {
    if isRaw || !bytes.contains(UInt8(ascii: "\\")) { return Array(bytes) }
    while position < bytes.endIndex {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\\") {
        try escape()
      } else {
        output.append(byte)
        position += 1
      }
    }
    return output
  }

  private mutating func escape() throws(Mistake) {
    let start = position
    position += 1
    guard position < bytes.endIndex else { throw Mistake(start, "a backslash ends the string") }
    let letter = bytes[position]
    position += 1
    switch letter {
    case UInt8(ascii: "a"): output.append(0x07)
    case UInt8(ascii: "b"): output.append(0x08)
    case UInt8(ascii: "f"): output.append(0x0C)
    case UInt8(ascii: "n"): output.append(0x0A)
    case UInt8(ascii: "r"): output.append(0x0D)
    case UInt8(ascii: "t"): output.append(0x09)
    case UInt8(ascii: "v"): output.append(0x0B)
    case UInt8(ascii: "\\"), UInt8(ascii: "?"), UInt8(ascii: "\""), UInt8(ascii: "'"),
      UInt8(ascii: "`"):
      output.append(letter)
    case UInt8(ascii: "x"), UInt8(ascii: "X"): append(try digits(2, radix: 16, start), start)
    case UInt8(ascii: "u") where !isBytes: try append(scalar: digits(4, radix: 16, start), start)
    case UInt8(ascii: "U") where !isBytes: try append(scalar: digits(8, radix: 16, start), start)
    case UInt8(ascii: "0")...UInt8(ascii: "3"):
      position -= 1
      append(try digits(3, radix: 8, start), start)
    default:
      throw Mistake(
        start,
        isBytes && letter | 0x20 == UInt8(ascii: "u")
          ? "bytes cannot have the escape \\\(Unicode.Scalar(letter))"
          : "a backslash stands before no escape; for the character itself, write '\\\\'")
    }
  }

  private mutating func digits(_ count: Int, radix: UInt32, _ start: Int) throws(Mistake) -> UInt32
  {
    var number: UInt32 = 0
    for _ in 0..<count {
      guard position < bytes.endIndex, let digit = bytes[position].hexValue, digit < radix else {
        throw Mistake(
          start, "an escape needs \(count) \(radix == 16 ? "hexadecimal" : "octal") digits")
      }
      number = number * radix + UInt32(digit)
      position += 1
    }
    return number
  }

  /// A byte of bytes, a code point of a text.
  private mutating func append(_ number: UInt32, _ start: Int) {
    if isBytes {
      output.append(UInt8(truncatingIfNeeded: number))
    } else {
      // At most U+00FF, which is no surrogate.
      output.append(contentsOf: String(Unicode.Scalar(UInt8(truncatingIfNeeded: number))).utf8)
    }
  }

  private mutating func append(scalar number: UInt32, _ start: Int) throws(Mistake) {
    guard let scalar = Unicode.Scalar(number) else {
      throw Mistake(start, "an escape stands for no code point")
    }
    output.append(contentsOf: String(scalar).utf8)
  }
}
