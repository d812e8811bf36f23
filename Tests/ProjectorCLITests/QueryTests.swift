import Foundation
import Testing

/// Views, as users ask them.
@Suite struct QueryTests {
  let tool: CommandLineTool

  init() throws {
    tool = try CommandLineTool()
    try tool.produceOrders(partitions: 2)
    try #require(tool.runOrders().status == 0)
  }

  private func keys(_ arguments: String...) throws -> [String] {
    let outcome = try tool.run(
      ["query", OrderFixture.topology] + arguments + ["--state", tool.state])
    #expect(outcome.status == 0, "\(outcome)")
    return outcome.output.split(separator: "\n").map { line in
      String(line.dropFirst(#"{"key":""#.count).prefix(while: { $0 != "\"" }))
    }
  }

  @Test("a row by its key, exactly as it is stored")
  func get() throws {
    let outcome = try tool.query("orders", "get", "o-1")
    #expect(outcome.status == 0)
    #expect(outcome.output.hasPrefix(#"{"key":"o-1","value":{"orderId":"o-1","customerId":"c-1""#))
    #expect(outcome.output.contains(#""totalAmount":12345.67,"#))
    #expect(outcome.output.contains(#""status":"CONFIRMED","#))
    #expect(outcome.output.contains(#""createdAt":"2026-01-05T09:00:00Z""#))
    #expect(try tool.query("orders", "get", "o-2").output.contains(#""totalAmount":0.10,"#))
  }

  @Test("a key that is not there is told from an error")
  func notFound() throws {
    let outcome = try tool.query("orders", "get", "o-4")
    #expect(
      outcome
        == CommandLineTool.Outcome(
          status: 4, output: "", errors: "error: view 'orders' has no key 'o-4'\n"))
  }

  @Test("a key whose partition is not in this directory is never `not found`")
  func partitionNotHere() throws {
    let partial = try CommandLineTool()
    try partial.produceOrders(partitions: 2)
    try partial.runOrders("--partition", "0")
    let outcomes = try ["o-1", "o-2", "o-3", "o-4"].map {
      try partial.query("orders", "get", $0).status
    }
    #expect(outcomes.contains(5))
    #expect(outcomes.contains { $0 == 0 || $0 == 4 })
  }

  @Test("a scan is in key order, over all partitions, with bounds")
  func scan() throws {
    #expect(try keys("orders", "scan") == ["o-1", "o-2", "o-3"])
    #expect(try keys("orders", "scan", "--reverse") == ["o-3", "o-2", "o-1"])
    #expect(try keys("orders", "scan", "--from", "o-2") == ["o-2", "o-3"])
    #expect(try keys("orders", "scan", "--to", "o-2") == ["o-1"])
    #expect(try keys("orders", "scan", "--limit", "2") == ["o-1", "o-2"])
    #expect(try keys("orders", "scan", "--limit", "\(Int.max)") == ["o-1", "o-2", "o-3"])
    #expect(try keys("orders", "scan", "--prefix", "o-3") == ["o-3"])
  }

  @Test("an index: its own order, newest first here")
  func index() throws {
    #expect(try keys("orders", "index", "byCustomer", "c-1") == ["o-2", "o-1"])
    #expect(try keys("orders", "index", "byCustomer", "c-1", "--reverse") == ["o-1", "o-2"])
    #expect(try keys("orders", "index", "byCustomer", "c-9") == [])
    #expect(try Set(keys("orders", "index", "byStatus", "CONFIRMED")) == ["o-1", "o-3"])
    #expect(try tool.query("orders", "index", "byCustomer", "c-1", "--count").output == "2\n")
    #expect(try tool.query("orders", "index", "byCustomer", "--count").output == "3\n")
  }

  @Test("pages count all elements; a cursor goes on where a page ended")
  func pages() throws {
    let page = try tool.query(
      "orders", "index", "byCustomer", "c-1", "--page", "1", "--size", "1"
    ).output
    let json =
      try JSONSerialization.jsonObject(with: Data(page.utf8)) as? [String: Any] ?? [:]
    #expect(json["totalElements"] as? Int == 2)
    #expect(json["totalPages"] as? Int == 2)
    #expect(json["number"] as? Int == 1)
    #expect(json["size"] as? Int == 1)
    let content = json["content"] as? [[String: Any]] ?? []
    #expect(content.map { $0["key"] as? String } == ["o-1"])

    var cursor: String?
    var seen: [String] = []
    repeat {
      let arguments =
        ["orders", "scan", "--limit", "2", "--format", "json"]
        + (cursor.map { ["--cursor", $0] } ?? [])
      let outcome = try tool.run(
        ["query", OrderFixture.topology] + arguments + ["--state", tool.state])
      let json =
        try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any] ?? [:]
      seen += (json["content"] as? [[String: Any]] ?? []).compactMap { $0["key"] as? String }
      cursor = json["cursor"] as? String
    } while cursor != nil
    #expect(seen == ["o-1", "o-2", "o-3"])
  }

