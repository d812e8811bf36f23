import JSONSerdes
import StreamCore
import Testing

private func withRoot<Result>(
  _ text: String, _ body: (JSONView) throws -> Result
) throws -> Result {
  try JSONParser().withDocument(Array(text.utf8).span.bytes, body)
}

private let order = """
  {"orderId":"o-1","extra":{"a":[1,{"b":2}]},"items":[{"sku":"a","quantity":2,"price":12.50},\
  {"quantity":1,"price":"0.10","sku":"b\\u0041"}],"placedAt":"2026-01-05T10:00:00+01:00"}
  """

@Suite("JSON views")
struct ViewTests {
  @Test("a typed decoder reads members in any order and ignores others")
  func typed() throws {
    let order = try withRoot(order) { try OrderCreated(json: $0) }
    #expect(order.orderID == "o-1")
    #expect(order.currency == nil)
    #expect(order.items.map(\.sku) == ["a", "bA"])
    #expect(order.items.map(\.price.description) == ["12.50", "0.10"])
    #expect(order.placedAt == Instant(seconds: 1_767_603_600))
  }

  @Test(
    "an error names the path of its field",
    arguments: [
      (
        "{\"payload\":{\"items\":[{},{},{\"quantity\":\"x\"}]}}",
        "payload.items[2].quantity: expected a whole number, found a string"
      ),
      (
        "{\"payload\":{\"items\":[{\"quantity\":1},{},{\"quantity\":1.5}]}}",
        "payload.items[2].quantity: expected a whole number of 64 bits"
      ),
      (
        "{\"payload\":{\"items\":[{},{},{\"a\":[],\"quantity\":null}]}}",
        "payload.items[2].quantity: expected a whole number, found null"
      ),
      ("{\"payload\":{\"items\":[{},{},{}]}}", "payload.items[2].quantity: missing"),
      (
        "{\"payload\":{\"items\":[{},{},9]}}",
        "payload.items[2]: expected an object, found a number"
      ),
    ])
  func paths(text: String, description: String) throws {
    let error = #expect(throws: SerdeError.self) {
      try withRoot(text) { root in
        let items = Array(try root.field("payload").field("items").elements())
        return try items[2].field("quantity").int64()
      }
    }
    #expect(error?.description == description)
  }

  @Test("absent and null differ")
  func absent() throws {
    try withRoot("{\"a\":null}") { (root) throws in
      #expect(root["a"]?.isNull == true)
      #expect(root["b"] == nil)
      #expect(try root.field("a").decode(String?.self) == nil)
      #expect(root[dynamic: "a"]?.kind == .null)
    }
  }

  @Test("of several members of one name the last counts, escaped or not")
  func duplicates() throws {
    try withRoot("{\"a\":1,\"\\u0061\":2,\"b\":3}") { root in
      #expect(try root.field("a").int64() == 2)
      #expect(try root.decode([String: Int].self) == ["a": 2, "b": 3])
      var last = 0
      for member in try root.members() {
        switch member.name {
        case "a": last = try member.value.decode()
        default: break
        }
      }
      #expect(last == 2)
    }
  }

  @Test(
    "whole numbers are read by value, or refused",
    arguments: [
      ("0", 0), ("-0", 0), ("9223372036854775807", .max), ("-9223372036854775808", .min),
      ("1E+2", 100), ("100.00", 100), ("999999999999999999", 999_999_999_999_999_999),
      ("1000000000000000000", 1_000_000_000_000_000_000), ("9223372036854775808", nil),
      ("1.5", nil), ("1e400", nil), ("\"1\"", nil), ("true", nil),
    ] as [(String, Int64?)])
  func integers(text: String, value: Int64?) throws {
    if let value {
      #expect(try withRoot(text) { try $0.int64() } == value)
    } else {
      #expect(throws: SerdeError.self) { try withRoot(text) { try $0.int64() } }
    }
    #expect(throws: SerdeError.self) { try withRoot("300") { try $0.integer(UInt8.self) } }
  }

  @Test(
    "a time in every form of a payload",
    arguments: [
      "\"2026-01-05T09:00:00Z\"", "\"2026-01-05T10:00:00+01:00\"",
      "\"2026-01-05T10:00:00+01:00[Europe/Berlin]\"", "\"2026-01-05T10:00:00\"", "1767603600000",
      "1767603600.000000000", "\"1767603600000\"",
    ])
  func times(text: String) throws {
    let zone = FixedOffset(seconds: 3600)
    let instant = try withRoot(text) { try $0.instant(zone: zone) }
    #expect(instant == Instant(seconds: 1_767_603_600))
    #expect(try withRoot(text) { try $0.timestamp(zone: zone) } == Timestamp(instant))
  }

  @Test(
    "a value of another type is an error",
    arguments: ["{}", "[]", "null", "true", "\"x\"", "1.5"])
  func mismatches(text: String) throws {
    try withRoot(text) { root in
      if text != "\"x\"" { #expect(throws: SerdeError.self) { try root.string() } }
      if text != "true" { #expect(throws: SerdeError.self) { try root.bool() } }
      if text != "1.5" {
        #expect(throws: SerdeError.self) { try root.decimal() }
        #expect(throws: SerdeError.self) { try root.instant() }
        #expect(throws: SerdeError.self) { try root.double() }
      }
      if text != "{}" { #expect(throws: SerdeError.self) { _ = try root.members() } }
      if text != "[]" { #expect(throws: SerdeError.self) { _ = try root.elements() } }
    }
    #expect(throws: SerdeError.self) { try withRoot("1e400") { try $0.double() } }
    #expect(try withRoot("0.30000000000000000000") { try $0.double() } == 0.3)
  }

  @Test(
    "a short number is the double that its text is read as",
    arguments: [
      "0", "-0", "0.0", "-0.5", "120.5", "99.50", "0.1", "123456789012345", "-0.000000000000001",
      "9007199254740993", "0.30000000000000004", "999999999999999", "99999999999999.9", "1e3",
    ])
  func doubles(text: String) throws {
    let number = try withRoot(text) { try $0.double() }
    #expect(number == Double(text) && number.sign == Double(text)?.sign)
  }

  @Test("short numbers at random are the doubles that their texts are read as")
  func randomDoubles() throws {
    var random = SeededRandom(15)
    for _ in 0..<2000 {
      let scale = Int.random(in: 1...15, using: &random)
      let digits = String(Int64.random(in: 0..<1_000_000_000_000_000, using: &random))
      let padded = String(repeating: "0", count: 16 - digits.count) + digits
      let fraction = padded.suffix(scale)
      let whole = padded.dropLast(scale).drop { $0 == "0" }
      let text = (whole.isEmpty ? "0" : String(whole)) + "." + fraction
      #expect(try withRoot(text) { try $0.double() } == Double(text))
    }
  }

  @Test("a value's bytes are those of the text")
  func rawBytes() throws {
    try withRoot("{\"a\" : [1 , 2 ] , \"b\":\"x\" }") { (root) throws in
      #expect(try String(decoding: root.field("a").json, as: UTF8.self) == "[1 , 2 ]")
      #expect(try String(decoding: root.field("b").json, as: UTF8.self) == "\"x\"")
      #expect(try root.field("b").slot == FieldSlot(kind: .string, range: 23..<24))
    }
  }

  @Test("a view used after its parse ends the process")
  func escaped() async {
    await #expect(processExitsWith: .failure) {
      let parser = JSONParser()
      let view = try parser.withDocument([0x31, 0x32].span.bytes) { $0 }
      _ = try view.int64()
    }
    await #expect(processExitsWith: .failure) {
      var view: JSONView?
      try JSONParser().withDocument([0x31, 0x32].span.bytes) { view = $0 }
      // The next parser may get the same block: its parse is another one.
      try JSONParser().withDocument([0x31, 0x32].span.bytes) { _ in _ = try view?.int64() }
    }
  }
}
