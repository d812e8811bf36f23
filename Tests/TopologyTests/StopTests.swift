import Foundation
import StateStore
import StreamCore
import Synchronization
import Testing
import Topology
import TopologyTesting

/// DESIGN, "Supervisor": a stop is heard at once whatever is under way, and a failed owner stops its
/// threads before it says so.
@Suite("Stops")
struct StopTests {
  /// A topology that fails on "bad", and waits long before it tries again.
  private func retrying(_ tries: Counting) throws -> Topology {
    let builder = StreamsBuilder("site")
    builder.stream(
      "in", key: StringSerde(), value: StringSerde(),
      policies: SourcePolicies(
        process: ErrorPolicy(.deadLetter, retries: 10, backoff: .seconds(600)))
    )
    .filter(named: "fails") { _, value in
      if value == "bad" {
        tries.next()
        throw Boom()
      }
      return true
    }
    .groupByKey().count(named: "counts").view()
    return try builder.build()
  }

  @Test("during the wait before a further try the unit ends undone, and no try is lost")
  func duringRetry() throws {
    let site = try OwnerSite()
    let tries = Counting()
    let topology = try retrying(tries)
    try site.send(["a", "bad", "c"])
    let owner = try site.owner(topology)
    let running = Background { try owner.run(untilEnd: false) }
    while tries.count == 0, !running.hasEnded {}
    owner.stop()
    try running.join()
    #expect(tries.count == 1)
    try site.withTasks(topology) { engine in
      #expect(engine.counters["consumed"] == 1)
      #expect(engine.counters["applied"] == 1)
    }
  }

  @Test("a request that waits for such a wait keeps no stop from being heard")
  func duringRequest() throws {
    let site = try OwnerSite()
    let tries = Counting()
    let topology = try retrying(tries)
    try site.send(["bad"])
    let owner = try site.owner(topology)
    let running = Background { try owner.run(untilEnd: false) }
    while tries.count == 0, !running.hasEnded {}
    let asked = try site.ask("r", "retry")
    owner.stop()
    try running.join()
    #expect(try asked.answer()?.succeeded != true)
  }

  @Test("nor does one that meets a loop which has come to its end while another has not")
  func atTheEnd() throws {
    let site = try OwnerSite(partitions: 2)
    let gate = Gate()
    let topology = try OwnerSite.counting { if $0 == "slow" { gate.pass() } }
    try site.send(["a"], partition: 0)
    try site.send(Array(repeating: "slow", count: 1_000), partition: 1)
    let owner = try site.owner(topology) { $0.threads = 2 }
    let running = Background { try owner.run(untilEnd: true) }
    while try site.outputs().isEmpty, !running.hasEnded {}
    // The first loop answers though it has nothing more to read; the second is held in a record.
    let asked = try site.ask("r", "retry")
    owner.stop()
    gate.open()
    try running.join()
    #expect(gate.passed < 1_000, "the slice ends early")
    #expect(try asked.answer()?.succeeded != true)
  }

  @Test("a handler that does not come back is left after the time for the stop, and keeps nothing")
  func stuckHandler() throws {
    let site = try OwnerSite()
    let gate = Gate()
    let topology = try OwnerSite.counting { if $0 == "stuck" { gate.pass() } }
    try site.send(["a", "b", "stuck"])
    let owner = try site.owner(topology) { $0.stopTimeout = .milliseconds(50) }
    let running = Background { try owner.run(untilEnd: false) }
    while gate.waiting == 0, !running.hasEnded {}
    owner.stop()
    let error = #expect(throws: TaskError.self) { try running.join() }
    #expect(error?.code == .stopped)
    #expect(error?.message.contains("--stop-timeout") == true)
    gate.open()
    // Once the thread has let go of the task, its state is that of the last commit.
    while true {
      do {
        try site.withTasks(topology) { #expect($0.counters == [:]) }
        break
      } catch let error as StoreError where error.code == .locked { continue }
    }
    #expect(try site.outputs() == [])
  }

  @Test("while tasks are opened")
  func duringOpening() throws {
    let site = try OwnerSite(partitions: 200)
    // A task that begins behind what the log removed says so as it is opened.
    for partition in 0..<200 {
      try site.send(["a"], partition: partition)
      site.log.removeStart(of: TopicPartition("in", partition), before: 1)
    }
    let gate = Gate()
    let owner = try TopologyOwner(
      try OwnerSite.counting(), stateRoot: site.root, log: site.log, options: RunOptions(),
      clock: SystemWallClock(), report: { if $0.contains("begins at offset") { gate.pass() } })
    let running = Background { try owner.run(untilEnd: false) }
    while gate.waiting == 0, !running.hasEnded {}
    owner.stop()
    gate.open()
    try running.join()
    #expect(try site.directory.tasks(of: 1).count < 100)
  }

  @Test("an owner that failed has let go of its tasks, and reads and sends nothing more")
  func failedOwner() throws {
    let site = try OwnerSite(partitions: 4)
    let topology = try OwnerSite.counting()
    let owner = try site.owner(topology) { $0.threads = 2 }
    let running = Background { try owner.run(untilEnd: false) }
    try site.send((0..<100).map { "v\($0)" })
    while try site.outputs().count < 100, !running.hasEnded {}
    site.log.fail(.transaction, with: LogError(.fenced, "another producer took over"))
    try site.send((100..<200).map { "v\($0)" })
    #expect(throws: LogError.self) { try running.join() }
    // Refused as locked, did a thread still have one.
    try site.withTasks(topology) { _ in }
    let sent = try site.outputs()
    try site.send((200..<300).map { "v\($0)" })
    #expect(try site.outputs() == sent)
  }
}

/// Holds threads until it is opened.
final class Gate: @unchecked Sendable {
  // All of it is guarded by `condition`.
  private let condition = NSCondition()
  private var isOpen = false
  private var inside = 0
  private var through = 0

  func pass() {
    condition.withLock {
      inside += 1
      while !isOpen { condition.wait() }
      inside -= 1
      through += 1
    }
  }

  func open() {
    condition.withLock {
      isOpen = true
      condition.broadcast()
    }
  }

  var waiting: Int { condition.withLock { inside } }
  var passed: Int { condition.withLock { through } }
}
