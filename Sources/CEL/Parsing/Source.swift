/// The text of an expression, and where in it an offset lies.
public struct Source: Sendable {
  /// What error messages call it, such as a file's name; empty for none.
  public let name: String
  public let text: String
  let bytes: [UInt8]

  public init(_ text: String, name: String = "") {
    self.name = name
    self.text = text
    bytes = Array(text.utf8)
  }

  /// A place in a text: line and column count from 1, columns in code points.
  public struct Location: Hashable, Sendable, CustomStringConvertible {
    public let line: Int
    public let column: Int
    public var description: String { "\(line):\(column)" }
  }

  /// Where the code point at a UTF-8 offset stands.
  public func location(at offset: Int) -> Location {
    let end = min(offset, bytes.count)
    var line = 1
    var start = 0
    for index in 0..<end where bytes[index] == 0x0A {
      line += 1
      start = index + 1
    }
    return Location(line: line, column: 1 + codePoints(in: start..<end))
  }

  private func codePoints(in range: Range<Int>) -> Int {
    // A byte that continues a code point begins none.
    bytes[range].reduce(0) { $1 & 0xC0 == 0x80 ? $0 : $0 + 1 }
  }

  /// The line around an offset and, below it, a caret under the offset: two lines of text.
  ///
  /// Of a long line, only what is near the offset.
  func excerpt(at offset: Int) -> String {
    let offset = min(offset, bytes.count)
    let start = bytes[..<offset].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    let end = bytes[offset...].firstIndex { $0 == 0x0A || $0 == 0x0D } ?? bytes.count
    let before = scalars(start..<offset)
    let after = scalars(offset..<max(offset, end))
    let isCut = before.count > Self.excerptMax
    let shown = isCut ? Array(before.suffix(Self.excerptMax)) : before
    var line = String.UnicodeScalarView(isCut ? "…".unicodeScalars : "".unicodeScalars)
    line.append(contentsOf: shown)
    line.append(contentsOf: after.prefix(Self.excerptMax))
    if after.count > Self.excerptMax { line.append("…") }
    // Tabs stay tabs, so that the caret lies below its place.
    var caret = String.UnicodeScalarView(isCut ? " ".unicodeScalars : "".unicodeScalars)
    caret.append(contentsOf: shown.map { $0 == "\t" ? "\t" : " " })
    return "  \(String(line))\n  \(String(caret))^"
  }

  private static let excerptMax = 80

  private func scalars(_ range: Range<Int>) -> [Unicode.Scalar] {
    Array(String(decoding: bytes[range], as: UTF8.self).unicodeScalars)
  }
}
