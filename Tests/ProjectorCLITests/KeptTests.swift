import ChildProcesses
import Foundation
import Glibc
import Testing

/// Dead letters and held records, in pages and by their ids.
@Suite struct KeptTests {
  private func letters(_ tool: CommandLineTool, _ arguments: String...) throws
    -> CommandLineTool.Outcome
  {
    try tool.run(["dead-letters", OrderFixture.topology] + arguments + ["--state", tool.state])
  }

  private func held(_ tool: CommandLineTool, _ arguments: String...) throws
    -> CommandLineTool.Outcome
  {
    try tool.run(["held", OrderFixture.topology] + arguments + ["--state", tool.state])
  }

  private func ids(_ outcome: CommandLineTool.Outcome) -> [String] {
    outcome.output.split(separator: "\n").dropFirst().map { line in
      String(line.prefix { $0 != " " })
    }
  }

  @Test("a list goes on behind its cursor, page by page, and chooses by reason")
  func pages() throws {
    let tool = try CommandLineTool()
    let lines = (0..<1_100).map { number in
      number % 11 == 0
        ? #"{"key":"k\#(number)","value":{"orderId":"x"}}"#
        : #"{"key":"k\#(number)","headers":{"eventType":"ORDER_CREATED","schemaVersion":"99"},"#
          + #""value":{"orderId":"x"}}"#
    }
    try tool.succeed(
      "produce", OrderFixture.topic, "--log", tool.log, "--partitions", "3",
      input: lines.joined(separator: "\n") + "\n")
    try #require(tool.runOrders("--log-level", "error").status == 0)
    let all = try ids(letters(tool, "list"))
    #expect(all.count == 1_100 && Set(all).count == 1_100)

    var paged: [String] = []
    var cursor: String?
    repeat {
      let page = try tool.run(
        ["dead-letters", OrderFixture.topology, "list", "--limit", "400", "--state", tool.state]
          + (cursor.map { ["--cursor", $0] } ?? []))
      try #require(page.status == 0, "\(page.errors)")
      paged += ids(page)
      cursor =
        page.errors.isEmpty
        ? nil
        : String(page.errors.dropFirst("more: --cursor ".count))
          .trimmingCharacters(in: .newlines)
      #expect(cursor == nil || cursor == paged.last)
    } while cursor != nil
    #expect(paged == all)

    let decode = try ids(letters(tool, "list", "--reason", "decode"))
    let version = try ids(letters(tool, "list", "--reason", "unknownVersion"))
    #expect(decode.count == 100 && Set(decode + version) == Set(all))
    #expect(try letters(tool, "list", "--reason", "bored").status == 64)

    let shown = try letters(tool, "show", all[700], all[3])
    let objects = try shown.output.split(separator: "\n").map {
      try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
    }
    #expect(objects.map { $0["id"] as? String } == [all[700], all[3]])
  }

