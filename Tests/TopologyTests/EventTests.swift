import JSONSerdes
import StreamCore
import Testing
import Topology
import TopologyTesting

/// Events in JSON: envelopes, dispatch, versions.
@Suite("Events")
struct EventTests {
  private func driver(
    _ envelope: Envelope = .either, unknownType: UnknownTypePolicy = .ignore,
    policies: SourcePolicies = SourcePolicies()
  ) throws -> TopologyTestDriver {
    let builder = StreamsBuilder("events")
    builder.events(
      "in", format: JSONFormat(),
      types: EventTypes<JSONView, String>(unknownType: unknownType)
        .on("SET", version: 3) { json, _ in try json["v3"]?.string() ?? "none" }
        .upcast("SET", from: 1) { json, bytes in
          bytes += Array("{\"v2\":\"\(try json["v1"]?.string() ?? "")2\"}".utf8)
        }
        .upcast("SET", from: 2) { json, bytes in
          bytes += Array("{\"v3\":\"\(try json["v2"]?.string() ?? "")3\"}".utf8)
        },
      envelope: envelope, policies: policies
    )
    .groupByKey().aggregate(into: "", named: "texts", as: StringSerde()) { $0 += $1 + "." }
    .view()
    return try TopologyTestDriver(try builder.build())
  }

  struct Sent: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let headers: [(String, String)]
    let value: String
    let row: String?
    let counter: String

