import EmbeddedLog
import Glibc
import KafkaLog
import OrderProjections
import StateStore
import StreamCore
import Topology

/// What a child process does; each prints `name=value` lines.
enum Step {
  typealias Body = @Sendable ([String]) throws -> Void
  static let all: [String: Body] = [
    "generate": generate, "decode": decode, "project": project, "check": check,
    "append": append, "latency": latency, "cel": cel, "trickle": trickle, "letters": letters,
    "retry": retry,
  ]
  static let topic = "order-events"
  static let partitions = 4

  static func print(_ name: String, _ value: some BinaryInteger) { line("\(name)=\(value)\n") }
  static func print(_ name: String, _ value: Double) { line("\(name)=\(value)\n") }

  /// At once, not when a buffer is full: the parent waits for some lines.
  private static func line(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(1, bytes, bytes.count)
  }

  static func open(_ url: String, create: Bool = false) throws -> any RecordLog {
    url.hasPrefix("kafka://")
      ? try KafkaLog.open(url: url) : try EmbeddedLog.open(url, create: create)
  }

  /// `benchmark EVENTS` or `keys EVENTS`.
  static func plan(_ name: String, _ events: String) throws -> OrderWorkloadPlan {
    guard let events = Int(events) else { throw BenchmarkError("'\(events)' is no number") }
    var plan = OrderWorkloadPlan.benchmark(events: events)
    // Half of all events open an order, so that ten million ids are five million keys.
    if name == "keys" { plan.creationsPerThousand = 505 }
    return plan
  }

  /// generate URL PLAN EVENTS [PARTITIONS]: appends the workload to a new topic.
  static func generate(_ arguments: [String]) throws {
    let log = try open(arguments[0], create: true)
    if try log.topic(topic) == nil {
      let count = arguments.count > 3 ? Int(arguments[3]) : nil
      try log.administration?.createTopic(
        topic, partitions: count ?? partitions, retention: TopicRetention())
    }
    let appender = try log.makeAppender()
    var workload = OrderWorkload(try plan(arguments[1], arguments[2]))
    var batch: [ProducerRecord] = []
    while let record = workload.next() {
      batch.append(record)
      guard batch.count == 10_000 else { continue }
      _ = try appender.append(batch, to: topic)
      batch.removeAll(keepingCapacity: true)
    }
    if !batch.isEmpty { _ = try appender.append(batch, to: topic) }
    appender.close()
    log.close()
  }

  /// project URL STATE audit|plain end|stay [THREADS]: runs `order-projections`.
  ///
  /// Environment: `THREADS`, `INTERVAL` (records) and `MEMORY` (bytes) of a run by hand.
  static func project(_ arguments: [String]) throws {
    let log = try open(arguments[0])
    var orders = OrderProjectionsOptions()
    orders.keepsAudit = arguments[2] == "audit"
    var options = RunOptions()
    if let threads = getenv("THREADS").flatMap({ Int(String(cString: $0)) }) {
      options.threads = threads
    }
    if arguments.count > 4, let threads = Int(arguments[4]) { options.threads = threads }
    if let records = getenv("INTERVAL").flatMap({ Int(String(cString: $0)) }) {
      options.budget.records = records
    }
    if let memory = getenv("MEMORY").flatMap({ Int(String(cString: $0)) }) {
      options.budget.memory = memory
    }
    if arguments[3] == "end" {
      let count = try log.topic(topic)?.partitions ?? 0
      let places = (0..<count).map { TopicPartition(topic, $0) }
      options.limitsByPartition = try log.offsets(of: places).mapValues(\.upperBound)
    }
    let directory = StateDirectory(root: arguments[1], topology: "order-projections")
    let run = GenerationRun(
      try orderProjections(orders), generation: 1, log: log, directory: directory,
      options: options, clock: SystemWallClock(), report: { _ in })
    let opening = Clock.now
    try run.open()
    print("open", Clock.now - opening)
    let written = ProcFile.field("wchar", of: "/proc/self/io")
    let stored = ProcFile.field("write_bytes", of: "/proc/self/io")
    let start = Clock.now
    print("ready", 1)
    try run.run()
    print("seconds", Clock.now - start)
    print("written", ProcFile.field("wchar", of: "/proc/self/io") - written)
    print("stored", ProcFile.field("write_bytes", of: "/proc/self/io") - stored)
    run.close()
  }
}