  @Test("a key that is held is told from one that is not, and one whose partition is elsewhere")
  func notHere() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders(partitions: 2)
    try tool.runOrders("--partition", "0")
    for verb in ["dead-letters", "held"] {
      func show(_ id: String) throws -> CommandLineTool.Outcome {
        try tool.run([verb, OrderFixture.topology, "show", id, "--state", tool.state])
      }
      #expect(try show("order-events-0-99").status == 4)
      #expect(try show("order-events-1-1").status == 5)
      #expect(try show("order-events-2-1").status == 4)
      #expect(try show("payments-0-1").status == 4)
      #expect(try show("order-events-0").status == 64)
      #expect(try show("order-events-00-1").status == 64)
    }
    let retry = try tool.run(
      "dead-letters", OrderFixture.topology, "retry", "order-events-1-1", "--state", tool.state,
      "--log", tool.log)
    #expect(retry.status == 5, "\(retry.errors)")
    #expect(retry.errors.contains("partition 1 of 2 of 'order-events' is not here"))
  }

  @Test("an owner that dies before it answers leaves the command to who asked")
  func deadOwner() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    try tool.runOrders()
    let options = ["--log", tool.log, "--state", tool.state]
    let owner = try tool.start(
      ["run", OrderFixture.topology] + options, errors: .file("\(tool.directory.path)/owner"))
    defer { owner.kill(SIGKILL) }
    try #require(waits { isOwned(tool) })
    owner.kill(SIGSTOP)
    let answer = "\(tool.directory.path)/answer"
    let asker = try tool.start(
      ["dead-letters", OrderFixture.topology, "retry"] + options, output: .file(answer))
    // It is a request now, and takes no lock while it waits.
    try #require(waits { try !entries(requests(tool)).isEmpty })
    owner.kill(SIGKILL)
    _ = owner.wait()
    #expect(asker.wait() == .exit(0))
    #expect(try String(contentsOfFile: answer, encoding: .utf8) == "retried: deadLettered 2\n")
    #expect(try entries(requests(tool)).isEmpty)
  }

  @Test("a signal ends a retry that no other process carries out, after a commit")
  func signal() throws {
    let tool = try CommandLineTool()
    let lines = (0..<20_000).map { number in
      #"{"key":"o-\#(number)","headers":{"eventType":"ORDER_CREATED","schemaVersion":"1","#
        + #""eventId":"e\#(number)"},"value":{"orderId":"o-\#(number)","totalAmount":"much"}}"#
    }
    try tool.succeed(
      "produce", OrderFixture.topic, "--log", tool.log, input: lines.joined(separator: "\n") + "\n")
    try tool.runOrders()
    try FileManager.default.removeItem(
      atPath: "\(tool.state)/\(OrderFixture.topology)/owner")
    let retry = try tool.start([
      "dead-letters", OrderFixture.topology, "retry", "--log", tool.log, "--state", tool.state,
    ])
    try #require(waits { isOwned(tool) })
    retry.kill(SIGTERM)
    #expect(retry.wait() == .exit(0))
    #expect(
      try tool.run(["status", OrderFixture.topology, "--state", tool.state]).output
        .contains("held records 0, dead letters 20,000\n"))
  }

  private func entries(_ path: String) throws -> [String] {
    guard FileManager.default.fileExists(atPath: path) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: path)
  }

  private func requests(_ tool: CommandLineTool) -> String {
    "\(tool.state)/\(OrderFixture.topology)/requests"
  }

  /// Whether a running process has the lock: its number is in the lock's file.
  private func isOwned(_ tool: CommandLineTool) -> Bool {
    let text = try? String(
      contentsOfFile: "\(tool.state)/\(OrderFixture.topology)/owner", encoding: .utf8)
    guard let process = Int32(text?.split(separator: "\n").first ?? "") else { return false }
    return kill(process, 0) == 0
  }

  /// Polls for what another process does.
  private func waits(_ condition: () throws -> Bool) throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(60)
    while try !condition() {
      if ContinuousClock.now > deadline { return false }
      usleep(5_000)
    }
    return true
  }

  @Test("held records say what they wait for")
  func heldRecords() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    try tool.runOrders()
    let list = try held(tool, "list")
    #expect(list.output.contains("missingRow: waits until 'orders' has a row of its key"))
    #expect(try ids(held(tool, "list", "--reason", "parked")).isEmpty)
    let id = try #require(ids(list).first)
    let object = try held(tool, "show", id).output
    let json = try JSONSerialization.jsonObject(with: Data(object.utf8)) as? [String: Any]
    #expect(json?["reason"] as? String == "missingRow")
    #expect(json?["eventId"] as? String == "e10")
  }

  @Test("skip resolves without processing, release runs past what is waited for")
  func decisions() throws {
    let tool = try CommandLineTool()
    try tool.produceOrders()
    try tool.runOrders()
    let version = try #require(ids(letters(tool, "list", "--reason", "unknownVersion")).first)
    let skipped = try letters(tool, "skip", version, "--log", tool.log)
    #expect(skipped.status == 0, "\(skipped.errors)")
    #expect(try letters(tool, "show", version).status == 4)
    #expect(try letters(tool, "skip", "--reason", "decode", "--log", tool.log).status == 0)
    #expect(try ids(letters(tool, "list")).isEmpty)
    let waiting = try #require(ids(held(tool, "list")).first)
    let released = try held(tool, "release", waiting, "--log", tool.log)
    #expect(released.status == 0, "\(released.errors)")
    #expect(try ids(held(tool, "list")).isEmpty)
    #expect(try ids(letters(tool, "list", "--reason", "missingRow")).count == 1)
  }

  @Test("status warns of a key that many records wait for")
  func manyHeld() throws {
    let tool = try CommandLineTool()
    let lines = (0..<1_003).map { number in
      #"{"key":"\#(number < 1_001 ? "hot" : "cold")","#
        + #""headers":{"eventType":"ORDER_CONFIRMED","schemaVersion":"1","eventId":"e\#(number)"},"#
        + #""value":{"confirmedBy":"s","occurredAt":"2026-01-05T09:05:00Z"}}"#
    }
    try tool.succeed(
      "produce", OrderFixture.topic, "--log", tool.log, input: lines.joined(separator: "\n") + "\n")
    try #require(tool.runOrders("--log-level", "error").status == 0)
    let status = try tool.succeed("status", OrderFixture.topology, "--state", tool.state)
    let warnings = status.split(separator: "\n").filter { $0.hasPrefix("warning: ") }
    #expect(
      warnings == [
        "warning: 1,001 records wait for one key of task order-events-0; see `held "
          + "order-projections show order-events-0-1`"
      ])
  }

  @Test(
    "what is ambiguous is refused",
    arguments: [
      "dead-letters T list order-events-0-1", "dead-letters T skip",
      "dead-letters T retry order-events-0-1 --reason decode", "dead-letters T retry --limit 3",
      "dead-letters T list --dry-run", "dead-letters T list --limit 0", "held T release",
      "held T release --reason bored", "held T list --cursor 0",
    ])
  func refused(_ line: String) throws {
    let tool = try CommandLineTool()
    let outcome = try tool.run(line.split(separator: " ").map(String.init) + ["--state", "s"])
    #expect(outcome.status == 64, "\(outcome)")
    #expect(outcome.output.isEmpty)
  }

  @Test("text of records stays on its line, and no terminal acts on it")
  func escaped() throws {
    let tool = try CommandLineTool()
    let lines = #"""
      {"key":"o-1","headers":{"eventType":"ORDER_CREATED","schemaVersion":"2","eventId":"x'\nerror: state is corrupt\n\u001b[31mred"},"value":{"customerId":"c","totalAmount":1,"currency":"EUR","occurredAt":"2026-01-05T09:00:00Z"}}
      {"key":"o-2","headers":{"eventType":"ORDER_CREATED","schemaVersion":"2","eventId":"x'\nerror: state is corrupt\n\u001b[31mred"},"value":{"customerId":"d","totalAmount":1,"currency":"EUR","occurredAt":"2026-01-05T09:00:00Z"}}
      {"key":"o-3\norder-events-0-9  FORGED  source","headers":{"eventType":"ORDER_CREATED","schemaVersion":"2","eventId":"k"},"value":{"customerId":1}}
      {"key":"o-4\u001b[2J","headers":{"eventType":"ORDER_CREATED","schemaVersion":"99\nfake: line","eventId":"k2"},"value":{"customerId":"a"}}
      {"key":"o-5","headers":{"eventType":"ORDER_CREATED","schemaVersion":"2","eventId":"k3"},"value":{"customerId":"a\u001b[2Jb\nc\u009b","totalAmount":1,"currency":"EUR","occurredAt":"2026-01-05T09:00:00Z"}}

      """#
    try tool.succeed("produce", OrderFixture.topic, "--log", tool.log, input: lines)
    let run = try tool.runOrders()
    let outcomes = [
      run, try letters(tool, "list"), try tool.query("orders", "scan", "--format", "table"),
      try tool.run("trace", OrderFixture.topology, "k2", "--state", tool.state),
      try tool.run("trace", OrderFixture.topology, "a\nb", "--state", tool.state),
    ]
    for outcome in outcomes {
      for text in [outcome.output, outcome.errors] {
        #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" && $0 != "\t" })
        #expect(!text.unicodeScalars.contains { (0x7F..<0xA0).contains($0.value) })
        for forged in ["error: state", "fake:", "order-events-0-9"] {
          #expect(!text.split(separator: "\n").contains { $0.hasPrefix(forged) })
        }
      }
    }
    #expect(outcomes[1].output.contains(#"o-4\u001b[2J"#))
    #expect(outcomes[2].output.contains(#"a\u001b[2Jb\u000ac\u009b"#))
    #expect(outcomes[4].errors.hasPrefix(#"error: event 'a\u000ab' is not in the state"#))
    let json = try letters(tool, "list", "--format", "json").output
    #expect(json.split(separator: "\n").count == 2)
    #expect(json.contains(#"o-4\u001b[2J"#))
  }
}