  @Test(
    "the pages of a view or an index are its rows, each once, in order",
    arguments: [
      ["orders", "scan"], ["orders", "scan", "--reverse"], ["orders", "scan", "--from", "o-2"],
      ["orders", "index", "byCustomer", "c-1"], ["orders", "index", "byStatus"],
      ["order-events-by-aggregate", "scan"],
    ])
  func pagesInOrder(arguments: [String]) throws {
    let rows = try tool.query(arguments).output.split(separator: "\n").joined(separator: ",")
    for size in 1...3 {
      var content: [String] = []
      var pages = 1
      while content.count < pages {
        let answer = try tool.query(
          arguments + ["--page", "\(content.count)", "--size", "\(size)", "--format", "json"]
        ).output
        let end = try #require(answer.range(of: #"],"totalElements":"#))
        content.append(String(answer[..<end.lowerBound].dropFirst(#"{"content":["#.count)))
        let json = try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Any]
        pages = try #require(json?["totalPages"] as? Int)
      }
      #expect(content.joined(separator: ",") == rows)
    }
  }

  @Test("read your own write: wait for a position or an event")
  func waitFor() throws {
    #expect(
      try tool.query("orders", "get", "o-1", "--wait-for", "e3", "--timeout", "1ms").status == 0)
    let outcome = try tool.query(
      "orders", "get", "o-1", "--wait-for", "e99", "--timeout", "1ms")
    #expect(outcome.status == 1)
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.hasPrefix("error: event 'e99' was not applied within 1ms"))
  }

  @Test("an event that failed is not waited for")
  func waitForDeadLetter() throws {
    let outcome = try tool.query("orders", "get", "o-4", "--wait-for", "e8", "--timeout", "1h")
    #expect(outcome.status == 1)
    #expect(outcome.errors.hasPrefix("error: event 'e8' is a dead letter and in no view ("))
    #expect(outcome.errors.contains("; see `dead-letters order-projections show order-events-"))
  }

