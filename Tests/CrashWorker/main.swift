import EmbeddedLog
import EngineChecks
import FaultyDisk
import Glibc
import StateStore
import StreamCore
import Topology

// A process that runs a topology and is killed, for the crash check.
//
//     CrashWorker feed LOG SEED COUNT    appends records to `in`
//     CrashWorker run LOG STATE          runs until the end of the log
//     CrashWorker rewind LOG STATE       rebuilds from the earliest offset and swaps generations
//     CrashWorker restore LOG STATE      rebuilds as of the log's end: from a snapshot, if there is one
//     CrashWorker operate LOG WORDS...   what a schedule of the operations check has it do
//     CrashWorker show LOG STATE         prints all that can be seen of the state and the outputs
//
// PROJECTOR_KILL_AT=N dies before the Nth disk operation, PROJECTOR_FULL_AT=N finds the disk full
// from there on. The last line of `run`, `rewind` and `restore` is the number of disk operations.
// A run takes snapshots as fast as it can, and one at its end.

func say(_ line: String) {
  let bytes = Array((line + "\n").utf8)
  _ = bytes.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
}

func options() -> RunOptions {
  var options = RunOptions()
  options.budget.records = 7
  options.reader.batchRecordsMax = 5
  options.threads = 2
  options.snapshots = SnapshotPolicy(interval: .milliseconds(1), kept: 2)
  return options
}

func feed(_ log: EmbeddedLog, seed: UInt64, count: Int) throws {
  try log.administration?.createTopic("in", partitions: 2, retention: TopicRetention())
  var state = seed
  func next(_ limit: UInt64) -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return (state >> 33) % limit
  }
  var records: [ProducerRecord] = []
  for number in 0..<count {
    if !records.isEmpty, next(8) == 0 {
      records.append(records[Int(next(UInt64(records.count)))])
      continue
    }
    let value = next(30) == 0 ? "bad \(number)" : "\(number) "
    records.append(
      ProducerRecord(
        key: Array("k\(next(9))".utf8), value: Array(value.utf8),
        headers: [Header("eventId", "e\(number)")],
        timestamp: Timestamp(milliseconds: Int64(number) * 10)))
  }
  _ = try log.makeAppender().append(records, to: "in")
}

func show(_ log: EmbeddedLog, _ state: String) throws {
  let directory = StateDirectory(root: state, topology: "crash")
  var quiet = options()
  quiet.publishes = false
  let engine = try ManualEngine(
    try CrashTopology.build(), log: log, directory: directory, options: quiet,
    clock: SystemWallClock(), report: { _ in })
  for store in ["counts", "texts", "reminders"] {
    for (key, row) in try engine.rows(store).sorted(by: { $0.key < $1.key }) {
      say("row \(store) \(key) \(row)")
    }
  }
  for (counter, count) in engine.counters.sorted(by: { $0.key < $1.key }) {
    say("counter \(counter) \(count)")
  }
  for kept in try engine.deadLetters() + engine.heldRecords() {
    say("kept \(kept.record.topicPartition)@\(kept.record.offset)")
  }
  engine.close()
  for topic in ["texts", "timers", "dead"] {
    for line in try outputs(log, topic).sorted() { say(line) }
  }
}

/// Outputs as a read-committed reader sees them: id, key and value, without their offsets.
func outputs(_ log: EmbeddedLog, _ topic: String) throws -> [String] {
  var lines: [String] = []
  for partition in 0..<(try log.topic(topic)?.partitions ?? 0) {
    let place = TopicPartition(topic, partition)
    let offsets = try log.offsets(of: place)
    let reader = try log.makeReader(ReaderOptions())
    defer { reader.close() }
    try reader.assign([place: offsets.lowerBound])
    var position = offsets.lowerBound
    while position < offsets.upperBound {
      for batch in try reader.poll(timeout: .seconds(1)) {
        for index in 0..<batch.count {
          let record = batch.record(at: index)
          let id = record.headers.last { $0.name == "eventId" }?.value ?? []
          let parts = [id, record.key ?? [], record.value ?? []]
          lines.append(
            "output \(topic) "
              + parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " "))
        }
        position = batch.nextOffset
      }
    }
  }
  return lines
}

func own(_ log: EmbeddedLog, _ state: String) throws -> TopologyOwner {
  try TopologyOwner(
    try CrashTopology.build(), stateRoot: state, log: log, options: options(),
    clock: SystemWallClock(), report: { _ in })
}

func rewind(_ log: EmbeddedLog, _ state: String, to target: RewindTarget) throws {
  let plan = try RewindPlan.make(
    try CrashTopology.build(), to: target, options: RewindOptions(), log: log,
    directory: StateDirectory(root: state, topology: "crash"))
  for line in plan.lines { say(line) }
  try own(log, state).rewind(plan)
}

let arguments = CommandLine.arguments
do {
  let log = try EmbeddedLog.open(arguments[2], create: true)
  let (kill, full) = (
    CrashTopology.number("PROJECTOR_KILL_AT"), CrashTopology.number("PROJECTOR_FULL_AT")
  )
  if kill > 0 { faulty_disk_kill_at(kill) }
  if full > 0 { faulty_disk_fill_at(full) }
  let before = faulty_disk_calls()
  switch arguments[1] {
  case "feed":
    try feed(log, seed: UInt64(arguments[3]) ?? 0, count: Int(arguments[4]) ?? 0)
  case "run": try own(log, arguments[3]).run(untilEnd: true)
  case "operate":
    guard let victim = Victim(Array(arguments.dropFirst(3))) else { exit(64) }
    try victim.perform(on: log)
  case "rewind": try rewind(log, arguments[3], to: .earliest)
  case "restore":
    let inputs = (0..<2).map { TopicPartition("in", $0) }
    let ends = try inputs.map { ($0, try log.offsets(of: $0).upperBound) }
    try rewind(log, arguments[3], to: .offsets(Dictionary(uniqueKeysWithValues: ends)))
  default: try show(log, arguments[3])
  }
  if ["run", "rewind", "restore"].contains(arguments[1]) {
    say("\(faulty_disk_calls() - before)")
  }
} catch {
  say("error: \(error)")
  exit(1)
}
