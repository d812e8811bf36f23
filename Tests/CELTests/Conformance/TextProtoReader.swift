/// Reads protocol buffers' text format (protobuf.dev/reference/protobuf/textformat-spec).
struct TextProtoReader {
  struct Failure: Error, CustomStringConvertible {
    let line: Int
    let message: String
    var description: String { "line \(line): \(message)" }
  }

  private let bytes: [UInt8]
  private var position = 0
  private var line = 1

  static func read(_ text: String) throws -> TextProto {
    var reader = TextProtoReader(bytes: Array(text.utf8))
    return try reader.message(until: nil)
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private func failure(_ message: String) -> Failure { Failure(line: line, message: message) }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\n"):
        line += 1
        position += 1
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): position += 1
      case UInt8(ascii: "#"):
        while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
      default: return
      }
    }
  }

  /// The next byte that is no space, without taking it.
  private mutating func peek() -> Character? {
    skipSpace()
    return position < bytes.count ? Character(UnicodeScalar(bytes[position])) : nil
  }

  private mutating func take(_ character: Character) -> Bool {
    guard peek() == character else { return false }
    position += 1
    return true
  }

  private mutating func message(until end: Character?) throws -> TextProto {
    var message = TextProto()
    while true {
      while take(",") || take(";") {}
      guard let next = peek() else {
        guard end == nil else { throw failure("a message is not closed") }
        return message
      }
      if next == end {
        position += 1
        return message
      }
      let start = line
      let name = try fieldName()
      let colon = take(":")
      if take("[") {
        while !take("]") {
          let value = try value()
          message.fields.append(TextProto.Field(name: name, value: value, line: start))
          _ = take(",")
        }
      } else {
        let next = peek()
        guard colon || next == "{" || next == "<" else { throw failure("expected ':'") }
        let value = try value()
        message.fields.append(TextProto.Field(name: name, value: value, line: start))
      }
    }
  }

  /// A field's name; an extension or the type in an `Any` keeps its brackets.
  private mutating func fieldName() throws -> String {
    if take("[") {
      let start = position
      while position < bytes.count, bytes[position] != UInt8(ascii: "]") { position += 1 }
      let name = String(decoding: bytes[start..<position], as: UTF8.self)
      position += 1
      return "[\(name)]"
    }
    return try word()
  }

  private mutating func word() throws -> String {
    skipSpace()
    let start = position
    while position < bytes.count {
      let byte = bytes[position]
      let scalar = UnicodeScalar(byte)
      guard
        scalar.properties.isAlphabetic && byte < 0x80 || (0x30...0x39).contains(byte)
          || [UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+")]
            .contains(byte)
      else { break }
      position += 1
    }
    guard position > start else { throw failure("expected a name or a number") }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func value() throws -> TextProto.Value {
    switch peek() {
    case "{":
      position += 1
      return .message(try message(until: "}"))
    case "<":
      position += 1
      return .message(try message(until: ">"))
    case "\"", "'":
      var text: [UInt8] = []
      while let quote = peek(), quote == "\"" || quote == "'" { try appendQuoted(to: &text) }
      return .text(text)
    default:
      if take("-") { return .word("-" + (try word())) }
      return .word(try word())
    }
  }

  private mutating func appendQuoted(to text: inout [UInt8]) throws {
    let quote = bytes[position]
    position += 1
    while position < bytes.count, bytes[position] != quote {
      guard bytes[position] != UInt8(ascii: "\n") else { throw failure("a line ends in a text") }
      if bytes[position] == UInt8(ascii: "\\") {
        try appendEscape(to: &text)
      } else {
        text.append(bytes[position])
        position += 1
      }
    }
    guard position < bytes.count else { throw failure("a text is not closed") }
    position += 1
  }

  private mutating func appendEscape(to text: inout [UInt8]) throws {
    position += 1
    guard position < bytes.count else { throw failure("a text is not closed") }
    let kind = Character(UnicodeScalar(bytes[position]))
    position += 1
    switch kind {
    case "a": text.append(7)
    case "b": text.append(8)
    case "f": text.append(12)
    case "n": text.append(10)
    case "r": text.append(13)
    case "t": text.append(9)
    case "v": text.append(11)
    case "\\", "'", "\"", "?": text.append(bytes[position - 1])
    case "x", "X": text.append(UInt8(truncatingIfNeeded: try digits(radix: 16, upTo: 2)))
    case "u": try appendScalar(try digits(radix: 16, upTo: 4), to: &text)
    case "U": try appendScalar(try digits(radix: 16, upTo: 8), to: &text)
    case "0"..."7":
      position -= 1
      text.append(UInt8(truncatingIfNeeded: try digits(radix: 8, upTo: 3)))
    default: throw failure("an unknown escape \\\(kind)")
    }
  }

  private mutating func digits(radix: Int, upTo limit: Int) throws -> Int {
    let start = position
    while position < bytes.count, position - start < limit,
      Character(UnicodeScalar(bytes[position])).hexDigitValue.map({ $0 < radix }) ?? false
    {
      position += 1
    }
    guard let number = Int(String(decoding: bytes[start..<position], as: UTF8.self), radix: radix)
    else { throw failure("expected digits of an escape") }
    return number
  }

  private func appendScalar(_ number: Int, to text: inout [UInt8]) throws {
    guard let scalar = UnicodeScalar(UInt32(number)) else { throw failure("no code point") }
    text.append(contentsOf: String(Character(scalar)).utf8)
  }
}
