import JSONSerdes
import StreamCore
import Testing

@Suite("JSON serdes")
struct SerdeTests {
  let text = """
    {"orderId":"o \\"1\\"","currency":"EUR","items":[{"sku":"ä","quantity":2,"price":0.10}],\
    "placedAt":"2026-01-05T09:00:00.5Z"}
    """

  @Test("a fast type writes the bytes it read")
  func fast() throws {
    let serde = JSONSerde<OrderCreated>()
    #expect(serde.name == "json OrderCreated")
    let order = try serde.deserialize(Array(text.utf8).span.bytes)
    var bytes: [UInt8] = [7]
    try serde.serialize(order, into: &bytes)
    #expect(String(decoding: bytes, as: UTF8.self) == "\u{7}" + text)
  }

  @Test("a Codable type writes the same bytes, in declared order")
  func codable() throws {
    let serde = JSONSerde<CodableOrder>(typeName: "Order")
    #expect(serde.name == "json Order")
    var order = try serde.deserialize(Array(text.utf8).span.bytes)
    var bytes: [UInt8] = []
    try serde.serialize(order, into: &bytes)
    #expect(String(decoding: bytes, as: UTF8.self) == text)

    order.seenAt = Timestamp(milliseconds: 1)
    order.tags = ["b": 1, "a": 2, "c": 3]
    order.labels = ["z", "x", "y"]
    bytes = []
    try serde.serialize(order, into: &bytes)
    #expect(
      String(decoding: bytes, as: UTF8.self) == text.dropLast()
        + ",\"seenAt\":\"1970-01-01T00:00:00.001Z\",\"tags\":{\"a\":2,\"b\":1,\"c\":3}"
        + ",\"labels\":[\"x\",\"y\",\"z\"]}")
    #expect(try serde.deserialize(bytes.span.bytes) == order)
  }

  @Test(
    "Codable errors name the path",
    arguments: [
      (
        "{\"orderId\":\"o\",\"items\":[{\"sku\":\"a\",\"quantity\":1}],\"placedAt\":0}",
        "items[0].price: missing"
      ),
      (
        "{\"orderId\":\"o\",\"items\":[{\"sku\":7}],\"placedAt\":0}",
        "items[0].sku: expected a string, found a number"
      ),
      (
        "{\"orderId\":\"o\",\"items\":[],\"placedAt\":\"x\"}",
        "placedAt: not a time: give RFC 3339, epoch milliseconds, or epoch seconds with a fraction"
      ),
      ("[]", "expected an object, found an array"),
    ])
  func codableErrors(text: String, description: String) {
    let error = #expect(throws: SerdeError.self) {
      try JSONSerde<CodableOrder>().deserialize(Array(text.utf8).span.bytes)
    }
    #expect(error?.description == description)
  }

  enum Shape: Codable, Equatable {
    case circle(radius: Double)
    case label(String, Int)
  }

  class Base: Codable {
    var id = 1
  }

  final class Derived: Base {
    var name = "n"
    enum Keys: String, CodingKey { case name }
    override init() { super.init() }
    required init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Keys.self)
      name = try container.decode(String.self, forKey: .name)
      try super.init(from: container.superDecoder())
    }
    override func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Keys.self)
      try super.encode(to: container.superEncoder())
      try container.encode(name, forKey: .name)
    }
  }

  @Test("enums, nested arrays, optionals and classes survive Codable")
  func shapes() throws {
    func roundTrip<Value: Codable>(_ value: Value) throws -> (String, Value) {
      var writer = JSONWriter()
      try writer.value(codable: value)
      let bytes = writer.finish()
      let back = try JSONParser().withDocument(bytes.span.bytes) {
        try $0.decode(codable: Value.self)
      }
      return (String(decoding: bytes, as: UTF8.self), back)
    }
    let shapes = [Shape.circle(radius: 1.5), .label("a", 2)]
    let (text, back) = try roundTrip(shapes)
    #expect(text == "[{\"circle\":{\"radius\":1.5}},{\"label\":{\"_0\":\"a\",\"_1\":2}}]")
    #expect(back == shapes)
    #expect(try roundTrip([[1, nil], [], [nil]] as [[Int?]]).0 == "[[1,null],[],[null]]")
    #expect(try roundTrip([[1, nil], [], [nil]] as [[Int?]]).1 == [[1, nil], [], [nil]])
    #expect(try roundTrip(UInt64.max).0 == "18446744073709551615")
    #expect(try roundTrip(Int64.min).1 == .min)
    #expect(try roundTrip(Float(0.1)).0 == "0.1")
    #expect(try roundTrip(try Decimal(parsing: "0.10")).0 == "0.10")
    let derived = Derived()
    (derived.id, derived.name) = (7, "x")
    #expect(try roundTrip(derived).0 == "{\"super\":{\"id\":7},\"name\":\"x\"}")
    #expect(try roundTrip(derived).1.id == 7)
    #expect(throws: SerdeError.self) { try roundTrip(Double.nan) }
    #expect(throws: SerdeError.self) { try roundTrip([Float.infinity]) }
  }

  struct Interleaved: Encodable {
    enum Keys: String, CodingKey { case a, b }
    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Keys.self)
      var nested = container.nestedContainer(keyedBy: Keys.self, forKey: .a)
      try container.encode(1, forKey: .b)
      try nested.encode(2, forKey: .a)
    }
  }

  @Test("a container used after its parent has gone on is an error")
  func interleaved() {
    var writer = JSONWriter()
    #expect(throws: SerdeError.self) { try writer.value(codable: Interleaved()) }
  }

  @Test("the writer escapes what it must and no more")
  func escapes() {
    var writer = JSONWriter()
    writer.beginArray()
    writer.value("a\"b\\c/d\u{1}\u{1f}\u{7f}é\n\u{8}\u{c}\r\t")
    writer.value(Int64.min)
    writer.value(true)
    writer.null()
    writer.value("")
    writer.beginObject()
    writer.name(dynamic: "x\n")
    writer.value(1.5)
    writer.endObject()
    writer.endArray()
    #expect(
      String(decoding: writer.finish(), as: UTF8.self)
        == "[\"a\\\"b\\\\c/d\\u0001\\u001f\u{7f}é\\n\\b\\f\\r\\t\",-9223372036854775808,true,null,\"\",{\"x\\n\":1.5}]"
    )
  }

  @Test(
    "bytes are written as the text they are",
    arguments: [
      ([], ""), ([0x61], "a"), (Array("plain text of more than 16 bytes".utf8), nil),
      (Array("é, and a \"quote\" far behind".utf8), "é, and a \\\"quote\\\" far behind"),
      ([0x61, 0xFF, 0x62], "a\u{FFFD}b"), ([0x61, 0x62, 0x63, 0x0A], "abc\\n"),
    ] as [([UInt8], String?)])
  func bytes(utf8: [UInt8], expected: String?) {
    var writer = JSONWriter()
    writer.value(utf8: utf8.span.bytes)
    let text = expected ?? String(decoding: utf8, as: UTF8.self)
    #expect(String(decoding: writer.finish(), as: UTF8.self) == "\"\(text)\"")
  }

  struct Reading: JSONDecodable, JSONEncodable {
    var value: Double
    init(_ value: Double) { self.value = value }
    init(json: JSONView) throws { value = try json.double() }
    func encode(to writer: inout JSONWriter) { writer.value(value) }
  }

  @Test("a number without JSON fails the serde, not the process")
  func noNumber() throws {
    var bytes: [UInt8] = []
    #expect(throws: SerdeError.self) {
      try JSONSerde<Reading>().serialize(Reading(.infinity), into: &bytes)
    }
    bytes = []
    try JSONSerde<Reading>().serialize(Reading(0.1), into: &bytes)
    #expect(String(decoding: bytes, as: UTF8.self) == "0.1")
  }

  @Test("the canonical form compares names by bytes")
  func canonical() throws {
    #expect(
      try parse("{\"e\\u0301\":1,\"é\":2,\"a\":1.10}") == "{\"a\":1.1,\"e\u{301}\":1,\"é\":2}")
  }
}