  @Test("status: positions, lag, fates, ids, views")
  func status() throws {
    let text = try tool.succeed(
      "status", OrderFixture.topology, "--state", tool.state, "--log", tool.log)
    #expect(text.hasPrefix("Topology: order-projections (generation 000001, serving, created "))
    #expect(text.contains("view orders: 3 rows\n"))
    let json = try tool.succeed(
      "status", OrderFixture.topology, "--state", tool.state, "--log", tool.log, "--format", "json")
    let status = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any] ?? [:]
    let counters = status["counters"] as? [String: Int] ?? [:]
    #expect(counters["consumed"] == 9)
    #expect(counters["applied"] == 5)
    #expect(counters["deadLettered{unknownVersion}"] == 1)
    #expect(status["heldRecords"] as? Int == 1)
    let ids = status["seenIds"] as? [String: Double]
    #expect(ids?["ids"] == 3)
    #expect((ids?["diskBytesPerId"] ?? 0) > 0 && (ids?["memoryBytesPerId"] ?? 0) > 0)
    #expect(status["warnings"] as? [String] == [])
    let inputs = status["inputs"] as? [[String: Any]] ?? []
    #expect(inputs.map { $0["lag"] as? Int } == [0, 0])
    #expect(inputs.compactMap { $0["position"] as? Int }.reduce(0, +) == 9)
  }

  @Test("the history of an order, by sequence")
  func audit() throws {
    let outcome = try tool.query("order-events-by-aggregate", "scan", "--prefix", "o-1")
    #expect(outcome.status == 0)
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines.first?.contains("ORDER_CREATED") == true)
    #expect(lines.last?.contains("ORDER_CONFIRMED") == true)
  }

  @Test("what is not there is named, with what is")
  func unknownNames() throws {
    let view = try tool.query("order", "get", "o-1")
    #expect(view.status == 2)
    #expect(view.errors.hasPrefix("error: there is no view 'order'"))
    let index = try tool.query("orders", "index", "byName")
    #expect(index.status == 2)
    #expect(index.errors.hasPrefix("error: view 'orders' has no index 'byName'"))
    let state = try tool.run(
      "query", "order-projections", "orders", "get", "o-1", "--state", "nowhere")
    #expect(state.status == 5)
    #expect(
      state.errors
        == "error: there is no state of topology 'order-projections' (nowhere/order-projections); "
        + "run it first, or correct --state\n")
  }

  @Test("an event that is held is waited for, and said to be")
  func waitForHeld() throws {
    let outcome = try tool.query("orders", "get", "o-5", "--wait-for", "e10", "--timeout", "1ms")
    #expect(outcome.status == 1)
    #expect(outcome.errors.hasPrefix("error: event 'e10' is held, and not applied within 1ms ("))
    #expect(outcome.errors.contains("`held order-projections show order-events-"))
  }

  @Test("bounds of an index are by value, whichever way it lies")
  func indexBounds() throws {
    let nine = "2026-01-05T09:00:00Z"
    let later = "2026-01-05T09:01:00Z"
    // Newest first: o-2 was created at 09:01:00.5, o-1 at 09:00.
    #expect(try keys("orders", "index", "byCustomer", "c-1", "--from", nine) == ["o-2", "o-1"])
    #expect(try keys("orders", "index", "byCustomer", "c-1", "--from", later) == ["o-2"])
    #expect(try keys("orders", "index", "byCustomer", "c-1", "--to", later) == ["o-1"])
    #expect(
      try keys("orders", "index", "byCustomer", "c-1", "--from", nine, "--to", nine) == [])
    #expect(try keys("orders", "index", "byCustomer", "--from", "c-2") == ["o-3"])
    #expect(
      try tool.query("orders", "index", "byCustomer", "--to", "c-2", "--count").output == "2\n")
    let tooMany = try tool.query("orders", "index", "byStatus", "A", "B", "C", "--from", "D")
    #expect(tooMany.status == 64)
  }

  @Test("an answer of a view whose partitions are not all here says so")
  func lack() throws {
    let partial = try CommandLineTool()
    try partial.produceOrders(partitions: 2)
    try partial.runOrders("--partition", "0")
    let warning =
      "warning: of the 2 partitions of view 'orders' only these are here: 0\n"
    for arguments in [
      ["orders", "scan"], ["orders", "scan", "--count"], ["orders", "index", "byStatus"],
      ["orders", "scan", "--page", "0"],
    ] {
      let outcome = try partial.query(arguments)
      #expect(outcome.status == 0 && outcome.errors == warning, "\(arguments)")
    }
  }

  @Test("a prefix and bounds that have nothing in common are refused")
  func emptyBounds() throws {
    let outcome = try tool.query("orders", "scan", "--prefix", "a", "--from", "b")
    #expect(outcome.status == 64)
    #expect(try keys("orders", "scan", "--prefix", "o-", "--from", "o-2") == ["o-2", "o-3"])
  }

  @Test("dead letters say where from and why")
  func deadLetters() throws {
    let list = try tool.succeed(
      "dead-letters", OrderFixture.topology, "list", "--state", tool.state)
    #expect(list.contains("unknownVersion"))
    #expect(list.contains("decode"))
    #expect(list.contains("order-events-"))
  }
}
