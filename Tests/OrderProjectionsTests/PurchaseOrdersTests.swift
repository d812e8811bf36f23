import JSONSerdes
import OrderProjections
import StreamCore
import Testing
import TopologyTesting

@Suite struct PurchaseOrdersTests {
  /// All 338,247 events where the build is fast enough.
  #if DEBUG
    private static let limit = ["--limit", "12000"]
  #else
    private static let limit: [String] = []
  #endif

  @Test(
    "real events end as expected, however they are delivered",
    .enabled(if: PurchaseOrderTool.found != nil, "needs ../shared/tools/purchase-order-events"),
    arguments: [
      [], ["--duplicates", "0.05", "--disorder", "8", "--garbage", "0.01", "--seed", "7"],
    ])
  func realEvents(delivery: [String]) throws {
    let tool = try #require(PurchaseOrderTool.found)
    let driver = try TopologyTestDriver(purchaseOrders(), partitions: 3, commitEvery: 20_000)
    let parser = JSONParser()
    var (delivered, garbage) = (0, 0)
    try tool.lines(Self.limit + delivery) { lines in
      let records = try lines.map { try PurchaseOrderTool.record($0, parser) }
      delivered += records.count
      garbage += records.count { $0.key?.starts(with: "garbage-".utf8) == true }
      try driver.append(records, to: "purchase-order-events")
      try driver.run()
    }

    var expected: [String: String] = [:]
    var events = 0
    try tool.lines(Self.limit + ["--expect"]) { lines in
      for line in lines {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
        events += Int(fields[1]) ?? 0
        expected[String(fields[0])] = """
          {"aggregateId":"\(fields[0])","events":\(fields[1]),"lastActivity":"\(fields[2])",\
          "firstAt":"\(fields[3])","lastAt":"\(fields[4])"}
          """
      }
    }
    let rows = try driver.rows("purchase-order-items")
    let wrong = expected.filter { rows[$0.key] != $0.value }

    let counters = driver.counters
    // A good event behind a broken one of its id, which is kept, is a conflict: nothing is applied
    // unasked, and neither is lost.
    let conflicts = counters["deadLettered{conflict}", default: 0]
    #expect(
      wrong.count <= conflicts, "\(wrong.count) rows, as \(wrong.first.debugDescription)")
    #expect(rows.keys.allSatisfy { expected[$0] != nil })
    #expect(
      counters["applied", default: 0] + counters["deadLettered", default: 0]
        == Int64(events + garbage))
    #expect(counters["duplicate", default: 0] == Int64(delivered - events - garbage))
    #expect(delivery.isEmpty == (garbage == 0))
  }
}
