import StateStore
import StreamCore
import Synchronization
import Testing
import TopologyTesting

@testable import Topology

/// A process holds thousands of tasks: what one of them costs is counted.
@Suite("Many tasks")
struct ManyTasksTests {
  /// A log that counts how often it is asked for offsets.
  private final class CountingLog: RecordLog {
    private let log: SimulatedLog
    private let asked = Mutex(0)
    var questions: Int { asked.withLock { $0 } }

    init(_ log: SimulatedLog) { self.log = log }

    func offsets(of place: TopicPartition) throws(LogError) -> Range<Offset> {
      asked.withLock { $0 += 1 }
      return try log.offsets(of: place)
    }

    func offsets(
      of places: [TopicPartition]
    ) throws(LogError) -> [TopicPartition: Range<Offset>] {
      asked.withLock { $0 += 1 }
      return try log.offsets(of: places)
    }

    var url: String { log.url }
    var recordBytesMax: Int { log.recordBytesMax }
    var appendBytesMax: Int { log.appendBytesMax }
    func topics() throws(LogError) -> [TopicDescription] { try log.topics() }
    func topic(_ name: String) throws(LogError) -> TopicDescription? { try log.topic(name) }
    func offset(of place: TopicPartition, at time: Timestamp) throws(LogError) -> Offset? {
      try log.offset(of: place, at: time)
    }
    func makeReader(_ options: ReaderOptions) throws(LogError) -> any RecordReader {
      try log.makeReader(options)
    }
    func makeAppender() throws(LogError) -> any RecordAppender { try log.makeAppender() }
    var administration: (any TopicAdministration)? { log.administration }
    var groupOffsets: (any GroupOffsets)? { log.groupOffsets }
    var idempotentAppends: (any IdempotentAppends)? { log.idempotentAppends }
    var expectedSequenceAppends: (any ExpectedSequenceAppends)? { log.expectedSequenceAppends }
    var transactions: (any TransactionalAppends)? { log.transactions }
    func close() { log.close() }
  }

  private func counting() throws -> Topology {
    let builder = StreamsBuilder("site")
    builder.stream("in", key: StringSerde(), value: StringSerde()).groupByKey()
      .count(named: "counts").view()
    return try builder.build()
  }

  @Test("a start, and a rewind, ask the log for the offsets of all partitions together")
  func questions() throws {
    let site = try OwnerSite(partitions: 100)
    try site.send((0..<200).map { "v\($0)" })
    let topology = try counting()
    let log = CountingLog(site.log)
    func owner() throws -> TopologyOwner {
      try TopologyOwner(
        topology, stateRoot: site.root, log: log, options: RunOptions(), clock: SystemWallClock(),
        report: { _ in })
    }
    try owner().run(untilEnd: true)
    // Where to end, and where the tasks begin.
    #expect(log.questions == 2)
    let plan = try RewindPlan.make(
      topology, to: .earliest, options: RewindOptions(), log: log, directory: site.directory)
    #expect(log.questions == 3)
    try owner().rewind(plan)
    // Two turns of tasks that are filled.
    #expect(log.questions == 5)
    #expect(try site.directory.current() == 2)
  }

  @Test("the task whose commit lies farthest back gives its memory back first")
  func order() {
    var warm = WarmTasks(tasks: 4)
    for task in [0, 1, 2, 0, 3, 1] { warm.note(task) }
    #expect(warm.count == 4)
    #expect(warm.takeOldest() == 2)
    warm.forget(0)
    #expect(warm.takeOldest() == 3)
    #expect(warm.takeOldest() == 1)
    #expect(warm.takeOldest() == nil)
    #expect(warm.count == 0)
    // What commits again and again takes no more room for it.
    for number in 0..<10_000 { warm.note(number % 2) }
    #expect(warm.count == 2)
    #expect(warm.takeOldest() == 0)
    #expect(warm.takeOldest() == 1)
  }
}