    init(
      _ description: String, _ headers: [(String, String)],
      _ value: String, row: String?, _ counter: String = "applied"
    ) {
      testDescription = description
      self.headers = headers
      self.value = value
      self.row = row
      self.counter = counter
    }
  }

  static let sent: [Sent] = [
    Sent(
      "flat, by headers", [("eventType", "SET"), ("schemaVersion", "3")], "{\"v3\":\"x\"}",
      row: "x."),
    Sent(
      "nested, by fields", [],
      "{\"eventType\":\"SET\",\"schemaVersion\":3,\"payload\":{\"v3\":\"x\"}}", row: "x."),
    Sent(
      "a missing version is 1, and is upcast twice", [("eventType", "SET")], "{\"v1\":\"x\"}",
      row: "x23."),
    Sent(
      "version 2 is upcast once", [("eventType", "SET"), ("schemaVersion", "2")], "{\"v2\":\"x\"}",
      row: "x3."),
    Sent(
      "the last header of a name counts",
      [("eventType", "NO"), ("eventType", "SET"), ("schemaVersion", "3")], "{\"v3\":\"x\"}",
      row: "x."),
    Sent(
      "a header beats a field", [("eventType", "SET"), ("schemaVersion", "3")],
      "{\"eventType\":\"NO\",\"v3\":\"x\"}", row: "x."),
    Sent(
      "unknown fields are ignored", [("eventType", "SET"), ("schemaVersion", "3")],
      "{\"new\":{\"a\":[1e400]},\"v3\":\"x\"}", row: "x."),
    Sent(
      "a version of the future", [("eventType", "SET"), ("schemaVersion", "4")], "{}", row: nil,
      "deadLettered{unknownVersion}"),
    Sent("an unknown type", [("eventType", "OTHER")], "{}", row: nil, "ignored{unknownType}"),
    Sent("no type", [], "{\"v3\":\"x\"}", row: nil, "deadLettered{decode}"),
    Sent("cut JSON", [("eventType", "SET")], "{\"v3\":\"x\"", row: nil, "deadLettered{decode}"),
    Sent(
      "invalid UTF-8 in a name is no JSON", [("eventType", "SET")], "{\"\u{0}", row: nil,
      "deadLettered{decode}"),
    Sent(
      "a sequence number of a wrong type", [("eventType", "SET")],
      "{\"sequenceNumber\":\"many\",\"v1\":\"x\"}", row: nil,
      "deadLettered{decode}"),
    Sent(
      "a version of a wrong type", [("eventType", "SET"), ("schemaVersion", "one")], "{}", row: nil,
      "deadLettered{decode}"),
    Sent(
      "another aggregate than the key", [("eventType", "SET"), ("schemaVersion", "3")],
      "{\"aggregateId\":\"other\",\"v3\":\"x\"}", row: "x.", "keyMismatch"),
  ]

  @Test("an event is found, upcast and applied, or set aside with its reason", arguments: sent)
  func event(_ sent: Sent) throws {
    let driver = try driver()
    try driver.append(
      [
        ProducerRecord(
          key: Array("k".utf8), value: Array(sent.value.utf8),
          headers: sent.headers.map { Header($0.0, $0.1) })
      ], to: "in")
    try driver.run()
    #expect(try driver.row("texts", key: "k") == sent.row)
    #expect(driver.counters[sent.counter] == 1)
    #expect(driver.counters["consumed"] == 1)
  }

  @Test("null keys and null values follow their policies")
  func nulls() throws {
    let driver = try driver()
    try driver.send("{\"v1\":\"x\"}", key: nil, headers: ["eventType": "SET"], to: "in")
    try driver.send(nil, key: "k", headers: ["eventType": "SET"], to: "in")
    #expect(
      driver.counters == [
        "consumed": 2, "deadLettered": 2, "deadLettered{nullKey}": 1, "deadLettered{tombstone}": 1,
      ])
  }

  @Test(
    "a tombstone follows its policy",
    arguments: [
      (TombstonePolicy.deadLetter, nil, "deadLettered{tombstone}"),
      (.ignore, nil, "ignored{tombstone}"), (.event("SET"), "none.", "applied"),
    ] as [(TombstonePolicy, String?, String)])
  func tombstones(policy: TombstonePolicy, row: String?, counter: String) throws {
    let driver = try driver(policies: SourcePolicies(tombstone: policy))
    let headers: KeyValuePairs = ["eventId": "1", "schemaVersion": "3", "eventType": "OTHER"]
    try driver.send(nil, key: "k", headers: headers, to: "in")
    #expect(try driver.row("texts", key: "k") == row)
    #expect(driver.counters[counter] == 1)
    try driver.send(nil, key: "k", headers: headers, to: "in")
    #expect(driver.counters["duplicate"] == 1)
  }

  /// Policies, and the key, id and value of a record that they do not let pass.
  static let failing: [(SourcePolicies, key: String?, id: String, value: String)] = [
    (SourcePolicies(nullKey: .fail), nil, "2", "{\"v3\":\"y\",\"aggregateId\":\"k\"}"),
    (SourcePolicies(keyMismatch: .fail), "k", "2", "{\"v3\":\"y\",\"aggregateId\":\"l\"}"),
    (SourcePolicies(conflict: .fail), "k", "1", "{\"v3\":\"y\"}"),
  ]

  @Test("a key or id whose policy is fail stops before its record", arguments: failing)
  func failingKeys(
    _ policies: SourcePolicies, key: String?, id: String, value: String
  ) throws {
    let driver = try driver(policies: policies)
    func send(_ value: String, key: String?, id: String) throws {
      try driver.send(
        value, key: key, headers: ["eventType": "SET", "schemaVersion": "3", "eventId": id],
        to: "in")
    }
    try send("{\"v3\":\"x\"}", key: "k", id: "1")
    for _ in 0..<2 {
      let error = #expect(throws: TaskError.self) { try send(value, key: key, id: id) }
      #expect(error?.code == .recordFailed)
      #expect(error?.offset == 1)
      try driver.crash()
      #expect(driver.counters == ["consumed": 1, "applied": 1])
    }
    #expect(try driver.rows("texts") == ["k": "x."])
  }

  @Test("a foreign envelope is mapped, prefixes taken off")
  func foreignEnvelope() throws {
    var envelope = Envelope(payload: .path("body.data"))
    envelope.eventID = [.path("meta.messageId")]
    envelope.eventType = [.path("meta.kind").strippingPrefix("order/")]
    envelope.aggregateID = [.path("subject.userId").strippingPrefix("PERSON ")]
    envelope.schemaVersion = [.path("meta.v")]
    let driver = try driver(envelope)
    let value = """
      {"meta":{"messageId":"m1","kind":"order/SET","v":3},"subject":{"userId":"PERSON k"},\
      "body":{"data":{"v3":"x"}}}
      """
    try driver.send(value, key: "k", to: "in")
    try driver.send(value, key: "k", to: "in")
    #expect(try driver.row("texts", key: "k") == "x.")
    #expect(driver.counters == ["consumed": 2, "applied": 1, "duplicate": 1])
  }

  @Test("a redelivery in other bytes is a conflict, however little they differ")
  func rewritten() throws {
    let driver = try driver()
    for value in [
      "{\"v3\":\"x\",\"amount\":1.50}", "{ \"amount\": 1.5, \"v3\": \"x\" }", "{\"v3\":\"y\"}",
    ] {
      try driver.send(
        value, key: "k", headers: ["eventId": "1", "eventType": "SET", "schemaVersion": "3"],
        to: "in")
    }
    #expect(try driver.row("texts", key: "k") == "x.")
    #expect(
      driver.counters == ["consumed": 3, "applied": 1, "duplicate": 2, "duplicate{conflict}": 2])
  }

  @Test("records without a readable envelope are kept apart, each under its position")
  func unreadable() throws {
    let driver = try driver()
    for _ in 0..<2 {
      try driver.send("{cut", key: "k", headers: ["eventType": "SET"], to: "in")
    }
    #expect(driver.counters == ["consumed": 2, "deadLettered": 2, "deadLettered{decode}": 2])
    #expect(try driver.deadLetters().map(\.record.offset) == [0, 1])
  }

  /// "An id of no bytes is no id: the next rule of the chain is asked."
  @Test("an empty event id is none, in a header, a field, or behind a prefix")
  func emptyID() throws {
    let driver = try driver(
      Envelope(
        payload: .either,
        eventID: [
          .header("eventId"), .path("eventId"), .header("other").strippingPrefix("id "), .position,
        ]))
    let value = "{\"eventType\":\"SET\",\"schemaVersion\":3,\"eventId\":\"\",\"v3\":\"x\"}"
    for _ in 0..<2 {
      try driver.send(value, key: "k", headers: ["eventId": "", "other": "id "], to: "in")
    }
    #expect(try driver.row("texts", key: "k") == "x.x.")
    for _ in 0..<2 {
      try driver.send(value, key: "k", headers: ["eventId": "", "other": "id 7"], to: "in")
    }
    #expect(try driver.row("texts", key: "k") == "x.x.x.")
  }

  @Test("a composed id has the aggregate's type before it: two types number alike")
  func composedID() throws {
    let driver = try driver()
    func send(_ type: String?) throws {
      let field = type.map { "\"aggregateType\":\"\($0)\"," } ?? ""
      try driver.send(
        "{\"eventType\":\"SET\",\"schemaVersion\":3,\(field)\"sequenceNumber\":1,\"v3\":\"x\"}",
        key: "k", to: "in")
    }
    for type in [nil, "Order", "Payment", "Order", nil, ""] as [String?] { try send(type) }
    // The empty type is none: the same id as without one, with another content.
    #expect(try driver.row("texts", key: "k") == "x.x.x.")
    let conflicts = driver.counters["deadLettered{conflict}"] ?? 0
    #expect(conflicts + (driver.counters["duplicate"] ?? 0) == 3)
  }

  @Test("an envelope may read any number of headers")
  func manyHeaders() throws {
    let rules = (0..<40).map { Envelope.Rule.header("h\($0)") }
    let driver = try driver(
      Envelope(payload: .either, eventID: rules + [.position], eventType: [.header("h39")]))
    for _ in 0..<2 {
      try driver.send(
        "{\"schemaVersion\":3,\"v3\":\"x\"}", key: "k", headers: ["h39": "SET", "h38": "1"],
        to: "in")
    }
    #expect(try driver.row("texts", key: "k") == "x.")
  }

  @Test("a time outside the years 0000 to 9999 is a decode failure")
  func outsideCalendar() throws {
    let driver = try driver()
    func send(_ time: Int64) throws {
      try driver.send(
        "{\"schemaVersion\":3,\"v3\":\"x\"}", key: "k", headers: ["eventType": "SET"],
        at: Timestamp(milliseconds: time), to: "in")
    }
    try send(1_000)
    for time in [Timestamp.latest.milliseconds + 1, .max, .min] { try send(time) }
    #expect(driver.counters["deadLettered{decode}"] == 3)
    #expect(try driver.row("texts", key: "k") == "x.")
  }
}
