import Glibc
import OrderProjections
import StreamCore
import Topology

/// Runs each step in a child process and checks its views before it prints a figure.
///
/// Environment: `KAFKA=host:port` adds the runs over Kafka; `ONLY=name,…` runs some figures;
/// `EVENTS` and `KEYEVENTS` are the sizes of the two logs; `WORK` is where they are kept.
final class BenchmarkRun {
  var table = Table()
  let work: String
  private let events: Int
  private let keyEvents: Int
  private let only: Set<String>
  private var failures = 0

  init() {
    func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    work = variable("WORK") ?? "/tmp/projector-benchmarks"
    events = variable("EVENTS").flatMap { Int($0) } ?? 2_000_000
    keyEvents = variable("KEYEVENTS").flatMap { Int($0) } ?? 10_600_000
    only = Set((variable("ONLY") ?? "").split(separator: ",").map(String.init))
    kafka = variable("KAFKA")
  }
  private let kafka: String?

  func all() throws {
    guard mkdir(work, 0o755) == 0 || errno == EEXIST else {
      throw BenchmarkError("cannot make \(work): errno \(errno)")
    }
    defer { remove("") }
    figure("decode") { try decode() }
    figure("orders") { try project("orders projection", "plain", target: "≥ 350,000 a core") }
    figure("audit") { try project("… with the audit view", "audit", target: "≥ 250,000 a core") }
    figure("threads") { try compareThreads() }
    if kafka != nil { figure("kafka") { try projectKafka() } }
    figure("latency") { try latency() }
    figure("append") { try appends() }
    figure("keys") { try keys() }
    figure("cgroup") { try limitedMemory() }
    figure("idle") { try idle() }
    figure("many") { try manyPartitions() }
    figure("letters") { try manyDeadLetters() }
    figure("cel") { try cel() }
    table.printAll()
    guard failures == 0 else { throw BenchmarkError("\(failures) figures failed") }
  }

  private func figure(_ name: String, _ body: () throws -> Void) {
    guard only.isEmpty || only.contains(name) else { return }
    do { try body() } catch {
      failures += 1
      Diagnostics.tell("\(name) failed, no figure: \(error)")
    }
  }

  // MARK: Steps

  func run(_ arguments: String...) throws -> ChildProcess.Outcome {
    try ChildProcess(arguments).finish()
  }

  func remove(_ name: String) {
    do { try StateDirectory.removeTree(name.isEmpty ? work : "\(work)/\(name)") } catch {
      Diagnostics.tell("\(error)")
    }
  }

  private var isGenerated = false
  /// The log of the standard workload, made once.
  private func standardLog() throws -> String {
    if !isGenerated {
      remove("log")
      _ = try run("generate", "local:\(work)/log", "benchmark", "\(events)")
      isGenerated = true
    }
    return "local:\(work)/log"
  }

  private var hasKeys = false
  /// The log of the random keys, made once; the standard one makes room for it.
  private func keysLog() throws -> String {
    if !hasKeys {
      remove("log")
      isGenerated = false
      remove("keys")
      _ = try run("generate", "local:\(work)/keys", "keys", "\(keyEvents)")
      hasKeys = true
    }
    return "local:\(work)/keys"
  }

  private func decode() throws {
    var workload = OrderWorkload(.benchmark(events: events))
    while workload.next() != nil {}
    let expected = workload.oracle.creations
    let outcome = try run("decode", try standardLog())
    guard Int(outcome["events"]) == events, Int(outcome["creations"]) == expected.count,
      Int(outcome["hundredths"]) == expected.hundredths
    else { throw BenchmarkError("other events than were written") }
    table.add(
      "read + decode", perCore(events, outcome), target: "≥ 1,100,000 a core",
      wall: outcome.wallSeconds, anonymous: outcome.anonymousBytesMax)
  }

  private func cel() throws {
    let outcome = try run("cel")
    func perSecond(_ name: String) -> String {
      "\(Table.decimal(1000 / outcome[name], 1)) M a second"
    }
    table.add("CEL: a condition on a parsed record", perSecond("evaluate"), target: "≥ 20 M")
    table.add("CEL: … with the parse of its JSON", perSecond("parse"), target: "≥ 4 M")
    table.add(
      "CEL: compile 100 characters", "\(Table.decimal(outcome["compile"] / 1000, 1)) µs",
      target: "≤ 100 µs")
  }

