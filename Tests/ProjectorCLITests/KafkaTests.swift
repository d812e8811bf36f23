import ChildProcesses
import Foundation
import KafkaLog
import MockCluster
import StreamCore
import Testing

/// The command line on Kafka: librdkafka's mock cluster stands in for a broker, in this process.
@Suite(.serialized) struct KafkaTests {
  private let cluster: MockCluster
  private let tool: CommandLineTool

  init() throws {
    cluster = try MockCluster()
    tool = try CommandLineTool()
    try cluster.createTopic(OrderFixture.topic, partitions: 2)
  }

  private func produce() throws {
    try tool.succeed(
      "produce", OrderFixture.topic, "--log", cluster.url, input: OrderFixture.lines)
  }

  private func run(_ arguments: String...) throws -> CommandLineTool.Outcome {
    try tool.run(
      ["run", OrderFixture.topology, "--log", cluster.url, "--state", tool.state, "--until-end"]
        + arguments)
  }

  private func digest() throws -> String {
    try tool.succeed("digest", OrderFixture.topology, "--state", tool.state)
  }

  /// What the consumer group says, and how to change it.
  private func groupOffsets<Answer>(_ body: (any GroupOffsets) throws -> Answer) throws -> Answer {
    let log = try KafkaLog.open(url: cluster.url)
    defer { log.close() }
    return try body(try #require(log.groupOffsets))
  }

  private let partitions = [
    TopicPartition(OrderFixture.topic, 0), TopicPartition(OrderFixture.topic, 1),
  ]

  @Test("events published as the guide does become the read model, and the group's lag is 0")
  func readModel() throws {
    try produce()
    let run = try run()
    #expect(run.status == 0, "\(run)")
    #expect(run.output.contains("consumed 9 = deadLettered 2 + held 1 + duplicate 1 + applied 5"))
    let row = try tool.query("orders", "get", "o-1")
    #expect(
      row.output.contains("\"totalAmount\":12345.67,\"currency\":\"EUR\",\"status\":\"CONFIRMED\""))
    let committed = try groupOffsets { try $0.committed(group: "order-projection", partitions) }
    #expect(committed.values.reduce(0, +) == 9)
  }

  @Test(
    "what the group says changes nothing: ahead, behind or deleted it is put right",
    arguments: [Offset(1_000), 0])
  func groupIsAdvisory(offset: Offset) throws {
    try produce()
    #expect(try run().status == 0)
    let before = try digest()
    let wrong = Dictionary(uniqueKeysWithValues: partitions.map { ($0, offset) })
    try groupOffsets { try $0.commit(group: "order-projection", wrong) }
    let line = """
      {"key":"o-9","headers":{"eventType":"ORDER_CREATED","schemaVersion":"2","eventId":"e99"},\
      "value":{"orderId":"o-9","customerId":"c-9","totalAmount":1,"currency":"EUR",\
      "occurredAt":"2026-01-06T09:00:00Z"}}

      """
    try tool.succeed("produce", OrderFixture.topic, "--log", cluster.url, input: line)
    let second = try run()
    #expect(
      second.output.contains("consumed 10 = deadLettered 2 + held 1 + duplicate 1 + applied 6"))
    #expect(try digest() != before)
    let rows = try tool.query("orders", "index", "byCustomer", "c-9", "--count")
    #expect(rows.output == "1\n")
  }

  @Test("a process killed again and again ends with the rows of an undisturbed one")
  func killed() throws {
    let undisturbed = try CommandLineTool()
    var lines = ""
    for number in 0..<3_000 {
      lines += """
        {"key":"o-\(number)","headers":{"eventType":"ORDER_CREATED","schemaVersion":"2",\
        "eventId":"e\(number % 2_900)"},"timestamp":\(number),"value":{"orderId":"o-\(number)",\
        "customerId":"c-\(number % 7)","totalAmount":\(number).50,"currency":"EUR",\
        "occurredAt":"2026-01-05T09:00:00Z"}}

        """
    }
    try tool.succeed("produce", OrderFixture.topic, "--log", cluster.url, input: lines)
    for target in stride(from: Offset(300), to: 1_300, by: 200) {
      let process = try tool.start([
        "run", OrderFixture.topology, "--log", cluster.url, "--state", tool.state,
      ])
      // By position reached, not by sleeping: a reader waits until a commit shows it.
      let position = "\(OrderFixture.topic)-0@\(target)"
      _ = try tool.query("orders", "get", "o-0", "--wait-for", position, "--timeout", "60s")
      process.kill()
      process.wait()
    }
    #expect(try run().status == 0)
    let whole = try undisturbed.run([
      "run", OrderFixture.topology, "--log", cluster.url, "--state", undisturbed.state,
      "--until-end",
    ])
    #expect(whole.status == 0)
    let expected = try undisturbed.succeed(
      "digest", OrderFixture.topology, "--state", undisturbed.state)
    #expect(try digest() == expected)
    #expect(whole.output == (try run().output))
  }

  private func event(_ number: Int) -> String {
    """
    {"key":"o-9","headers":{"eventType":"ORDER_CREATED","schemaVersion":"2","eventId":"r\(number)"},\
    "value":{"orderId":"o-9","customerId":"c-\(number)","totalAmount":1,"currency":"EUR",\
    "occurredAt":"2026-01-06T09:00:00Z"}}

    """
  }

  @Test("brokers that go away are waited for; a stop does not wait for them")
  func outage() throws {
    let errors = "\(tool.directory.path)/outage.err"
    let process = try tool.start(
      [
        "run", OrderFixture.topology, "--log", cluster.url, "--state", tool.state,
        "--set", "kafka.reconnect.backoff.max.ms=200",
        "--set", "kafka.projector.request.timeout.ms=1000",
      ], errors: .file(errors))
    func produceAndAwait(_ number: Int) throws {
      let position = try tool.succeed(
        "produce", OrderFixture.topic, "--log", cluster.url, input: event(number))
      let row = try tool.query(
        "orders", "get", "o-9", "--wait-for", position.dropLast().description, "--timeout", "60s")
      #expect(row.output.contains("\"customerId\":\"c-\(number)\""), "\(row)")
    }
    func said(_ text: String) throws -> Bool {
      for _ in 0..<600 {
        if try String(contentsOfFile: errors, encoding: .utf8).contains(text) { return true }
        usleep(100_000)
      }
      return false
    }
    try produceAndAwait(1)
    cluster.setBrokers(up: false)
    #expect(try said("reading waits: no broker of \(cluster.url) can be reached: "))
    cluster.setBrokers(up: true)
    #expect(try said("reading goes on: the log is back"))
    try produceAndAwait(2)
    cluster.setBrokers(up: false)
    process.kill(SIGTERM)
    #expect(process.wait() == .exit(0))
  }

  @Test("a missing topic and a broker that is not there are told in time")
  func failures() throws {
    let missing = try tool.run([
      "run", "purchase-orders", "--log", cluster.url, "--state", tool.state, "--until-end",
    ])
    #expect(missing.status == 6)
    #expect(missing.errors.contains("topic 'purchase-order-events' does not exist"))
    cluster.setBrokers(up: false)
    let gone = try run("--set", "kafka.projector.request.timeout.ms=1000")
    #expect(gone.status == 6, "\(gone)")
  }
}
