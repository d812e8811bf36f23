import ChildProcesses
import EmbeddedLog
import Foundation
import StreamCore
import Testing
import TopologyTesting

/// What holds between processes, and after the death of one.
@Suite("the embedded log among processes", .serialized)
struct ProcessTests {
  let directory: TemporaryDirectory
  let log: EmbeddedLog
  let place = TopicPartition("t", 0)

  init() throws {
    directory = try TemporaryDirectory()
    log = try EmbeddedLog.open(directory.path, create: true)
    try log.createTopic("t", partitions: 1, retention: TopicRetention())
  }

  @Test(
    "what was acknowledged survives SIGKILL of its process", arguments: [1, 7, 300], 1...3)
  func killedAppenders(batch: Int, seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    let workers = try ["a", "b", "c"].map {
      try Worker("append", directory.path, "t", $0, "\(batch)")
    }
    var acknowledged: [[String]] = [[], [], []]
    for (index, worker) in workers.enumerated() {
      for _ in 0..<(5 + random.next(upTo: 200)) {
        acknowledged[index].append(try #require(try worker.line()))
      }
    }
    for (index, worker) in workers.enumerated() {
      worker.kill()
      #expect(worker.end() == .signal(SIGKILL))
      // Lines that were on their way; the last may be cut short.
      acknowledged[index] += try worker.lines()
    }
    // The log goes on. What was on disk, but not yet announced to readers when its process died,
    // shows with the next append at the latest.
    let after = try log.append(["after"], to: "t")
    let records = try log.contents(place)
    #expect(after.first?.offset == Offset(records.count - 1))
    #expect(records.map { $0.offset } == (0..<records.count).map { Offset($0) })
    let values = records.map { String(decoding: $0.value ?? [], as: UTF8.self) }
    for (index, name) in ["a/", "b/", "c/"].enumerated() {
      for line in acknowledged[index] {
        let fields = line.split(separator: " ")
        #expect(values[Int(fields[1]) ?? -1] == "\(name)\(fields[0])", "batch \(batch)")
      }
      let own = values.filter { $0.hasPrefix(name) }
      #expect(own == (0..<own.count).map { "\(name)\($0)" }, "the records of \(name) in order")
      #expect(own.count % batch == 0, "a batch is all or nothing")
    }
  }

  @Test("several processes make one log at once: it is made once, whole")
  func madeAtOnce() throws {
    let rounds = 40
    let parent = try TemporaryDirectory()
    let names = (0..<6).map { "p\($0)" }
    let workers = try names.map { try Worker("create", parent.path, $0, "\(rounds)") }
    for worker in workers {
      let lines = try worker.lines()
      #expect(lines.count == rounds && lines.allSatisfy { $0.hasPrefix("0 ") }, "\(lines)")
      #expect(worker.end() == .exit(0))
    }
    for round in 0..<rounds {
      let log = try EmbeddedLog.open("\(parent.path)/\(round)/log", create: false)
      #expect(try log.values(place).sorted() == names.map { "\($0)/0" }, "round \(round)")
    }
  }

  @Test("a process that is killed while it makes a log leaves one, or nothing", arguments: 1...6)
  func killedMaker(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    let parent = try TemporaryDirectory()
    let worker = try Worker("create", parent.path, "a", "10000")
    for _ in 0..<random.next(upTo: 30) { _ = try worker.line() }
    usleep(UInt32(random.next(upTo: 3_000)))
    worker.kill()
    _ = worker.end()
    for name in try FileManager.default.contentsOfDirectory(atPath: parent.path) {
      let log = try EmbeddedLog.open("\(parent.path)/\(name)/log", create: true)
      if try log.topic("t") == nil {
        try log.createTopic("t", partitions: 1, retention: TopicRetention())
      }
      _ = try log.append(["b/0"], to: "t")
      #expect(try log.values(place).last == "b/0")
    }
  }

  @Test("a lock that another holds on the log's file is waited for a while, then named")
  func foreignLock() throws {
    let other = try TemporaryDirectory()
    let path = other.path + "/data.mdb"
    try EmbeddedLog.open(other.path, create: true).close()
    let file = open(path, O_RDWR)
    defer { close(file) }
    try #require(file >= 0 && flock(file, LOCK_EX) == 0)
    let error = #expect(throws: LogError.self) {
      try EmbeddedLog.open(other.path, create: true, patience: .milliseconds(100))
    }
    #expect(error?.code == .unreachable)
    #expect(
      error?.message.hasPrefix("process \(getpid()) ") == true
        && error?.message.contains("holds a lock on data.mdb") == true, "\(error?.message ?? "")")
    flock(file, LOCK_UN)
    #expect(try EmbeddedLog.open(other.path, create: true).topics() == [])
  }

  @Test("waking one reader wakes no other process's")
  func wakingOne() throws {
    let worker = try Worker("tail", directory.path, "t")
    defer {
      worker.kill()
      _ = worker.end()
    }
    #expect(try worker.line() == "ready")
    _ = try log.append(["a"], to: "t")
    #expect(try worker.line() == "a")
    // Of 32 readers in a row one may share its bit with the other process's.
    var disturbing = 0
    for _ in 0..<3 {
      let reader = try log.makeReader(ReaderOptions())
      let before = try worker.wakeUps()
      let began = ContinuousClock.now
      for _ in 0..<200 { reader.wake() }
      let seconds = Int((ContinuousClock.now - began).components.seconds) + 1
      if try worker.wakeUps() - before > 5 + 2 * seconds { disturbing += 1 }
    }
    #expect(disturbing <= 1)
    // Nor does a group that is told its position.
    let before = try worker.wakeUps()
    let began = ContinuousClock.now
    for offset in 0..<50 { try log.commit(group: "g", [place: Offset(offset)]) }
    let seconds = Int((ContinuousClock.now - began).components.seconds) + 1
    #expect(try worker.wakeUps() - before <= 5 + 2 * seconds)
  }

  @Test("a reader in another process is woken by each append, and needs no processor meanwhile")
  func wokenReader() throws {
    let worker = try Worker("tail", directory.path, "t")
    defer {
      worker.kill()
      _ = worker.end()
    }
    #expect(try worker.line() == "ready")
    for round in 0..<50 {
      _ = try log.append(["\(round)"], to: "t")
      #expect(try worker.line() == "\(round)")
    }
    // It looks again once a second at most, however often another log is appended to.
    let other = try TemporaryDirectory()
    let busy = try EmbeddedLog.open(other.path, create: true)
    try busy.createTopic("t", partitions: 1, retention: TopicRetention())
    let before = try worker.wakeUps()
    let began = ContinuousClock.now
    for _ in 0..<200 { _ = try busy.append(["x"], to: "t") }
    let seconds = Int((ContinuousClock.now - began).components.seconds) + 1
    #expect(try worker.wakeUps() - before <= 5 + 2 * seconds)
  }

  @Test("a killed reader does not hinder the others")
  func killedReader() throws {
    for round in 0..<5 {
      let worker = try Worker("tail", directory.path, "t")
      #expect(try worker.line() == "ready")
      _ = try log.append(["\(round)"], to: "t")
      #expect(try worker.line() == "0")
      worker.kill()
      _ = worker.end()
    }
    #expect(try log.values(place) == (0..<5).map { "\($0)" })
  }

  @Test("this process reads what others append while they append it")
  func readingAlong() throws {
    let workers = try ["a", "b"].map { try Worker("append", directory.path, "t", $0, "10", "500") }
    let reader = try log.makeReader(ReaderOptions(batchRecordsMax: 64))
    try reader.assign([place: 0])
    var values: [String] = []
    while values.count < 1_000 {
      for batch in try reader.poll(timeout: .seconds(30)) {
        #expect(batch.entries.first?.offset ?? Offset(values.count) == Offset(values.count))
        values += (0..<batch.count).map {
          String(decoding: batch.record(at: $0).value ?? [], as: UTF8.self)
        }
      }
    }
    for worker in workers {
      #expect(try worker.lines().count == 500)
      #expect(worker.end() == .exit(0))
    }
    for name in ["a", "b"] {
      #expect(values.filter { $0.hasPrefix(name) } == (0..<500).map { "\(name)/\($0)" })
    }
  }

  @Test("a map grown by another process is taken over")
  func growth() throws {
    let path = try TemporaryDirectory()
    let small = try EmbeddedLog.open(path.path, create: true, mapSize: 1 << 20)
    try small.createTopic("t", partitions: 1, retention: TopicRetention())
    // The other process maps 16 GiB and goes beyond what this one has mapped.
    let worker = try Worker("append", path.path, "t", "a", "1000", "100000")
    #expect(try worker.lines().count == 100_000)
    #expect(try small.values(place).count == 100_000)
    #expect(try small.append(["z"], to: "t").first?.offset == 100_000)
  }
}