  @discardableResult
  private func project(
    _ name: String, _ audit: String, target: String, url: String? = nil
  ) throws -> Double {
    remove("state")
    let outcome = try run("project", try url ?? standardLog(), "\(work)/state", audit, "end")
    let checked = try run("check", "\(work)/state", audit, "benchmark", "\(events)")
    add(name, perCore(events, outcome), target, outcome, checked, events)
    remove("state")
    return Double(events) / outcome.cpuSeconds
  }

  /// The audit view's job on one thread and on two: what two cores are good for, and at what price.
  private func compareThreads() throws {
    var single: (seconds: Double, stored: Double)?
    for threads in [1, 2] {
      remove("state")
      let outcome = try run(
        "project", try standardLog(), "\(work)/state", "audit", "end", "\(threads)")
      let checked = try run("check", "\(work)/state", "audit", "benchmark", "\(events)")
      let (seconds, stored) = (outcome["seconds"], outcome["stored"])
      let one = single ?? (seconds, stored)
      single = one
      let rate = Table.grouped(Int(Double(events) / seconds))
      let bytes = Table.grouped(Int(stored) / events)
      add(
        threads == 1 ? "… on one thread" : "… on two threads",
        "\(rate) a second (\(Table.decimal(one.seconds / seconds, 2)) ×), "
          + "\(bytes) B written an event (\(Table.decimal(stored / one.stored, 2)) ×)",
        threads == 1 ? "" : "≥ 1.6 ×, ≤ 1.3 ×", outcome, checked, events)
      remove("state")
    }
  }

  private func projectKafka() throws {
    guard let kafka else { return }
    let url = "kafka://\(kafka)"
    _ = try run("generate", url, "benchmark", "\(events)")
    let embedded = try project("orders projection, embedded log again", "plain", target: "")
    let overKafka = try project("orders projection over Kafka", "plain", target: "", url: url)
    table.add(
      "… of the embedded figure", Table.decimal(overKafka / embedded, 2), target: "≥ 0.90")
  }

  private func add(
    _ name: String, _ reached: String, _ target: String, _ outcome: ChildProcess.Outcome,
    _ checked: ChildProcess.Outcome, _ events: Int
  ) {
    let (commits, state) = (sum("commits", checked), sum("state", checked))
    table.add(
      name, reached, target: target, wall: outcome.wallSeconds,
      interval: Double(events) / max(1, commits),
      pages: outcome["written"] / 4_096 / max(1, commits),
      anonymous: outcome.anonymousBytesMax, state: state)
  }

  private func sum(_ name: String, _ outcome: ChildProcess.Outcome) -> Double {
    (0..<Step.partitions).reduce(0) { $0 + outcome["\(name)\($1)"] }
  }

  private func perCore(_ events: Int, _ outcome: ChildProcess.Outcome) -> String {
    Table.grouped(Int(Double(events) / outcome.cpuSeconds)) + " a core"
  }

  private func latency() throws {
    remove("live")
    remove("state")
    let url = "local:\(work)/live"
    _ = try run("generate", url, "benchmark", "0")
    let engine = try ChildProcess(["project", url, "\(work)/state", "plain", "stay"])
    _ = try engine.wait(for: "ready")
    let seen = try run("latency", url, "\(work)/state", "10000", "1000")
    engine.signal(SIGKILL)
    let outcome = try engine.finish(orKilled: true)
    for (name, target) in [("p50", "≤ 5 ms"), ("p99", "≤ 20 ms")] {
      table.add(
        "appended → visible at \(Int(seen["rate"].rounded())) a second, \(name)",
        Table.decimal(seen[name] * 1_000, 2) + " ms", target: target,
        anonymous: outcome.anonymousBytesMax)
    }
    remove("live")
    remove("state")
  }

  private func appends() throws {
    for size in [1, 1_000] {
      remove("appends")
      let outcome = try run("append", "local:\(work)/appends", "\(size)", "3")
      table.add(
        "embedded log, appends in batches of \(size)",
        Table.grouped(Int(outcome["perSecond"])) + " a second", target: "stated")
    }
    remove("appends")
  }

