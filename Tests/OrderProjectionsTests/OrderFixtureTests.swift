import OrderProjections
import StreamCore
import Testing
import Topology
import TopologyTesting

/// What a guide's publisher emits, with one of each irregularity, and what must come of it.
@Suite struct OrderFixtureTests {
  static let fixture = [
    OrderRecord(
      "o-1", "ORDER_CREATED",
      """
      {"orderId":"o-1","customerId":"c-1","totalAmount":12345.67,"items":[{"sku":"A","qty":2}],\
      "occurredAt":"2026-01-05T09:00:00Z","aggregateId":"o-1","version":1,\
      "eventType":"ORDER_CREATED"}
      """),
    OrderRecord(
      "o-2", "ORDER_CREATED",
      """
      {"orderId":"o-2","customerId":"c-1","totalAmount":0.10,"occurredAt":1767603660.500000000}
      """),
    confirmed("o-1", id: "e3", at: "2026-01-05T09:05:00Z"),
    confirmed("o-1", id: "e3", at: "2026-01-05T09:05:00Z"),
    confirmed("o-3", id: "e5", at: "2026-01-05T09:06:00Z"),
    OrderRecord("o-2", nil, version: nil, "{\"orderId\":\"o-2\"}"),
    OrderRecord(
      "o-2", "ORDER_SHIPPED", id: "e7",
      "{\"orderId\":\"o-2\",\"occurredAt\":\"2026-01-05T09:10:00Z\"}"),
    OrderRecord("o-4", "ORDER_CREATED", version: "99", id: "e8", "{\"orderId\":\"o-4\"}"),
    OrderRecord(
      "o-3", "ORDER_CREATED", id: "e9",
      """
      {"orderId":"o-3","customerId":"c-2","totalAmount":5,"occurredAt":"2026-01-05T09:00:30Z"}
      """),
  ]

  private static func confirmed(_ order: String, id: String, at time: String) -> OrderRecord {
    OrderRecord(
      order, "ORDER_CONFIRMED", id: id,
      "{\"orderId\":\"\(order)\",\"confirmedBy\":\"staff-7\",\"occurredAt\":\"\(time)\"}")
  }

  private static let first = """
    {"orderId":"o-1","customerId":"c-1","items":[{"sku":"A","qty":2}],"totalAmount":12345.67,\
    "currency":"EUR","status":"CONFIRMED","createdAt":"2026-01-05T09:00:00Z",\
    "updatedAt":"2026-01-05T09:05:00Z","sequenceNumber":null}
    """

  private static func second(_ status: String, at time: String) -> String {
    """
    {"orderId":"o-2","customerId":"c-1","items":[],"totalAmount":0.10,"currency":"EUR",\
    "status":"\(status)","createdAt":"2026-01-05T09:01:00.5Z","updatedAt":"\(time)",\
    "sequenceNumber":null}
    """
  }

  private static func third(_ status: String, at time: String) -> String {
    """
    {"orderId":"o-3","customerId":"c-2","items":[],"totalAmount":5,"currency":"EUR",\
    "status":"\(status)","createdAt":"2026-01-05T09:00:30Z","updatedAt":"\(time)",\
    "sequenceNumber":null}
    """
  }

  @Test(
    "the fixture, by policy, with and without a handler and the audit trail, however it is cut",
    arguments: [MissingRowPolicy.holdUntilCreated, .ignore], [1, 3, .max])
  func fixture(missing: MissingRowPolicy, commitEvery: Int) throws {
    for (handlesShipping, keepsAudit) in [(false, false), (false, true), (true, false)] {
      var options = OrderProjectionsOptions()
      options.missingRow = missing
      options.handlesShipping = handlesShipping
      options.keepsAudit = keepsAudit
      let driver = try TopologyTestDriver(orderProjections(options), commitEvery: commitEvery)
      try driver.send(Self.fixture)

      let holds = missing == .holdUntilCreated
      #expect(
        try driver.rows("orders") == [
          "o-1": Self.first,
          "o-2": handlesShipping
            ? Self.second("SHIPPED", at: "2026-01-05T09:10:00Z")
            : Self.second("CREATED", at: "2026-01-05T09:01:00.5Z"),
          "o-3": holds
            ? Self.third("CONFIRMED", at: "2026-01-05T09:06:00Z")
            : Self.third("CREATED", at: "2026-01-05T09:00:30Z"),
        ])
      let counters = driver.counters
      // With the audit trail an update without a row is applied there.
      let ignoredUpdate = holds || keepsAudit ? 0 : 1
      #expect(counters["consumed"] == 9)
      #expect(counters["applied"] == 5 + (handlesShipping ? 1 : 0) - Int64(ignoredUpdate))
      #expect(counters["duplicate"] == 1)
      #expect(counters["deadLettered"] == 2)
      #expect(counters["deadLettered{decode}"] == 1)
      #expect(counters["deadLettered{unknownVersion}"] == 1)
      #expect(counters["ignored{unknownType}"] == (handlesShipping ? nil : 1))
      #expect(counters["ignored{missingRow}"] == (holds ? nil : 1))
      #expect(counters["held"] == nil)
    }
  }

  @Test func fixtureSurvivesACrashAfterEachRecord() throws {
    let undisturbed = try TopologyTestDriver(orderProjections())
    try undisturbed.send(Self.fixture)
    for taken in 0...Self.fixture.count {
      let driver = try TopologyTestDriver(orderProjections())
      try driver.append(Self.fixture.map(\.producerRecord), to: "order-events")
      try driver.process(taken)
      try driver.crash()
      try driver.run()
      #expect(try driver.rows("orders") == undisturbed.rows("orders"), "after \(taken)")
      #expect(driver.counters == undisturbed.counters, "after \(taken)")
    }
  }

  @Test func deadLettersAreComplete() throws {
    let driver = try TopologyTestDriver(orderProjections())
    try driver.send(Self.fixture)
    let letters = try driver.deadLetters()
    try #require(letters.count == 2)
    #expect(letters[0].reason == "decode")
    #expect(letters[0].message.contains("eventType"))
    #expect(letters[0].record.offset == 5)
    #expect(letters[0].record.headers.isEmpty)
    #expect(letters[0].record.value == Array("{\"orderId\":\"o-2\"}".utf8))
    #expect(letters[1].reason == "unknownVersion")
    #expect(letters[1].record.topicPartition == TopicPartition("order-events", 0))
    #expect(letters[1].record.key == Array("o-4".utf8))
    #expect(letters[1].record.headers.contains(Header("schemaVersion", "99")))
  }

  @Test("an audit row is one line: texts of the envelope in JSON, the payload as it came")
  func auditRow() throws {
    let driver = try TopologyTestDriver(orderProjections())
    try driver.send([
      OrderRecord(
        "o-1", "ORDER_CREATED", id: "q\"1\\é",
        "{\r\n\"orderId\":\"o-1\",\n \"customerId\":\"c-1\",\"totalAmount\":1.0,"
          + "\"occurredAt\":\"2026-01-05T10:00:00+01:00\"}")
    ])
    #expect(
      try Array(driver.rows("order-events-by-aggregate").values) == [
        "{\"sequenceNumber\":null,\"eventId\":\"q\\\"1\\\\é\",\"eventType\":\"ORDER_CREATED\","
          + "\"schemaVersion\":1,\"occurredAt\":\"2026-01-05T09:00:00Z\",\"correlationId\":null,"
          + "\"payload\":{\"orderId\":\"o-1\", \"customerId\":\"c-1\",\"totalAmount\":1.0,"
          + "\"occurredAt\":\"2026-01-05T10:00:00+01:00\"}}"
      ])
  }
}
