import Glibc
import OrderProjections
import StateStore
import StreamCore
import Topology

/// Many partitions, and many dead letters.
extension Step {
  /// trickle URL COUNT: appends so many events one by one, each when the one before is long done.
  static func trickle(_ arguments: [String]) throws {
    guard let count = Int(arguments[1]) else { throw BenchmarkError("trickle URL COUNT") }
    let log = try open(arguments[0])
    let appender = try log.makeAppender()
    var workload = OrderWorkload(.benchmark(events: count, seed: 7))
    while let record = workload.next() {
      _ = try appender.append([record], to: topic)
      usleep(50_000)
    }
    appender.close()
    log.close()
  }

  /// letters URL COUNT: appends so many events that cannot be decoded.
  static func letters(_ arguments: [String]) throws {
    guard let count = Int(arguments[1]) else { throw BenchmarkError("letters URL COUNT") }
    let log = try open(arguments[0], create: true)
    try log.administration?.createTopic(
      topic, partitions: partitions, retention: TopicRetention())
    let appender = try log.makeAppender()
    for first in stride(from: 0, to: count, by: 10_000) {
      let records = (first..<min(first + 10_000, count)).map { number in
        ProducerRecord(
          key: Array("o-\(number)".utf8),
          value: Array(#"{"orderId":"o-\#(number)","customerId":"c","totalAmount":"much"}"#.utf8),
          headers: [
            Header("eventType", "ORDER_CREATED"), Header("schemaVersion", "1"),
            Header("eventId", "e\(number)"),
          ])
      }
      _ = try appender.append(records, to: topic)
    }
    appender.close()
    log.close()
  }

  /// retry URL STATE: tries all dead letters again.
  static func retry(_ arguments: [String]) throws {
    let log = try open(arguments[0])
    let run = GenerationRun(
      try orderProjections(OrderProjectionsOptions()), generation: 1, log: log,
      directory: StateDirectory(root: arguments[1], topology: "order-projections"),
      options: RunOptions(), clock: SystemWallClock(), report: { _ in })
    let opening = Clock.now
    try run.open()
    print("open", Clock.now - opening)
    func sum(_ word: String) -> Int64 {
      run.tasks.reduce(0) { $0 + ($1.state.words.value(named: word) ?? 0) }
    }
    let (before, begun) = (sum("commits"), Clock.now)
    _ = try run.retryDeadLetters(nil)
    print("seconds", Clock.now - begun)
    print("commits", sum("commits") - before)
    print("letters", sum("deadLetters.count"))
    run.close()
  }
}
