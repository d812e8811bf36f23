/// A lexical element: its kind and the bytes it covers.
struct Token {
  enum Kind: UInt8 {
    case end, identifier, quotedIdentifier, int, uint, double, string, bytes
    case `true`, `false`, null, `in`
    case openParenthesis, closeParenthesis, openBracket, closeBracket, openBrace, closeBrace
    case dot, comma, colon, question
    case plus, minus, star, slash, percent, not
    case less, lessOrEqual, greater, greaterOrEqual, equal, notEqual, and, or
  }
  let kind: Kind
  let start: Int
  let end: Int
}
