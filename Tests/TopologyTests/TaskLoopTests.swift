import Foundation
import StateStore
import StreamCore
import Synchronization
import Testing
import TopologyTesting

@testable import Topology

/// Whose turn it is when several tasks share a thread.
@Suite("Task loop")
struct TaskLoopTests {
  /// What was committed: a partition and its position.
  private struct Commit: Hashable, CustomStringConvertible {
    let partition: Int
    let position: Offset
    init(_ partition: Int, _ position: Offset) {
      (self.partition, self.position) = (partition, position)
    }
    var description: String { "\(partition)@\(position)" }
  }

  /// The partitions of the records as they were processed: each with how many came in a row.
  private final class Order: Sendable {
    private let runs = Mutex<[Commit]>([])

    func note(_ partition: Int) {
      runs.withLock { runs in
        if let last = runs.last, last.partition == partition {
          runs[runs.count - 1] = Commit(partition, last.position + 1)
        } else {
          runs.append(Commit(partition, 1))
        }
      }
    }
    var all: [Commit] { runs.withLock { $0 } }
  }

  /// Tasks that count keys, and a log whose batches a test hands over by itself.
  private final class Site {
    let clock = VirtualClock()
    let buffers = FetchBuffers(bytesMax: .max)
    let order = Order()
    private(set) var commits: [Commit] = []
    private let root = NSTemporaryDirectory() + "projector-loop-" + UUID().uuidString
    private let engine: ManualEngine
    private let reader: any RecordReader
    private(set) var loop: TaskLoop?
    private var batches: [Int: [RecordBatch]] = [:]

    /// - Parameters:
    ///   - counts: records of each partition.
    ///   - share: the loop's part in the memory of several.
    convenience init(_ counts: Int..., interval: Int, share: IntervalShare? = nil) throws {
      try self.init(counts, interval: interval, share: share)
    }

    init(
      _ counts: [Int], interval: Int, memory: Int? = nil, share: IntervalShare? = nil
    ) throws {
      let log = SimulatedLog()
      try log.administration?.createTopic(
        "in", partitions: counts.count, retention: TopicRetention())
      for (partition, count) in counts.enumerated() {
        let records = (0..<count).map { number in
          ProducerRecord(
            key: Array("k\(number % 10)".utf8), value: [UInt8(partition)],
            timestamp: Timestamp(milliseconds: Int64(number)), partition: partition)
        }
        _ = try log.makeAppender().append(records, to: "in")
      }
      let builder = StreamsBuilder("loop")
      builder.stream("in", key: StringSerde(), value: BytesSerde())
        .peek { [order] _, value, _ in order.note(Int(value[0])) }
        .groupByKey().count(named: "counts").view()
      var options = RunOptions()
      options.reader = ReaderOptions(batchRecordsMax: 500)
      engine = try ManualEngine(
        try builder.build(), log: log, directory: StateDirectory(root: root, topology: "loop"),
        options: options, clock: clock, report: { _ in })
      reader = try log.makeReader(options.reader)
      try reader.assign(
        Dictionary(uniqueKeysWithValues: counts.indices.map { (TopicPartition("in", $0), 0) }))
      while case let read = try reader.poll(timeout: .zero), !read.isEmpty {
        for batch in read { batches[batch.topicPartition.partition, default: []].append(batch) }
      }
      var budget = IntervalBudget()
      budget.records = interval
      if let memory { budget.memory = memory }
      loop = TaskLoop(
        engine.tasks.map { ($0, nil) }, buffers: buffers,
        fetch: FetchLoop(reader: reader, buffers: buffers), budget: budget, share: share,
        clock: clock
      ) { [unowned self] task in
        for (place, position) in task.positions {
          commits.append(Commit(place.partition, position))
        }
      }
    }

    deinit {
      loop = nil
      reader.close()
      engine.close()
      try? FileManager.default.removeItem(atPath: root)
    }

    /// Lets the loop have the next so many batches of 500 records, or all that are left.
    func deliver(_ partition: Int, batches count: Int = .max) {
      let waiting = batches[partition] ?? []
      for batch in waiting.prefix(count) { _ = buffers.push(batch) }
      batches[partition] = Array(waiting.dropFirst(count))
    }

    /// How many tasks keep neither memory nor files.
    var resting: Int { engine.tasks.count { $0.state.environment.isResting } }

    func turns(_ count: Int = .max) throws {
      for _ in 0..<count { guard try loop?.turn() == true else { return } }
    }
  }

  @Test("tasks that are behind take turns by whole intervals")
  func wholeIntervals() throws {
    let site = try Site(12_000, 12_000, 12_000, interval: 4_000)
    for partition in 0..<3 { site.deliver(partition) }
    try site.turns()
    let expected = [4_000, 8_000, 12_000].flatMap { position in
      (0..<3).map { Commit($0, position) }
    }
    #expect(site.commits == expected)
    // How far a task is behind shows with its first slice.
    let runs = (0..<12).map { Commit($0 % 3, $0 < 6 ? 2_000 : 4_000) }
    #expect(site.order.all == runs)
  }

