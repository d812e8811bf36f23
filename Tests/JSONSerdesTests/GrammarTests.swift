import JSONSerdes
import StreamCore
import Testing

/// The root's canonical form, or the error's description.
func parse(_ text: String) throws -> String {
  String(decoding: try canonicalJSON(Array(text.utf8)), as: UTF8.self)
}

@Suite("JSON grammar")
struct GrammarTests {
  @Test(
    "what RFC 8259 allows is read",
    arguments: [
      ("{}", "{}"), ("[]", "[]"), (" [ ] ", "[]"), ("null", "null"), ("true", "true"),
      (" false\n", "false"), ("0", "0"), ("-0", "0"), ("-0.0", "0"), ("1e5", "100000"),
      ("1E+2", "100"), ("1.50", "1.5"), ("1e400", "1e400"),
      ("18446744073709551616", "18446744073709551616"),
      ("\"\"", "\"\""), ("\"a\\u0000b\"", "\"a\\u0000b\""), ("\"\\u00e9\\/\"", "\"é/\""),
      ("\"\\ud83d\\ude00\"", "\"😀\""),
      ("\"\\\"\\\\\\b\\f\\n\\r\\t\"", "\"\\\"\\\\\\b\\f\\n\\r\\t\""),
      ("{\"b\":1,\"a\":[1,{\"c\":null}]}", "{\"a\":[1,{\"c\":null}],\"b\":1}"),
      ("{\"a\":1,\"a\":2}", "{\"a\":2}"),
      ("{\"a\" : {} , \"b\":[ [ ] , [] ]}", "{\"a\":{},\"b\":[[],[]]}"),
      ("{\"\":0}", "{\"\":0}"), ("\"\u{7f}\u{2028}\"", "\"\u{7f}\u{2028}\""),
    ])
  func accepted(text: String, canonical: String) throws {
    #expect(try parse(text) == canonical)
  }

  @Test(
    "what it does not allow is an error, also in values that nobody reads",
    arguments: [
      "", " ", "\n", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "[1}", "{]",
      "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,\"a\":1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}",
      "{a:1}", "{1:1}", "{\"a\":1]", "{\"a\",1}", "[\"a\":1]", "1 2", "1,", "{}{}", "{} x", ":",
      ",",
      "01", "-", "-01", "1.", ".5", "+1", "1e", "1e+", "1.e5", "0x1", "1a", "1\"a\"", "- 1", "1 .5",
      "Infinity", "NaN", "-Infinity", "1_000", "1\u{0c}", "1\u{1a}",
      "tru", "truex", "true1", "True", "nul", "nulll", "fals", "falsee", "false\"\"",
      "[tru\\u0065]",
      "\"", "\"a", "\"a\\", "\"a\\\"", "'a'", "\"a\"b", "\"a\"\"b\"", "\"a\" \"b\"",
      "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u\"", "\"\\U0041\"", "\\\"a\"", "[\\\"a\"]",
      "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800x\"", "\"\\ud800\\u0041\"", "\"\\ud800\\ud800\"",
      "\"\\udc00\\ud800\"", "\"\\ud83d\\\"", "{\"\\ud800\":1}",
      "\"a\nb\"", "\"a\tb\"", "\"a\0b\"", "\u{feff}{}", "{}\u{feff}", "\u{a0}1", "/**/1", "1//",
      "[1]\0", "\0", "[\u{0b}]",
    ])
  func refused(text: String) {
    #expect(throws: SerdeError.self) { try parse(text) }
    // The same inside a member that is skipped.
    #expect(throws: SerdeError.self) { try parse("{\"skipped\":[\(text),0],\"b\":1") }
  }

  @Test(
    "bytes that are not UTF-8 are refused",
    arguments: [
      [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0x80],
    ] as [[UInt8]])
  func invalidUTF8(bytes: [UInt8]) {
    #expect(throws: SerdeError.self) { try canonicalJSON([0x22] + bytes + [0x22]) }
    #expect(throws: SerdeError.self) { try canonicalJSON(bytes) }
  }

  @Test("1,024 levels are read, one more is refused", arguments: ["[", "{\"a\":"])
  func depth(open: String) throws {
    let close = open == "[" ? "]" : "}"
    func nested(_ levels: Int, _ core: String) -> String {
      String(repeating: open, count: levels) + core + String(repeating: close, count: levels)
    }
    let parser = JSONParser()
    for core in ["1", "[]", "{}"] {
      let levels = core == "1" ? 1024 : 1023
      let most = Array(nested(levels, core).utf8)
      try parser.withDocument(most.span.bytes) { root in
        #expect(root.kind == (open == "[" ? .array : .object))
      }
      let more = Array(nested(levels + 1, core).utf8)
      #expect(throws: SerdeError.self) { try parser.withDocument(more.span.bytes) { _ in } }
    }
  }

  @Test(
    "a text of any length is read up to its last byte", arguments: [0, 1, 63, 64, 65, 4096, 70_000])
  func lengths(padding: Int) throws {
    let parser = JSONParser()
    for length in padding...padding + 3 {
      // In an array of exactly its size, so that reading beyond it would show.
      let text = Array("[\"\(String(repeating: "x", count: length))\",12]".utf8)
      try parser.withDocument(text.span.bytes) { (root) throws in
        let elements = Array(try root.elements())
        #expect(try elements[0].string().utf8.count == length)
        #expect(try elements[1].int64() == 12)
      }
    }
    let many = Array(("[" + String(repeating: "1,", count: padding) + "2]").utf8)
    try parser.withDocument(many.span.bytes) { (root) throws in
      #expect(try root.array(of: Int.self).count == padding + 1)
    }
  }
}
