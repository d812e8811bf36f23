import Foundation
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// "Besides records, these are inputs, written into the task's journal …: each record that died (a
/// replay of the lineage lets it die again, unrun)" (DESIGN, "The journal").
@Suite("Deaths in a replay")
struct DeathTests {
  private struct Outage: Error {}

  /// What a service that handlers call does for now: `down` fails what needs it.
  private func topology(_ policy: ErrorPolicy, _ outage: FailingTimes) throws -> Topology {
    let builder = StreamsBuilder("deaths")
    let source = builder.stream(
      "in", key: StringSerde(), value: StringSerde(), policies: SourcePolicies(process: policy))
    source.project(named: "texts", as: StringSerde(), missing: .upsert) { row, value, _ in
      if value == "call", outage.next() { throw Outage() }
      return .put((row ?? "") + value + ",")
    }.view()
    let seen = builder.store(named: "seen", key: String.self, as: StringSerde())
    let _: KStream<String, String> = source.process(named: "remind", stores: ["seen"]) { context in
      let store = context.store(seen)
      return Processor(
        onTimer: { key, _ in
          if key == "t", outage.next() { throw Outage() }
          try store.put(key, "fired")
        },
        process: { key, value in
          guard value == "timer" else { return }
          try store.put(key, "set")
          try context.schedule(key, at: context.record.timestamp + .milliseconds(5))
        })
    }
    return try builder.build()
  }

  private func run(
    _ topology: Topology, _ sent: [(String, String)],
    then: (ManualEngine) throws -> Void = { _ in },
    _ body: (SimulatedLog, StateDirectory) throws -> Void
  ) throws {
    let root = NSTemporaryDirectory() + "projector-deaths-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: root) }
    let (log, state) = (SimulatedLog(), StateDirectory(root: root, topology: "deaths"))
    try log.administration?.createTopic("in", partitions: 1, retention: TopicRetention())
    _ = try log.makeAppender().append(
      sent.enumerated().map { number, record in
        ProducerRecord(
          key: Array(record.0.utf8), value: Array(record.1.utf8),
          headers: [Header("eventId", "\(number)")],
          timestamp: Timestamp(milliseconds: Int64(number)))
      }, to: "in")
    var options = RunOptions()
    options.budget.records = 3
    try TopologyOwner(
      topology, stateRoot: root, log: log, options: options, clock: SystemWallClock(),
      report: { _ in }
    ).run(untilEnd: true)
    let engine = try ManualEngine(
      topology, log: log, directory: state, options: RunOptions(), clock: VirtualClock(),
      report: { _ in })
    try then(engine)
    engine.close()
    try body(log, state)
  }

  private func verify(_ topology: Topology, _ log: SimulatedLog, _ state: StateDirectory) throws
    -> [Bool]
  {
    try StateVerification(
      topology, state, log: log, options: RunOptions(), clock: SystemWallClock(),
      canonical: { $0 }
    ).run().map(\.isEqual)
  }

  private static let sent = [
    ("a", "1"), ("a", "call"), ("a", "2"), ("b", "call"), ("b", "3"), ("a", "call"), ("c", "4"),
  ]

  @Test(
    "a verification lets die what died, though what failed meanwhile passes",
    arguments: [
      ErrorPolicy.deadLetter, .skip, .parkKey, .deadLetter.retrying(1), .parkKey.retrying(3),
    ], [1, 2, 3, 4, 5])
  func equal(policy: ErrorPolicy, failures: Int) throws {
    let topology = try topology(policy, FailingTimes(failures))
    try run(topology, Self.sent) { log, state in
      let equal = try verify(topology, log, state)
      #expect(equal == [true])
    }
  }

  @Test("so it does with what was retried, in vain and not", arguments: [3, 4, 5, 6])
  func retried(failures: Int) throws {
    let topology = try topology(.parkKey, FailingTimes(failures))
    try run(topology, Self.sent) { engine in
      for _ in 0..<2 { try engine.retryDeadLetters() }
      try engine.run(commitEvery: 3)
    } _: { log, state in
      let equal = try verify(topology, log, state)
      #expect(equal == [true])
    }
  }

  @Test("a firing that failed fails again, too")
  func firing() throws {
    let topology = try topology(.deadLetter, FailingTimes(1))
    let sent = [("t", "timer")] + (0..<10).map { ("a", "\($0)") }
    try run(topology, sent) { engine in
      let operators = try engine.deadLetters().map(\.operatorName)
      #expect(operators == ["remind"])
    } _: { log, state in
      let equal = try verify(topology, log, state)
      #expect(equal == [true])
    }
  }

  @Test("a unit that lived and fails in the replay stops it, and is named")
  func diverged() throws {
    try run(try topology(.deadLetter, FailingTimes(0)), Self.sent) { log, state in
      do {
        _ = try verify(try topology(.deadLetter, FailingTimes(1)), log, state)
        Issue.record("the replay went through")
      } catch let error as TaskError {
        #expect(error.code == .diverged)
        #expect(error.description.contains("in-0@1 fails"), "\(error.description)")
      }
    }
  }
}
