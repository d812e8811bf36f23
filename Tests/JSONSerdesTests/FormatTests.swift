import JSONSerdes
import StreamCore
import Testing

@Suite("JSON format")
struct FormatTests {
  let paths = [
    ["eventId"], ["eventType"], ["payload"], ["metadata", "correlationId"], ["metadata"],
    ["payload", "orderId"], ["missing"], ["missing", "below"], [], ["eventId"],
  ]

  private func fields(_ text: String) throws -> [String] {
    let bytes = Array(text.utf8)
    return try JSONFormat().makeReader(paths: paths).withDocument(bytes.span.bytes) { _, fields in
      fields.map { $0.kind == .absent ? "-" : String(decoding: bytes[$0.range], as: UTF8.self) }
    }
  }

  @Test("declared fields are found wherever they stand")
  func found() throws {
    let text = """
      {"metadata":{"x":1,"correlationId":"c-1"} , "eventType":7 ,"eventId":"e-1",\
      "payload":{"orderId":null,"items":[{"eventId":"no"}]}}
      """
    #expect(
      try fields(text) == [
        "e-1", "7", "{\"orderId\":null,\"items\":[{\"eventId\":\"no\"}]}", "c-1",
        "{\"x\":1,\"correlationId\":\"c-1\"}", "null", "-", "-", text, "e-1",
      ])
  }

  @Test(
    "of several members of one name the last counts, with all below it",
    arguments: [
      ("{\"metadata\":{\"correlationId\":1},\"metadata\":{}}", "-", "{}"),
      ("{\"metadata\":{\"correlationId\":1},\"metadata\":2}", "-", "2"),
      ("{\"metadata\":{},\"metadata\":{\"correlationId\":1}}", "1", "{\"correlationId\":1}"),
      (
        "{\"metadata\":{\"correlationId\":1,\"correlationId\":2}}", "2",
        "{\"correlationId\":1,\"correlationId\":2}"
      ),
      ("{\"meta\\u0064ata\":{\"\\u0063orrelationId\":3}}", "3", "{\"\\u0063orrelationId\":3}"),
    ])
  func duplicates(text: String, correlationID: String, metadata: String) throws {
    let fields = try fields(text)
    #expect(fields[3] == correlationID)
    #expect(fields[4] == metadata)
  }

  @Test("a reader is reused: nothing of the last document is left")
  func reuse() throws {
    let reader = JSONFormat().makeReader(paths: paths)
    let first = Array("{\"eventId\":\"a\\n\",\"payload\":{\"orderId\":\"o\"}}".utf8)
    try reader.withDocument(first.span.bytes) { (root, fields) throws in
      #expect(reader.text(fields[0]) == "a\n")
      #expect(fields[0].hasEscapes && !fields[5].hasEscapes)
      #expect(try reader.document(atPath: 2)?.field("orderId").string() == "o")
      #expect(try reader.document(atPath: 9)?.string() == "a\n")
      #expect(reader.document(atPath: 6) == nil)
      #expect(root["eventId"] != nil)
    }
    #expect(reader.document(atPath: 2) == nil)
    #expect(throws: SerdeError.self) { try reader.withDocument([0x7B].span.bytes) { _, _ in } }
    for text in ["[]", "7", "{}", "\"x\""] {
      try reader.withDocument(Array(text.utf8).span.bytes) { _, fields in
        #expect(fields.prefix(8).allSatisfy { $0.kind == .absent })
        #expect(reader.document(atPath: 2) == nil)
        #expect(reader.document(atPath: 8) != nil)
      }
    }
  }

  @Test("any set of names is found", arguments: UInt64(0)..<20)
  func manyNames(seed: UInt64) throws {
    var random = SeededRandom(seed)
    let names = Set(
      (0..<60).map { _ in
        String(
          (0..<Int.random(in: 0...12, using: &random)).map { _ in
            "abé".randomElement(using: &random) ?? "a"
          })
      }
    ).sorted()
    let present = names.filter { _ in Bool.random(using: &random) }.shuffled(using: &random)
    var writer = JSONWriter()
    writer.beginObject()
    for name in present {
      writer.name(dynamic: name)
      writer.value(name)
    }
    writer.endObject()
    let bytes = writer.finish()
    let reader = JSONFormat().makeReader(paths: names.map { [$0] })
    try reader.withDocument(bytes.span.bytes) { _, fields in
      for (name, slot) in zip(names, fields) {
        #expect((slot.kind != .absent) == present.contains(name))
        if slot.kind != .absent { #expect(reader.text(slot) == name) }
      }
    }
  }
}