  /// Five million keys and ten million ids, with a SIGKILL on the way.
  private func keys() throws {
    let url = try keysLog()
    remove("state")
    let first = try ChildProcess(["project", url, "\(work)/state", "plain", "end"])
    let watch = try StateWatch(work, partitions: Step.partitions)
    while try watch.positions() < keyEvents * 95 / 100 {
      guard first.isRunning else { throw BenchmarkError("it ended before it was killed") }
      usleep(2_000)
    }
    first.signal(SIGKILL)
    let killed = try first.finish(orKilled: true)
    let kept = try watch.positions()
    guard kept < keyEvents else { throw BenchmarkError("it had finished before it was killed") }
    let start = Clock.now
    let second = try ChildProcess(["project", url, "\(work)/state", "plain", "end"])
    let open = try second.wait(for: "open")
    while try watch.positions() == kept {
      guard second.isRunning else { throw BenchmarkError("it ended without going on") }
      usleep(500)
    }
    let back = Clock.now - start
    let rest = try second.finish()
    let checked = try run("check", "\(work)/state", "plain", "keys", "\(keyEvents)")
    table.add(
      "SIGKILL at \(Table.decimal(checked["ids"] / 2e6, 1)) million keys → processing again",
      "\(Table.decimal(back, 2)) s, of it opening \(Table.decimal(open, 2)) s",
      target: "≤ 1 s plus loading", state: sum("state", checked))
    var outcome = killed
    outcome.cpuSeconds += rest.cpuSeconds
    outcome.wallSeconds += rest.wallSeconds
    outcome.anonymousBytesMax = max(killed.anonymousBytesMax, rest.anonymousBytesMax)
    let ids = checked["ids"]
    table.add(
      "\(Table.decimal(ids / 1e6, 1)) million seen ids, random keys",
      "\(Table.decimal(Double(outcome.anonymousBytesMax) / 1e6, 0)) MB, "
        + "\(Table.decimal(checked["idMemory"] / max(1, ids), 1)) B an id in memory, "
        + "\(Table.decimal(checked["idDisk"] / max(1, ids), 1)) on disk",
      target: "≤ 300 MB", wall: outcome.wallSeconds,
      interval: Double(keyEvents) / max(1, sum("commits", checked)),
      anonymous: outcome.anonymousBytesMax, state: sum("state", checked))
    remove("state")
  }

  /// The random keys again, with a tenth of the memory that their state takes.
  private func limitedMemory() throws {
    // Measured: 371 bytes of state an event.
    let bytes = keyEvents * 365 / 10
    guard let group = MemoryGroup(bytes: bytes) else {
      return table.add(
        "state of 10 × the memory allowed", "not run: no control group can be made here",
        target: "works")
    }
    let url = try keysLog()
    remove("state")
    let outcome = try ChildProcess(
      ["project", url, "\(work)/state", "plain", "end"], cgroup: group.directory
    ).finish()
    let checked = try run("check", "\(work)/state", "plain", "keys", "\(keyEvents)")
    let state = sum("state", checked)
    table.add(
      "state of \(Table.decimal(state / Double(bytes), 1)) × the \(bytes / 1_000_000) MB allowed",
      perCore(keyEvents, outcome), target: "works", wall: outcome.wallSeconds,
      interval: Double(keyEvents) / max(1, sum("commits", checked)),
      pages: outcome["written"] / 4_096 / max(1, sum("commits", checked)),
      anonymous: outcome.anonymousBytesMax, state: state)
    remove("state")
  }

  private func idle() throws {
    remove("live")
    remove("state")
    let url = "local:\(work)/live"
    _ = try run("generate", url, "benchmark", "20000")
    let engine = try ChildProcess(["project", url, "\(work)/state", "plain", "stay"])
    _ = try engine.wait(for: "ready")
    let watch = try StateWatch(work, partitions: Step.partitions)
    while try watch.positions() < 20_000 {
      guard engine.isRunning else { throw BenchmarkError("the engine ended by itself") }
      usleep(5_000)
    }
    usleep(500_000)
    let (before, start) = (engine.cpuSeconds, Clock.now)
    usleep(10_000_000)
    let share = (engine.cpuSeconds - before) / (Clock.now - start)
    engine.signal(SIGKILL)
    _ = try engine.finish(orKilled: true)
    table.add("idle", Table.decimal(share * 100, 2) + " % of a core", target: "< 1 %")
    remove("live")
    remove("state")
  }
}
