/// Splits a text into tokens, one at a time.
struct Lexer {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private func byte(_ ahead: Int = 0) -> UInt8 {
    let index = position + ahead
    return index < bytes.count ? bytes[index] : 0
  }

  mutating func next() throws(Mistake) -> Token {
    skipSpace()
    let start = position
    guard position < bytes.count else { return Token(kind: .end, start: start, end: start) }
    let first = bytes[position]
    let kind: Token.Kind
    switch first {
    case _ where first.isLetter: kind = try word()
    case _ where first.isDigit: kind = number()
    case UInt8(ascii: ".") where byte(1).isDigit: kind = number()
    case UInt8(ascii: "\""), UInt8(ascii: "'"):
      try string(isRaw: false)
      kind = .string
    case UInt8(ascii: "`"): kind = try quotedIdentifier()
    default:
      guard let (symbol, length) = symbol(first) else {
        throw Mistake(start, "unexpected character \(character(at: start))")
      }
      position += length
      kind = symbol
    }
    return Token(kind: kind, start: start, end: position)
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0C, 0x0D: position += 1
      case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "/"):
        while position < bytes.count, bytes[position] != 0x0A { position += 1 }
      default: return
      }
    }
  }

  private func symbol(_ first: UInt8) -> (Token.Kind, Int)? {
    let second = byte(1)
    switch first {
    case UInt8(ascii: "("): return (.openParenthesis, 1)
    case UInt8(ascii: ")"): return (.closeParenthesis, 1)
    case UInt8(ascii: "["): return (.openBracket, 1)
    case UInt8(ascii: "]"): return (.closeBracket, 1)
    case UInt8(ascii: "{"): return (.openBrace, 1)
    case UInt8(ascii: "}"): return (.closeBrace, 1)
    case UInt8(ascii: "."): return (.dot, 1)
    case UInt8(ascii: ","): return (.comma, 1)
    case UInt8(ascii: ":"): return (.colon, 1)
    case UInt8(ascii: "?"): return (.question, 1)
    case UInt8(ascii: "+"): return (.plus, 1)
    case UInt8(ascii: "-"): return (.minus, 1)
    case UInt8(ascii: "*"): return (.star, 1)
    case UInt8(ascii: "/"): return (.slash, 1)
    case UInt8(ascii: "%"): return (.percent, 1)
    case UInt8(ascii: "!"): return second == UInt8(ascii: "=") ? (.notEqual, 2) : (.not, 1)
    case UInt8(ascii: "<"): return second == UInt8(ascii: "=") ? (.lessOrEqual, 2) : (.less, 1)
    case UInt8(ascii: ">"):
      return second == UInt8(ascii: "=") ? (.greaterOrEqual, 2) : (.greater, 1)
    case UInt8(ascii: "=") where second == UInt8(ascii: "="): return (.equal, 2)
    case UInt8(ascii: "&") where second == UInt8(ascii: "&"): return (.and, 2)
    case UInt8(ascii: "|") where second == UInt8(ascii: "|"): return (.or, 2)
    default: return nil
    }
  }

  private func character(at offset: Int) -> String {
    let text = String(decoding: bytes[offset...].prefix(4), as: UTF8.self)
    let hints = ["=": "; to compare, write '=='", "&": "; write '&&'", "|": "; write '||'"]
    guard let scalar = text.unicodeScalars.first else { return "" }
    if scalar.value < 0x20 { return "U+" + String(scalar.value, radix: 16, uppercase: true) }
    return "'\(scalar)'" + (hints[String(scalar)] ?? "")
  }

  /// A name, a keyword, or a text with a prefix such as `r"…"`.
  private mutating func word() throws(Mistake) -> Token.Kind {
    let start = position
    while byte().isLetter || byte().isDigit { position += 1 }
    let length = position - start
    if length <= 2, byte() == UInt8(ascii: "\"") || byte() == UInt8(ascii: "'"),
      let prefix = prefix(start..<position)
    {
      try string(isRaw: prefix.isRaw)
      return prefix.isBytes ? .bytes : .string
    }
    if length > 5 { return .identifier }
    switch (length, bytes[start]) {
    case (4, UInt8(ascii: "t")) where matches("true", start): return .true
    case (5, UInt8(ascii: "f")) where matches("false", start): return .false
    case (4, UInt8(ascii: "n")) where matches("null", start): return .null
    case (2, UInt8(ascii: "i")) where matches("in", start): return .in
    default: return .identifier
    }
  }

  private func matches(_ word: StaticString, _ start: Int) -> Bool {
    word.withUTF8Buffer { unsafe $0.elementsEqual(bytes[start..<position]) }
  }

  private func prefix(_ range: Range<Int>) -> (isRaw: Bool, isBytes: Bool)? {
    var isRaw = false
    var isBytes = false
    for byte in bytes[range] {
      switch byte | 0x20 {
      case UInt8(ascii: "r") where !isRaw: isRaw = true
      case UInt8(ascii: "b") where !isBytes && !isRaw: isBytes = true
      default: return nil
      }
    }
    return (isRaw, isBytes)
  }

  private mutating func number() -> Token.Kind {
    if byte() == UInt8(ascii: "0"), byte(1) | 0x20 == UInt8(ascii: "x"), byte(2).hexValue != nil {
      position += 2
      while byte().hexValue != nil { position += 1 }
      return unsigned(.int)
    }
    var kind = Token.Kind.int
    skipDigits()
    if byte() == UInt8(ascii: "."), byte(1).isDigit {
      position += 1
      skipDigits()
      kind = .double
    }
    if byte() | 0x20 == UInt8(ascii: "e") {
      let sign = byte(1) == UInt8(ascii: "+") || byte(1) == UInt8(ascii: "-") ? 1 : 0
      if byte(1 + sign).isDigit {
        position += 1 + sign
        skipDigits()
        kind = .double
      }
    }
    return kind == .int ? unsigned(.int) : kind
  }

  private mutating func unsigned(_ kind: Token.Kind) -> Token.Kind {
    guard byte() | 0x20 == UInt8(ascii: "u") else { return kind }
    position += 1
    return .uint
  }

  private mutating func skipDigits() { while byte().isDigit { position += 1 } }

  /// Past the closing quotes of the text whose opening quotes are next.
  private mutating func string(isRaw: Bool) throws(Mistake) {
    let start = position
    let quote = bytes[position]
    let isTriple = byte(1) == quote && byte(2) == quote
    position += isTriple ? 3 : 1
    while position < bytes.count {
      let next = bytes[position]
      if next == quote {
        if !isTriple {
          position += 1
          return
        }
        if byte(1) == quote, byte(2) == quote {
          position += 3
          return
        }
      }
      if !isTriple, next == 0x0A || next == 0x0D { break }
      position += next == UInt8(ascii: "\\") && !isRaw ? 2 : 1
    }
    throw Mistake(
      start,
      isTriple || position >= bytes.count
        ? "a string is not closed" : "a string is not closed on its line")
  }

  private mutating func quotedIdentifier() throws(Mistake) -> Token.Kind {
    let start = position
    position += 1
    while position < bytes.count, bytes[position] != UInt8(ascii: "`") {
      let next = bytes[position]
      guard
        next.isLetter || next.isDigit || next == 0x2E || next == 0x2D || next == 0x2F
          || next == 0x20
      else { throw Mistake(position, "a quoted name cannot have \(character(at: position))") }
      position += 1
    }
    guard position < bytes.count else { throw Mistake(start, "a quoted name is not closed") }
    guard position > start + 1 else { throw Mistake(start, "a quoted name is empty") }
    position += 1
    return .quotedIdentifier
  }
}

extension UInt8 {
  /// A to Z, a to z, and the underscore.
  var isLetter: Bool { (0x61...0x7A).contains(self | 0x20) || self == 0x5F }
  var isDigit: Bool { (0x30...0x39).contains(self) }
  var hexValue: UInt8? {
    switch self {
    case 0x30...0x39: self - 0x30
    case 0x61...0x66: self - 0x57
    case 0x41...0x46: self - 0x37
    default: nil
    }
  }
}
