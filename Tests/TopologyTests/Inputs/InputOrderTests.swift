import StreamCore
import Testing
import Topology
import TopologyTesting

/// The merge rule of a task, what it journals, and what a replay makes of that.
@Suite("Order of inputs")
struct InputOrderTests {
  /// Inputs whose times also go back, and now and then are not there.
  static func inputs(_ random: inout SplitMix64) -> [SimulatedInput] {
    (0..<Int.random(in: 1...4, using: &random)).map { number in
      let input = SimulatedInput("input-\(number)")
      var time: Int64 = 0
      for _ in 0..<Int.random(in: 0...40, using: &random) {
        time += [0, 0, 0, 1, 1, 5].randomElement(using: &random) ?? 0
        let back: Int64 = [0, 0, 0, 0, 3, 10].randomElement(using: &random) ?? 0
        input.times.append(
          Int.random(in: 0..<20, using: &random) == 0
            ? .none : OrderTime(Timestamp(milliseconds: max(0, time - back))))
      }
      return input
    }
  }

  /// Lets a task live through appends, fetches, decisions, idle times, commits and crashes.
  static func live(
    _ inputs: [SimulatedInput], seed: UInt64, span: Int64, _ random: inout SplitMix64
  ) throws -> SimulatedTask {
    var task = SimulatedTask(inputs, seed: seed, span: span)
    // Some schedules bring much at once, others a record at a time.
    let burst = [1, 1, 3, 50].randomElement(using: &random) ?? 1
    while true {
      let input = inputs.indices.randomElement(using: &random) ?? 0
      switch Int.random(in: 0..<12, using: &random) {
      case 0..<3:
        inputs[input].appended = min(
          inputs[input].times.count,
          inputs[input].appended + Int.random(in: 1...burst, using: &random))
        inputs[input].knowsEnd = false
        task.order.refresh(input)
      case 3..<7:
        inputs[input].fetched = Int.random(
          in: inputs[input].fetched...inputs[input].appended, using: &random)
        inputs[input].knowsEnd = true
        task.order.refresh(input)
      case 7 where Int.random(in: 0..<4, using: &random) == 0:
        try task.run(
          .decided(
            .decision(
              Decision(.skip, .record(TopicPartition("t", 0), Int64(task.units.count))))))
      case 8 where Int.random(in: 0..<4, using: &random) == 0:
        if let time = task.clock.time, let due = task.due, due <= time + .milliseconds(3),
          try task.next() == .rest
        {
          try task.run(.decided(.idleAdvance(to: time + .milliseconds(3))))
        }
      case 9: task.commit()
      case 10 where Int.random(in: 0..<6, using: &random) == 0: task.crash()
      default: for _ in 0..<burst where try !task.step() { break }
      }
      if inputs.allSatisfy({ $0.taken == $0.times.count }) { break }
    }
    // Some end among their firings.
    if Bool.random(using: &random) { while try task.step() {} }
    task.commit()
    return task
  }

  static func replay(
    of task: SimulatedTask, _ inputs: [SimulatedInput], seed: UInt64, span: Int64,
    _ random: inout SplitMix64
  ) throws -> SimulatedTask {
    let copies = inputs.map { input in
      let copy = SimulatedInput(input.name)
      (copy.times, copy.appended, copy.limit) = (input.times, input.times.count, input.taken)
      return copy
    }
    let journal = PagedEntries(task.entries.bytes, page: 3)
    var replay = SimulatedTask(
      copies, seed: seed, span: span,
      replay: try JournalReplay(
        journal, from: 0, to: Int64(task.units.count), inputs: inputs.map(\.name), span: span))
    var idle = 0
    while idle < 200 {
      idle += 1
      let input = copies.indices.randomElement(using: &random) ?? 0
      switch Int.random(in: 0..<8, using: &random) {
      case 0..<3:
        copies[input].fetched = Int.random(
          in: copies[input].fetched...copies[input].appended, using: &random)
        replay.order.refresh(input)
      case 3: replay.commit()
      case 4 where Int.random(in: 0..<20, using: &random) == 0: replay.crash()
      default: while try replay.step() { idle = 0 }
      }
    }
    try replay.order.finishReplay()
    return replay
  }

  @Test(
    "a replay by the journal runs the same units at the same stream times",
    arguments: UInt64(0)..<250)
  func replays(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let inputs = Self.inputs(&random)
    let span: Int64 = [4, 16, 4_096].randomElement(using: &random) ?? 4
    let task = try Self.live(inputs, seed: seed, span: span, &random)
    let replay = try Self.replay(of: task, inputs, seed: seed, span: span, &random)
    #expect(replay.units == task.units)
    #expect(replay.entries.bytes == task.entries.bytes)
  }

  /// "Two inputs that take turns": DESIGN asks that only departures cost an entry.
  @Test("two inputs at their ends that take turns cost no entry")
  func turns() throws {
    let inputs = [SimulatedInput("a"), SimulatedInput("b")]
    var task = SimulatedTask(inputs, seed: 1, span: 16)
    for input in inputs.indices { inputs[input].knowsEnd = true }
    for time in 0..<1_000 {
      let input = inputs[time % 2]
      input.times.append(OrderTime(Timestamp(milliseconds: Int64(time))))
      (input.appended, input.fetched) = (input.times.count, input.times.count)
      task.order.refresh(time % 2)
      while try task.step() {}
    }
    // The first of each input after a start is journalled in any case.
    #expect(task.entries.bytes.count <= 2)
    #expect(inputs.map(\.taken) == [500, 500])
  }

  @Test("a record that came late is journalled in its unit, with where it belonged")
  func late() throws {
    let inputs = [SimulatedInput("a"), SimulatedInput("b")]
    var task = SimulatedTask(inputs, seed: 1, span: 4_096)
    func send(_ input: Int, _ time: Int64) throws {
      inputs[input].times.append(OrderTime(Timestamp(milliseconds: time)))
      (inputs[input].appended, inputs[input].fetched) = (
        inputs[input].times.count, inputs[input].times.count
      )
      inputs[input].knowsEnd = true
      task.order.refresh(input)
      let step = try task.next()
      task.timers = []
      try task.run(step)
      task.timers = []
    }
    inputs[1].knowsEnd = true
    task.order.refresh(1)
    try send(0, 10)
    try send(1, 20)
    task.entries.bytes = []
    try send(0, 30)
    try send(1, 25)
    try send(1, 30)
    try send(0, 30)
    #expect(
      try task.entries.bytes.map(JournalEntry.init) == [
        JournalEntry(
          3, .departure(input: InputID(name: "b"), position: 1, since: 2)),
        JournalEntry(
          5, .departure(input: InputID(name: "a"), position: 2, since: 3)),
      ])
  }
}

/// Entries a few at a time.
final class PagedEntries: JournalSource {
  private var entries: ArraySlice<[UInt8]>
  private let page: Int

  init(_ entries: [[UInt8]], page: Int) {
    self.entries = entries[...]
    self.page = page
  }

  func nextPage() -> [[UInt8]] {
    defer { entries = entries.dropFirst(page) }
    return Array(entries.prefix(page))
  }
}
