import JSONSerdes
import OrderProjections
import StreamCore
import Testing
import Topology
import TopologyTesting

@Suite struct OrderProjectionsTests {
  @Test func confirmedOrder() throws {
    let driver = try TopologyTestDriver(orderProjections())
    try driver.send([.created("o-1", total: "12.50"), .update("ORDER_CONFIRMED", "o-1")])
    #expect(try driver.field("status", of: "o-1") == "CONFIRMED")
    #expect(try driver.field("totalAmount", of: "o-1") == "12.50")
    #expect(try driver.row("orders", key: "o-2") == nil)
  }

  @Test(
    "amounts survive exactly",
    arguments: [
      ("0.1", "0.1"), ("0.2", "0.2"), ("0.10", "0.10"), ("1E+2", "100"), ("12345.67", "12345.67"),
      ("123456789012345678901234567890.12", "123456789012345678901234567890.12"),
    ])
  func money(written: String, stored: String) throws {
    let driver = try TopologyTestDriver(orderProjections())
    try driver.send([.created("o-1", total: written)])
    #expect(try driver.field("totalAmount", of: "o-1") == stored)
  }

  @Test func sumsAreExact() throws {
    let builder = StreamsBuilder("sums")
    builder.stream("amounts", key: StringSerde(), value: JSONSerde<Decimal>())
      .groupByKey()
      .aggregate(into: Decimal.zero, named: "sums", as: JSONSerde<Decimal>()) {
        $0 = try $0 + $1
      }.view()
    let driver = try TopologyTestDriver(builder.build())
    for amount in ["0.1", "0.2"] { try driver.send(amount, key: "small", to: "amounts") }
    for amount in ["0.1", "0.2", "1E+2", "123456789012345678901234567890.12"] {
      try driver.send(amount, key: "all", to: "amounts")
    }
    #expect(
      try driver.rows("sums") == ["small": "0.3", "all": "123456789012345678901234567990.42"])
  }

  @Test(
    "the same time, however it is written",
    arguments: [
      "\"2026-01-05T09:00:00.5Z\"", "\"2026-01-05T10:00:00.500+01:00\"",
      "\"2026-01-05T10:00:00.5+01:00[Europe/Berlin]\"", "1767603600500",
      "1767603600.500000000",
    ])
  func timeFormats(time: String) throws {
    let driver = try TopologyTestDriver(orderProjections())
    try driver.send([.created("o-1", at: time)])
    #expect(try driver.field("createdAt", of: "o-1") == "2026-01-05T09:00:00.5Z")
  }

  @Test func handlersSeeTheLatestVersionOnly() throws {
    let driver = try TopologyTestDriver(orderProjections())
    func order(_ key: String, _ version: String?, _ currency: String) -> OrderRecord {
      OrderRecord(
        key, "ORDER_CREATED", version: version,
        """
        {"orderId":"\(key)","customerId":"c-1","totalAmount":1,"occurredAt":1767603600500\
        \(currency)}
        """)
    }
    try driver.send([
      order("v1", "1", ""), order("none", nil, ""), order("v2", "2", ",\"currency\":\"CHF\""),
      order("v2-bare", "2", ""), order("v99", "99", ",\"currency\":\"CHF\""),
    ])
    #expect(try driver.field("currency", of: "v1") == "EUR")
    #expect(try driver.field("currency", of: "none") == "EUR")
    #expect(try driver.field("currency", of: "v2") == "CHF")
    #expect(try driver.rows("orders").count == 3)
    #expect(try driver.deadLetters().map(\.reason) == ["decode", "unknownVersion"])
    #expect(try driver.deadLetters()[0].message.contains("currency"))
  }

  @Test(
    "poison amid good records: the policy decides, the rest goes on",
    arguments: [
      OrderRecord("p-1", nil, version: nil, "{\"orderId\":\"p-1\"}"),
      OrderRecord("p-1", "ORDER_CREATED", "{\"orderId\":\"p-1\""),
      OrderRecord("p-1", "ORDER_CREATED", "{\"orderId\":\"p-1\",\"occurredAt\":1767603600500}"),
    ],
    [ErrorPolicy.Action.deadLetter, .skip, .fail])
  func poison(record: OrderRecord, action: ErrorPolicy.Action) throws {
    var options = OrderProjectionsOptions()
    options.policies.decode = ErrorPolicy(action)
    let driver = try TopologyTestDriver(orderProjections(options))
    let records = [.created("o-1"), record, .created("o-2")]
    guard action == .fail else {
      try driver.send(records)
      #expect(try Set(driver.rows("orders").keys) == ["o-1", "o-2"])
      #expect(driver.counters["deadLettered"] == 1)
      #expect(try driver.deadLetters().count == (action == .skip ? 0 : 1))
      return
    }
    #expect(throws: (any Error).self) { try driver.send(records) }
    try driver.crash()
    #expect(throws: (any Error).self) { try driver.run() }
  }

  @Test("an update before its creation", arguments: MissingRowPolicy.allCases)
  func updateOfMissingRow(policy: MissingRowPolicy) throws {
    var options = OrderProjectionsOptions()
    options.missingRow = policy
    options.keepsAudit = false
    let driver = try TopologyTestDriver(orderProjections(options))
    try driver.send([.update("ORDER_CONFIRMED", "o-1")])
    let fate =
      switch policy {
      case .holdUntilCreated: "held"
      case .ignore: "ignored"
      case .upsert: "applied"
      case .deadLetter: "deadLettered"
      }
    #expect(driver.counters[fate] == 1)
    #expect(try driver.field("status", of: "o-1") == (policy == .upsert ? "CONFIRMED" : nil))

    try driver.send([.created("o-1", customer: "c-7")])
    let confirms = policy == .holdUntilCreated || policy == .upsert
    #expect(try driver.field("status", of: "o-1") == (confirms ? "CONFIRMED" : "CREATED"))
    #expect(try driver.field("customerId", of: "o-1") == "c-7")
    #expect(try driver.field("createdAt", of: "o-1") == "2026-01-05T09:00:00Z")
    guard policy == .deadLetter else { return }
    try driver.retryDeadLetters()
    #expect(try driver.field("status", of: "o-1") == "CONFIRMED")
    #expect(driver.counters["deadLettered"] == nil)
  }

  @Test("a type that nobody handles", arguments: UnknownTypePolicy.allCases)
  func unknownType(policy: UnknownTypePolicy) throws {
    var options = OrderProjectionsOptions()
    options.unknownType = policy
    options.handlesShipping = false
    let driver = try TopologyTestDriver(orderProjections(options))
    let records = [OrderRecord.created("o-1"), .update("ORDER_SHIPPED", "o-1"), .created("o-2")]
    if policy == .fail {
      #expect(throws: (any Error).self) { try driver.send(records) }
      return
    }
    try driver.send(records)
    #expect(try driver.field("status", of: "o-1") == "CREATED")
    #expect(driver.counters["applied"] == 2)
    #expect(driver.counters[policy == .deadLetter ? "deadLettered{unknownType}" : "ignored"] == 1)
    #expect(driver.messages.contains { $0.contains("ORDER_SHIPPED") } == (policy != .ignore))
  }

  @Test func sequenceAnomaliesAreCountedAndApplied() throws {
    let driver = try TopologyTestDriver(orderProjections())
    try driver.send([
      .created("o-1", sequence: 1),
      .update("ORDER_CONFIRMED", "o-1", sequence: 2),
      .update("ORDER_PAID", "o-1", sequence: 4),
      .update("ORDER_CONFIRMED", "o-1", sequence: 3, id: "late"),
      .update("ORDER_SHIPPED", "o-1", sequence: 4, id: "same-number"),
      .update("ORDER_SHIPPED", "o-1", sequence: 4, id: "same-number"),
      .created("o-2"),
    ])
    #expect(driver.counters["sequence{gap}"] == 1)
    #expect(driver.counters["sequence{regression}"] == 1)
    #expect(driver.counters["sequence{repeat}"] == 1)
    #expect(driver.counters["duplicate"] == 1)
    #expect(driver.counters["applied"] == 6)
    #expect(try driver.field("status", of: "o-1") == "SHIPPED")
    #expect(try driver.field("sequenceNumber", of: "o-1") == "4")
  }

  @Test("a whole log ends as its oracle says", arguments: [UInt64(1), 2, 3], [1, 700])
  func workload(seed: UInt64, commitEvery: Int) throws {
    var plan = OrderWorkloadPlan.demo(events: commitEvery == 1 ? 600 : 6_000, seed: seed)
    plan.overtakenPerThousand = 50
    plan.ordersInFlight = 100
    var workload = OrderWorkload(plan)
    var records: [ProducerRecord] = []
    while let record = workload.next() { records.append(record) }
    let oracle = workload.oracle

    let driver = try TopologyTestDriver(
      orderProjections(), partitions: 3, commitEvery: commitEvery)
    try driver.append(records, to: "order-events")
    try driver.process(records.count / 2)
    try driver.crash()
    try driver.run()
    let rows = try driver.rows("orders").mapValues { Array($0.utf8) }
    #expect(rows == oracle.allRows)
    for (fate, count) in oracle.fates {
      #expect(driver.counters[fate, default: 0] == Int64(count), "\(fate), seed \(seed)")
    }
  }
}
