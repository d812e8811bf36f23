import ArgumentParser
import ChildProcesses
import EmbeddedLog
import Glibc
import OrderProjections
import StreamCore
import Topology

struct Demo: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Shows the main job: order events become views, through a SIGKILL.",
    discussion: """
      Generates an order log, runs topology order-projections on it as a process of its own, \
      kills that half-way, starts it again, and queries what came of it. The directory stays, so \
      that the commands shown can be repeated.
      """)

  @Option(help: "Records to generate.") var events = 1_000_000
  @Option(help: ArgumentHelp("Where log and state go; emptied first.", valueName: "dir"))
  var directory = "projector-demo"
  @OptionGroup var common: CommonOptions

  private static let topologyName = "order-projections"
  private static let topic = "order-events"
  private static let partitions = 4
  private static let marker = ".projector-demo"

  private var log: String { "local:\(directory)/log" }
  private var state: String { "\(directory)/state" }
  private var undisturbed: String { "\(directory)/undisturbed" }

  func run(in session: Session) throws {
    guard events >= 1_000 else {
      throw Failure.usage("the demo needs 1,000 records at least", todo: "correct --events")
    }
    try prepareDirectory()
    let out = session.output
    let expected = try generate(out)
    try runThroughKill(out)
    try checkFates(expected, out)
    try showViews(expected, out)
    try compareDigests(out)
    try out.write(
      "\nAll of it stays in \(directory): repeat the commands above, or remove it.\n")
  }

  // MARK: The log

  private func prepareDirectory() throws {
    let names = try StateDirectory.entries(directory)
    let isOurs = access("\(directory)/\(Self.marker)", F_OK) == 0
    guard names.isEmpty || isOurs else {
      throw Failure(
        .invalid, "the directory holds something else", at: directory,
        todo: "name another one with --directory")
    }
    try StateDirectory.removeTree(directory)
    guard mkdir(directory, 0o755) == 0 else { throw SystemFile.failure("create", directory) }
    let file = open("\(directory)/\(Self.marker)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw SystemFile.failure("create", directory) }
    close(file)
  }

  private func generate(_ out: StandardOutput) throws -> OrderOracle {
    let started = ContinuousClock.now
    try out.write(
      "1. An order log of \(events.grouped) records in \(Self.partitions) partitions, seed 1: "
        + "redelivered, overtaking and broken ones, two envelopes, two schema versions\n")
    try out.flush()
    let log = try EmbeddedLog.open(self.log, create: true)
    defer { log.close() }
    guard let administration = log.administration else {
      preconditionFailure("the embedded log has topic administration")
    }
    try administration.createTopic(
      Self.topic, partitions: Self.partitions, retention: TopicRetention())
    let appender = try log.makeAppender()
    defer { appender.close() }
    var plan = OrderWorkloadPlan.demo(events: events)
    if events < 10_000 { plan.defectsOfEachKind = 1 }
    var workload = OrderWorkload(plan)
    let progress = ProgressBar("generating", of: events)
    var batch: [ProducerRecord] = []
    while let record = workload.next() {
      batch.append(record)
      if batch.count == 5_000 {
        _ = try appender.append(batch, to: Self.topic)
        batch.removeAll(keepingCapacity: true)
        progress.update(workload.emitted)
      }
    }
    if !batch.isEmpty { _ = try appender.append(batch, to: Self.topic) }
    progress.finish()
    try out.write("   in the log after \(Self.seconds(since: started))\n\n")
    return workload.oracle
  }

  // MARK: The kill

  private func runArguments(_ state: String) -> [String] {
    [
      "run", Self.topologyName, "--log", log, "--state", state, "--until-end", "--log-level",
      "error",
    ]
      // A short log still takes several commits, so that there is a half to be killed at.
      + (events < 500_000 ? ["--set", "commitRecords=\(events / 40)"] : [])
  }

  private func runThroughKill(_ out: StandardOutput) throws {
    try out.write("2. Run it, and SIGKILL it half-way\n")
    try show(runArguments(state), out)
    let started = ContinuousClock.now
    let first = try projector(runArguments(state), output: .discarded)
    let progress = ProgressBar("running", of: events)
    var done = 0
    while first.isRunning {
      done = try processed()
      progress.update(done)
      if done >= events / 2 {
        first.kill()
        break
      }
      usleep(5_000)
    }
    let ended = first.wait()
    if ended != .signal(SIGKILL) { try Self.expect(ended, "the first run") }
    progress.finish()
    let wasKilled = done >= events / 2
    done = try processed()
    try out.write(
      "   \(wasKilled ? "killed" : "ended too soon to be killed,") with \(done.grouped) of \(events.grouped) records committed, after "
        + "\(Self.seconds(since: started)); start it again:\n")
    try show(runArguments(state), out)
    let restarted = ContinuousClock.now
    let second = try projector(runArguments(state), output: .discarded)
    while second.isRunning {
      progress.update(try processed())
      usleep(20_000)
    }
    try Self.expect(second.wait(), "the second run")
    progress.finish()
    try out.write(
      "   went on from its last commit; done after \(Self.seconds(since: restarted))\n\n")
  }

  /// Records of the log that the state has behind it.
  private func processed() throws -> Int {
    let directory = StateDirectory(root: state, topology: Self.topologyName)
    guard let state = try TopologyState.whereStarted(directory) else { return 0 }
    return try state.tasks.reduce(0) { sum, task in
      try (task.whereStarted { try $0.positions() } ?? []).reduce(sum) { $0 + Int($1.offset) }
    }
  }

  // MARK: What came of it

  private func checkFates(_ expected: OrderOracle, _ out: StandardOutput) throws {
    try out.write("3. Every record has one fate\n")
    try showOutput(["status", Self.topologyName, "--log", log, "--state", state], out)
    let counters = try TopologyStatus.read(
      StateDirectory(root: state, topology: Self.topologyName)
    ).counters
    let wrong = expected.fates.filter { (counters[$0.key] ?? 0) != Int64($0.value) }
    guard wrong.isEmpty else {
      let list = wrong.sorted { $0.key < $1.key }
        .map { "\($0.key) \(counters[$0.key] ?? 0) instead of \($0.value)" }
      throw Failure(
        .different, "fates differ from the generator's: \(list.joined(separator: ", "))",
        at: state)
    }
    try out.write("   They are those that the generator counted.\n\n")
  }

  private func showViews(_ expected: OrderOracle, _ out: StandardOutput) throws {
    let options = ["--state", state]
    let customer = expected.customer(0)
    let query = ["query", Self.topologyName]
    try out.write("4. One customer's orders, page by page\n")
    for page in 0..<2 {
      try showOutput(
        query + [
          "orders", "index", "byCustomer", customer, "--page", "\(page)", "--size", "5",
          "--format", "table",
        ] + options, out)
    }
    try out.write("\n5. One order and its history\n")
    let order = expected.orders(ofCustomer: 0).last ?? expected.row(0).key
    try showOutput(query + ["orders", "get", order] + options, out)
    try showOutput(
      query + ["order-events-by-aggregate", "scan", "--prefix", order] + options, out)
    try out.write("\n6. The dead letters\n")
    try showOutput(["dead-letters", Self.topologyName, "list"] + options, out)
  }

  private func compareDigests(_ out: StandardOutput) throws {
    try out.write("\n7. Digests, beside those of an undisturbed run\n")
    try show(runArguments(undisturbed), out)
    try Self.expect(
      projector(runArguments(undisturbed), output: .discarded).wait(), "the undisturbed run")
    var digests: [String] = []
    for state in [state, undisturbed] {
      let arguments = ["digest", Self.topologyName, "--state", state]
      try show(arguments, out)
      let child = try projector(arguments, output: .captured)
      let text = String(decoding: try child.output(), as: UTF8.self)
      try Self.expect(child.wait(), "digest")
      try out.write(text)
      digests.append(text)
    }
    guard digests[0] == digests[1] else {
      throw Failure(.different, "the digests differ", at: directory)
    }
    try out.write("   They are equal.\n")
  }

  // MARK: Showing

  private func show(_ arguments: [String], _ out: StandardOutput) throws {
    try out.write("   $ \(Projector.executableName) \(arguments.joined(separator: " "))\n")
    try out.flush()
  }

  private func showOutput(_ arguments: [String], _ out: StandardOutput) throws {
    try show(arguments, out)
    try Self.expect(projector(arguments).wait(), arguments[0])
  }

  /// This program, run again; settings of our own environment stay here, so that the child does
  /// what its arguments say.
  private func projector(_ arguments: [String], output: ChildProcess.Output = .inherited) throws
    -> ChildProcess
  {
    let variables = ProcessEnvironment.variables().filter { !$0.key.hasPrefix("PROJECTOR_") }
    do {
      return try ChildProcess(
        "/proc/self/exe", arguments, environment: variables, output: output)
    } catch {
      throw Failure(.failed, "\(error)", at: "demo")
    }
  }

  private static func expect(_ ending: ChildProcess.Ending, _ what: String) throws {
    let how: String
    switch ending {
    case .exit(0): return
    case .exit(let status): how = "status \(status)"
    case .signal(let signal): how = "signal \(signal)"
    }
    throw Failure(
      .failed, "\(what) ended with \(how)", at: "demo", todo: "its message is above")
  }

  private static func seconds(since start: ContinuousClock.Instant) -> String {
    let tenths = (ContinuousClock.now - start).milliseconds / 100
    return "\(tenths / 10).\(tenths % 10) s"
  }
}
