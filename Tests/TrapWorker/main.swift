import EmbeddedLog
import Glibc
import StateStore
import StreamCore
import Topology

// A process whose user code ends it.
//
//     TrapWorker unit FILE WAY             runs two units, the second of which traps
//     TrapWorker feed DIR KEY:VALUE...     appends records; the first ones make the topic
//     TrapWorker run DIR                   runs to the log's end
//     TrapWorker retry DIR                 retries all dead letters
//     TrapWorker rewind DIR [VERSION]      rebuilds from the log's start
//     TrapWorker verify DIR                prints whether the views are equal
//     TrapWorker show DIR                  prints what can be seen of the state
//
// TRAP_WAY is how the handler ends for a value `trap` and a timer of the key `t`, TRAP_POLICY what
// the topology's policies are.
TrapReport.install()
DamageReport.install()
let arguments = CommandLine.arguments

/// At once: what is buffered is lost where the process is ended.
func say(_ line: String) {
  let bytes = Array((line + "\n").utf8)
  _ = bytes.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
}

func overflow(_ depth: Int) -> Int { depth < 0 ? 0 : overflow(depth + 1) + 1 }

struct Thrown: Error {}

/// Counts in an `Int8`, of which the optimizer knows nothing.
func number(_ text: String) -> Int8 { Int8(text) ?? 0 }

func end(by way: String) throws {
  switch way {
  case "trap": fatalError("a handler's own check")
  case "index": print([1, 2][Int(number("7"))])
  case "arithmetic": print(number("100") + number("100"))
  case "abort": abort()
  case "memory": unsafe UnsafeMutablePointer<Int>(bitPattern: 8)?.pointee = 1
  case "stack": print(overflow(0))
  case "sent": raise(SIGFPE)
  case "throw": throw Thrown()
  default: return
  }
}

func environment(_ name: String) -> String {
  unsafe getenv(name).map { unsafe String(cString: $0) } ?? ""
}

func topology(version: Int = 1) throws -> Topology {
  let (way, word) = (environment("TRAP_WAY"), environment("TRAP_POLICY"))
  let policy = ErrorPolicy(ErrorPolicy.Action(rawValue: word) ?? .deadLetter)
  let builder = StreamsBuilder("traps")
  let source = builder.stream(
    "in", key: StringSerde(), value: StringSerde(), policies: SourcePolicies(process: policy))
  source.project(named: "texts", as: StringSerde(), missing: .upsert, version: version) {
    row, value, _ in
    if value == "trap" { try end(by: way) }
    return .put((row ?? "") + value + ",")
  }.view()
  let seen = builder.store(named: "seen", key: String.self, as: StringSerde())
  let _: KStream<String, String> = source.process(
    named: "remind", stores: ["seen"], firings: FiringPolicies(process: policy)
  ) { context in
    let store = context.store(seen)
    return Processor(
      onTimer: { key, _ in
        if key == "t" { try end(by: way) }
        try store.put(key, "fired")
      },
      process: { key, value in
        guard value == "timer" else { return }
        try context.schedule(key, at: context.record.timestamp + .milliseconds(1))
      })
  }
  return try builder.build()
}

func runUnits(_ path: String, _ way: String) throws {
  try TrapReport.onThread {
    let site = TrapSite(path: path, generation: 2, task: "orders-3", input: "orders-3")
    // A unit that went through leaves nothing.
    site.run(offset: 499, unit: 11) {}
    if way == "outside" { fatalError("between two units") }
    try site.run(offset: 500, unit: 12) { try end(by: way) }
  }
}

func feed(_ log: EmbeddedLog, _ texts: ArraySlice<String>) throws {
  if try log.topic("in") == nil {
    try log.administration?.createTopic("in", partitions: 1, retention: TopicRetention())
  }
  let first = try log.offsets(of: TopicPartition("in", 0)).upperBound
  _ = try log.makeAppender().append(
    texts.enumerated().map { index, text in
      let parts = text.split(separator: ":").map { Array($0.utf8) }
      let number = first + Int64(index)
      return ProducerRecord(
        key: parts[0], value: parts[1], headers: [Header("eventId", "\(number)")],
        timestamp: Timestamp(milliseconds: number * 10))
    }, to: "in")
}

func show(_ log: EmbeddedLog, _ directory: StateDirectory) throws {
  var options = RunOptions()
  options.publishes = false
  let engine = try ManualEngine(
    try topology(), log: log, directory: directory, options: options, clock: SystemWallClock(),
    report: { _ in })
  defer { engine.close() }
  for store in ["texts", "seen"] {
    for (key, row) in try engine.rows(store).sorted(by: { $0.key < $1.key }) {
      say("\(store) \(key) \(row)")
    }
  }
  for kept in try engine.deadLetters() {
    guard case .failed(let reason, _, _) = kept.why else { continue }
    say("dead \(kept.record.offset) \(reason)")
  }
  for kept in try engine.heldRecords() { say("held \(kept.record.offset)") }
  for name in ["consumed", "trapped", "deadLettered{trapped}", "deadLettered{skipped}"] {
    if let count = engine.counters[name] { say("\(name) \(count)") }
  }
  say("lines \(try TrappedUnits(path: "\(directory.path)/trapped").units.count)")
}

do {
  let path = arguments[2]
  if arguments[1] == "unit" {
    try runUnits(path, arguments[3])
    exit(0)
  }
  let log = try EmbeddedLog.open("\(path)/log", create: true)
  let directory = StateDirectory(root: "\(path)/state", topology: "traps")
  let version = arguments.count > 3 ? Int(arguments[3]) ?? 1 : 1
  let own = {
    var options = RunOptions()
    options.threads = 2
    return try TopologyOwner(
      try topology(version: version), stateRoot: "\(path)/state", log: log, options: options,
      clock: SystemWallClock(), report: { say($0) })
  }
  switch arguments[1] {
  case "feed": try feed(log, arguments.dropFirst(3))
  case "run": try own().run(untilEnd: true)
  case "retry":
    // A request has its effect once: each is one of its own.
    let retry = Request(id: "retry-\(getpid())", verb: "retry", arguments: [:])
    say(try own().carryOut(retry).message)
  case "rewind": try own().rewind(to: .earliest, RewindOptions())
  case "verify":
    let views = try StateVerification(
      try topology(version: version), directory, log: log, options: RunOptions(),
      clock: SystemWallClock(), canonical: { $0 }
    ).run()
    say("\(views.map(\.isEqual))")
  default: try show(log, directory)
  }
} catch {
  say("error: \(error)")
  exit(1)
}
