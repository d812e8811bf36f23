import StateStore
import StreamCore
import Testing
import TopologyTesting

@testable import Topology

/// DESIGN, "Outbox": the bound counts what the slowest reader has not taken, not what is still kept; a
/// full outbox stops the task's input, and not its requests, commits and housekeeping.
@Suite("Full outboxes")
struct FullOutboxTests {
  /// A task driven by a loop in the test's thread, and a publisher that it calls itself.
  private final class Driven {
    let site: OutputSite
    let task: StreamTask
    let outputs: TaskOutputs
    let loop: TaskLoop
    private let engine: ManualEngine
    private let reader: any RecordReader

    init(_ bound: OutboxBound, records: Int) throws {
      site = try OutputSite()
      try site.send(0..<records)
      var options = RunOptions()
      options.outbox = bound
      engine = try ManualEngine(
        try OutputSite.topology(), log: site.log,
        directory: StateDirectory(root: "\(site.root)/s", topology: "copies"), options: options,
        clock: VirtualClock(), report: { _ in })
      task = engine.tasks[0]
      outputs = try #require(engine.outputs(of: task))
      reader = try site.log.makeReader(ReaderOptions())
      try reader.assign([TopicPartition("in", 0): 0])
      let buffers = FetchBuffers(bytesMax: .max)
      loop = TaskLoop(
        [(task, outputs)], buffers: buffers, fetch: FetchLoop(reader: reader, buffers: buffers),
        budget: IntervalBudget(), clock: VirtualClock(), onCommit: { _ in })
      while case let read = try reader.poll(timeout: .zero), !read.isEmpty {
        for batch in read { _ = buffers.push(batch) }
      }
    }

    deinit {
      reader.close()
      engine.close()
    }

    func turns() throws { while try loop.turn() {} }
    var position: Offset { task.positions[TopicPartition("in", 0)] ?? 0 }
  }

  /// Between two looks lie strides of 256 records at most.
  @Test(
    "it stops the input until something was taken, trimmed or not",
    arguments: [OutboxBound(records: 1_000), OutboxBound(bytes: 100_000)])
  func stopsInput(bound: OutboxBound) throws {
    let driven = try Driven(bound, records: 5_000)
    try driven.turns()
    let full = driven.outputs.pending
    #expect(driven.outputs.isFull)
    #expect(driven.position == full.records)
    #expect(full.records < 2_000)
    if bound.records < full.records { #expect(full.records < bound.records + 256) }
    // Nobody could take of an interval that is open.
    #expect(!driven.task.isDirty)
    try driven.turns()
    #expect(driven.position == full.records)
    try driven.outputs.publish()
    #expect(driven.outputs.pending.records == 0)
    #expect(driven.outputs.pending.bytes == 0)
    #expect(driven.task.state.outbox.pendingCount(0) == full.records)
    var rounds = 0
    while driven.position < 5_000 {
      try driven.turns()
      try driven.outputs.publish()
      rounds += 1
    }
    #expect(rounds > 2)
    #expect(try driven.site.values() == OutputSite.values(0..<5_000))
  }

  @Test("it stops neither requests nor housekeeping")
  func goesOnOtherwise() throws {
    let driven = try Driven(OutboxBound(records: 100), records: 1_000)
    try driven.turns()
    let position = driven.position
    let ended = Collected<Bool>()
    let task = TaskName(subTopology: "in", partition: 0)
    let work = OutboxSkipWork(
      [OutboxEntryID(task: task, number: 5, destination: "out")], request: "r",
      outputs: driven.outputs
    ) { ended.add($0 == nil) }
    driven.loop.post(work, to: 0)
    try driven.turns()
    #expect(ended.all == [true])
    #expect(work.progress.value.skipped == 1)
    #expect(driven.position == position)
    try driven.outputs.publish()
    while driven.position < 1_000 {
      try driven.turns()
      try driven.outputs.publish()
    }
    // What was sent is forgotten with the intervals that follow.
    #expect(driven.task.state.outbox.pendingCount(0) < 400)
    #expect(try driven.site.values() == OutputSite.values(0..<4) + OutputSite.values(5..<1_000))
  }

  @Test("a claimed entry and those behind it wait until it is left out")
  func claims() throws {
    let site = try OutputSite()
    try site.send(0..<10)
    let engine = try site.engine()
    defer { engine.close() }
    let task = engine.tasks[0]
    let outputs = try #require(engine.outputs(of: task))
    func id(_ number: Int64) -> OutboxEntryID {
      OutboxEntryID(
        task: TaskName(subTopology: "in", partition: 0), number: number, destination: "out")
    }
    #expect(outputs.claim(id(7)))
    try engine.run(commitEvery: 100)
    #expect(try site.values() == OutputSite.values(0..<6))
    #expect(!outputs.claim(id(6)))
    #expect(outputs.claim(id(8)))
    #expect(try task.skipOutboxEntry(7, to: "out"))
    try task.commit()
    outputs.release([id(7)])
    try outputs.publish()
    #expect(try site.values() == OutputSite.values(0..<6))
    #expect(!outputs.claim(id(7)))
    // Given up.
    outputs.release([id(8)])
    try outputs.publish()
    #expect(try site.values() == OutputSite.values(0..<6) + OutputSite.values(7..<10))
  }
}
