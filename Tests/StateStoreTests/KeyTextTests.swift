import StateStore
import StreamCore
import Testing

@Suite struct KeyTextTests {
  @Test(
    "a key's text reads back as the key",
    arguments: [
      ("abc", [.string]), ("0190163d-8694-739b-aea5-966c26f8ad91", [.string]), ("-5", [.integer]),
      ("12.5", [.decimal]), ("true", [.boolean]), ("2026-01-05T09:00:00.5Z", [.timestamp]),
      ("2026-01-05T09:00:00.000000001Z", [.instant]), (#"["a\"b\\\n",7]"#, [.string, .integer]),
      (#"["日本","2026-01-05T09:00:00Z"]"#, [.string, .timestamp]),
      ("[1.5,null,false]", [.decimal, .string, .boolean]),
    ] as [(String, [KeyType])])
  func roundTrip(text: String, types: [KeyType]) throws {
    let key = EncodedKey(try KeyText.components(text, types: types)).bytes
    #expect(try KeyText.text(key) == text)
  }

  @Test(
    "a text that is no key says what one is",
    arguments: [
      ("x", [.integer], "'x' is not of type integer"),
      (
        "[1", [.integer, .integer],
        "a key with several components is written as a JSON array, not '[1'"
      ),
      (
        "[1]", [.integer, .string],
        "a key here has 2 components, not 1; write [integer,string]"
      ),
      (
        #"["\ud800",1]"#, [.string, .integer],
        #"a key with several components is written as a JSON array, not '["\ud800",1]'"#
      ),
    ] as [(String, [KeyType], String)])
  func refused(text: String, types: [KeyType], message: String) {
    let error = #expect(throws: StoreError.self) { try KeyText.components(text, types: types) }
    #expect(error?.code == .invalid && error?.message == message)
  }

  @Test("escapes and surrogate pairs are resolved, milliseconds are a timestamp")
  func escapes() throws {
    #expect(
      try KeyText.components(
        #" [ "\u0041\ud83d\ude00\t" , 1767603600000 ] "#, types: [.string, .timestamp])
        == [.string("A😀\t"), .timestamp(Timestamp(milliseconds: 1_767_603_600_000))])
  }
}