  @Test("where memory is short, tasks that rest keep none, and are there when something comes")
  func resting() throws {
    let site = try Site(Array(repeating: 600, count: 50), interval: 20_000, memory: 0)
    #expect(site.resting == 0)
    for position in [500, 600] as [Offset] {
      for partition in 0..<50 { site.deliver(partition, batches: 1) }
      try site.turns()
      // The log has more than the first batch, so its interval ends by its age.
      site.clock.advance(by: .seconds(5))
      try site.turns()
      #expect(Set(site.commits.suffix(50)) == Set((0..<50).map { Commit($0, position) }))
      // A few keep theirs: to open states again and again costs more than it frees.
      #expect(site.resting == 50 - 16)
    }
  }

  @Test("a task with little to do waits for no interval of another")
  func littleToDo() throws {
    let site = try Site(40_000, 3, interval: 20_000)
    for partition in 0..<2 { site.deliver(partition) }
    try site.turns()
    #expect(site.commits == [Commit(1, 3), Commit(0, 20_000), Commit(0, 40_000)])
    #expect(site.order.all == [Commit(0, 2_000), Commit(1, 3), Commit(0, 38_000)])
  }

  @Test("a loop that finds the memory taken by the commit of another goes on at its end")
  func memoryTaken() throws {
    let memory = IntervalMemory(bytes: 50 << 20, loops: 2)
    let site = try Site(12_000, 3, interval: 20_000, share: IntervalShare(memory, loop: 0))
    let other = IntervalMemory.Use(
      bytes: IntervalBytes(cached: 30 << 20, pages: 30 << 20), grows: true)
    #expect(memory.look(1, other) == .commit)
    memory.beginCommit(1)
    site.deliver(0)
    try site.turns()
    #expect(site.order.all == [Commit(0, 2_000)])
    #expect(site.commits.isEmpty)
    // A task that has little to do takes little.
    site.deliver(1)
    try site.turns()
    #expect(site.commits == [Commit(1, 3)])
    memory.endCommit(1, IntervalMemory.Use())
    try site.turns()
    #expect(site.commits == [Commit(1, 3), Commit(0, 12_000)])
  }

  @Test("an interval that another loop cannot wait for is committed, though its input is silent")
  func askedByAnother() throws {
    let memory = IntervalMemory(bytes: 50 << 20, loops: 2)
    let site = try Site(12_000, interval: 20_000, share: IntervalShare(memory, loop: 0))
    site.deliver(0, batches: 5)
    try site.turns()
    #expect(site.commits.isEmpty)
    // What is on its way has not come: it leads no longer.
    site.clock.advance(by: LeaderWait.max)
    // It holds more than there is, and commits nothing yet.
    _ = memory.look(1, IntervalMemory.Use(bytes: IntervalBytes(cached: 60 << 20), grows: false))
    try site.turns()
    #expect(site.commits == [Commit(0, 2_500)])
  }

  @Test("who waits for the log makes nobody wait for long, and its interval still grows old")
  func waitingForTheLog() throws {
    let site = try Site(12_000, 12_000, interval: 8_000)
    site.deliver(0, batches: 5)
    site.deliver(1)
    // The first has a slice and a half, and leads while more may be on its way.
    try site.turns()
    #expect(site.order.all == [Commit(0, 2_000), Commit(1, 2_000), Commit(0, 500)])
    #expect(site.loop?.pause == LeaderWait.max)
    site.clock.advance(by: LeaderWait.max)
    try site.turns(1)
    #expect(site.order.all.last == Commit(1, 2_000))
    #expect(site.commits.isEmpty)
    site.clock.advance(by: .seconds(5))
    try site.turns(1)
    #expect(site.commits.first == Commit(0, 2_500))
    site.deliver(0)
    try site.turns()
    #expect(site.commits.contains(Commit(0, 12_000)))
    #expect(site.commits.contains(Commit(1, 12_000)))
  }

  @Test("a task that is given its records by pieces fills its interval before another begins")
  func pieces() throws {
    let site = try Site(12_000, 12_000, interval: 6_000)
    site.deliver(0, batches: 4)
    site.deliver(1)
    for _ in 0..<4 {
      try site.turns()
      site.clock.advance(by: .milliseconds(1))
      site.deliver(0, batches: 2)
    }
    try site.turns()
    #expect(site.commits.first == Commit(0, 6_000))
    #expect(
      site.order.all.prefix(3) == [Commit(0, 2_000), Commit(1, 2_000), Commit(0, 4_000)])
  }
}
