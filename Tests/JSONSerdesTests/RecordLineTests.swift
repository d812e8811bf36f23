import JSONSerdes
import StreamCore
import Testing

@Suite("Records as lines")
struct RecordLineTests {
  private func parse(_ line: String, number: Int = 1) throws -> ProducerRecord {
    try RecordLineParser().record(from: Array(line.utf8).span.bytes, number: number)
  }

  @Test(
    "values are bytes as they stand",
    arguments: [
      ("{\"value\":null}", nil), ("{\"value\":\"a\\u00e9\"}", "aé"),
      ("{\"value\": {\"a\" : 1.0 } }", "{\"a\" : 1.0 }"),
      ("{\"value\":1.50}", "1.50"), ("{\"value\":true}", "true"), ("{\"value\":[]}", "[]"),
      ("{\"valueBase64\":\"AP8=\"}", "\u{0}\u{ff}"), ("{\"valueBase64\":\"\"}", ""),
      ("{\"value\":\"\"}", ""),
    ] as [(String, String?)])
  func values(line: String, value: String?) throws {
    let expected = value.map { $0 == "\u{0}\u{ff}" ? [0, 255] : Array($0.utf8) }
    #expect(try parse(line).value == expected)
    #expect(try parse(line).key == nil)
  }

  @Test("keys, headers and timestamps")
  func parts() throws {
    let record = try parse(
      """
      {"key":"k","headers":{"a":"1","b":null,"c":{"base64":"/w=="}},"timestamp":1500,\
      "topic":"t","partition":3,"offset":7,"value":null}
      """)
    #expect(
      record
        == ProducerRecord(
          key: [0x6B], value: nil,
          headers: [Header("a", "1"), Header("b", nil), Header("c", [255])],
          timestamp: Timestamp(milliseconds: 1500)))
    let other = try parse(
      "{\"keyBase64\":\"/w==\",\"headers\":[[\"a\",\"1\"],[\"a\",\"2\"]],\"timestamp\":\"1970-01-01T00:00:01.5Z\",\"value\":1}"
    )
    #expect(other.key == [255])
    #expect(other.headers == [Header("a", "1"), Header("a", "2")])
    #expect(other.timestamp == Timestamp(milliseconds: 1500))
    let placed = try RecordLineParser(keepsPartitions: true).record(
      from: Array("{\"value\":1,\"partition\":3}".utf8).span.bytes, number: 1)
    #expect(placed.partition == 3)
  }

  @Test(
    "a bad line names its number and the place",
    arguments: [
      ("{\"key\":\"k\"}", "line 7: no value: a tombstone is written \"value\":null"),
      ("{\"key\":1,\"value\":1}", "line 7: key: expected a string, found a number"),
      ("{\"value\":1,\"valueBase64\":\"\"}", "line 7: more than one value"),
      ("{\"key\":\"a\",\"keyBase64\":\"\",\"value\":1}", "line 7: more than one key"),
      ("{\"val\":1}", "line 7: val: no member of a record line has this name"),
      ("{\"valueBase64\":\"A\"}", "line 7: valueBase64: Base64 has four characters a group"),
      ("{\"valueBase64\":\"A-==\"}", "line 7: valueBase64: not a Base64 character"),
      ("{\"valueBase64\":\"AB==\"}", "line 7: valueBase64: Base64 with bits left over"),
      ("{\"value\":1,\"headers\":[[\"a\"]]}", "line 7: headers[0]: a header is [name, value]"),
      ("{\"value\":1,\"headers\":{\"a\":{\"b\":1}}}", "line 7: headers.a.base64: missing"),
      (
        "{\"value\":1,\"headers\":{\"a\":1}}",
        "line 7: headers.a: expected a string, found a number"
      ),
      ("{\"value\":1,\"timestamp\":1.5}", "line 7: timestamp: expected a whole number of 64 bits"),
      ("{\"value\":1,\"partition\":-1}", "line 7: partition: partitions are counted from 0"),
      ("[1]", "line 7: expected an object, found an array"),
      ("{\"value\":1", "line 7: not JSON: neither comma nor brace after a value, at byte 10"),
    ])
  func errors(line: String, description: String) {
    let error = #expect(throws: RecordLineError.self) { try parse(line, number: 7) }
    #expect(error?.description == description)
  }

  @Test(
    "values are printed as JSON, string or Base64",
    arguments: [
      ("{\"a\" : 1.0}", "\"value\":{\"a\" : 1.0}"), ("[1,2]", "\"value\":[1,2]"),
      ("12", "\"value\":\"12\""), ("null", "\"value\":\"null\""),
      ("[1],[2]", "\"value\":\"[1],[2]\""),
      ("{\"a\":\n1}", "\"value\":\"{\\\"a\\\":\\n1}\""), ("{} ", "\"value\":\"{} \""),
      ("{]", "\"value\":\"{]\""),
      ("", "\"value\":\"\""),
    ])
  func printing(value: String, printed: String) {
    var bytes: [UInt8] = []
    let record = ConsumerRecord(
      topicPartition: TopicPartition("t", 2), offset: 5, timestamp: Timestamp(milliseconds: 0),
      key: nil, value: Array(value.utf8), headers: [])
    RecordLinePrinter().append(record, to: &bytes)
    #expect(
      String(decoding: bytes, as: UTF8.self)
        == "{\"topic\":\"t\",\"partition\":2,\"offset\":5,\"timestamp\":\"1970-01-01T00:00:00Z\",\"key\":null,\(printed)}\n"
    )
  }

  /// Bytes of many kinds: random, text, JSON with white space, JSON too deep for a line.
  private func randomBytes(_ random: inout SeededRandom) -> [UInt8]? {
    let samples = [
      "{\"a\":[1, 2 ,{}]}", "[\"\\u0000\"]", " {}", "{}\n", "\"x\"", "é\u{301}", "\r\n", "[1],[2]",
      String(repeating: "[", count: 1023) + String(repeating: "]", count: 1023),
      String(repeating: "[", count: 1024) + String(repeating: "]", count: 1024), "{\"a\":\u{85}1}",
    ]
    switch Int.random(in: 0..<5, using: &random) {
    case 0: return nil
    case 1:
      let count = Int.random(in: 0..<20, using: &random)
      return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    case 2:
      let count = Int.random(in: 0..<20, using: &random)
      return (0..<count).map { _ in Array("{}[]\":, \n\\1".utf8).randomElement(using: &random) ?? 0
      }
    default: return Array((samples.randomElement(using: &random) ?? "").utf8)
    }
  }

  @Test("what is printed is read back as the same record", arguments: UInt64(0)..<40)
  func roundTrip(seed: UInt64) throws {
    var random = SeededRandom(seed)
    let printer = RecordLinePrinter()
    var records: [ProducerRecord] = []
    var bytes: [UInt8] = []
    for offset in 0..<50 {
      let headers = (0..<Int.random(in: 0..<4, using: &random)).map { _ in
        Header(["a", "b", "é", ""].randomElement(using: &random) ?? "", randomBytes(&random))
      }
      let record = ProducerRecord(
        key: randomBytes(&random), value: randomBytes(&random), headers: headers,
        timestamp: Timestamp(
          milliseconds: Bool.random(using: &random)
            ? Int64.random(in: .min ... .max, using: &random)
            : Int64.random(in: -1 << 40...1 << 41, using: &random)))
      records.append(record)
      printer.append(
        ConsumerRecord(
          topicPartition: TopicPartition("t\"", 0), offset: Int64(offset),
          timestamp: record.timestamp, key: record.key, value: record.value,
          headers: record.headers), to: &bytes)
    }
    var back: [ProducerRecord] = []
    let parser = RecordLineParser()
    var splitter = LineSplitter()
    var position = 0
    while position < bytes.count {
      let end = min(bytes.count, position + Int.random(in: 1...3000, using: &random))
      try splitter.feed(Array(bytes[position..<end])) { line, number in
        back.append(try parser.record(from: line.span.bytes, number: number))
        #expect(number == back.count)
      }
      position = end
    }
    splitter.finish { _, _ in Issue.record("a line without end") }
    #expect(back == records)
  }

  @Test("lines are numbered from 1, blank ones too; the last needs no end")
  func lines() {
    var splitter = LineSplitter()
    var lines: [String] = []
    for piece in ["a\n\n", "b", "c\r\n \n", "d"] {
      splitter.feed(Array(piece.utf8)) {
        lines.append("\($1):\(String(decoding: $0, as: UTF8.self))")
      }
    }
    splitter.finish { lines.append("\($1):\(String(decoding: $0, as: UTF8.self))") }
    #expect(lines == ["1:a", "3:bc\r", "5:d"])
  }
}
