import StreamCore
import Testing
import Topology
import TopologyTesting

/// The merge rule on random topologies of tasks that send to each other, timers included: DESIGN's
/// `tools/merge_rule.py` with the engine's own step and clock.
@Suite("Merge rule between tasks")
struct MergeTopologyTests {
  /// Entries of one sender for one receiver, in the order and at the times they left.
  final class Edge: InputPort {
    let name: String
    var entries: [(time: OrderTime, unit: String)] = []
    var taken = 0
    var promise = (isAtEnd: false, time: OrderTime.none)
    var lastUnit: Int64?

    init(_ name: String) { self.name = name }

    var headPosition: Int64 { Int64(taken) }
    var standing: InputStanding {
      if taken < entries.count { return .head(entries[taken].time) }
      return promise.isAtEnd
        ? .ended(reached: promise.time, waitedForUntil: nil) : .open(promise: promise.time)
    }
  }

  /// Which task reads which logs and whose edges.
  struct Plan {
    var tasks: [(logs: [[Int64]], senders: [Int])] = []

    init(_ random: inout SplitMix64) {
      var levels: [Int] = []
      for level in 0..<Int.random(in: 2...4, using: &random) {
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          let logs = (0..<Int.random(in: level == 0 ? 1...2 : 0...1, using: &random)).map { _ in
            var time: Int64 = 0
            return (0..<Int.random(in: 0...25, using: &random)).map { _ in
              time += [0, 0, 0, 1, 1, 5].randomElement(using: &random) ?? 0
              let back: Int64 = [0, 0, 0, 0, 3, 10].randomElement(using: &random) ?? 0
              return max(0, time - back)
            }
          }
          let above = levels.indices.filter { levels[$0] < level }
          let chosen = above.filter { _ in Int.random(in: 0..<10, using: &random) < 7 }
          tasks.append((logs, chosen.isEmpty ? Array(above.prefix(1)) : chosen))
          levels.append(level)
        }
      }
    }
  }

  final class Task {
    let logs: [SimulatedInput]
    let edges: [(sender: Int, edge: Edge)]
    var outs: [Edge] = []
    var order: UnitOrder
    var clock = TaskClock()
    var timers: [SimulatedTask.DueTimer] = []
    var pending: Int { outs.reduce(0) { $0 + $1.entries.count - $1.taken } }
    var units: [SimulatedTask.Unit] = []

    init(_ number: Int, _ plan: (logs: [[Int64]], senders: [Int])) {
      logs = plan.logs.enumerated().map { index, times in
        let input = SimulatedInput("log-\(number)-\(index)")
        input.times = times.map { OrderTime(Timestamp(milliseconds: $0)) }
        (input.appended, input.fetched, input.knowsEnd) = (times.count, times.count, true)
        return input
      }
      edges = plan.senders.map { ($0, Edge("edge-\($0)-\(number)")) }
      order = UnitOrder(
        logs as [any InputPort] + edges.map(\.edge),
        journal: TaskJournal(at: 0, replay: nil) { _ in }, clock: VirtualClock())
    }

    var inputs: [any InputPort] { order.inputs }
    var due: Timestamp? { timers.first.map { Timestamp(milliseconds: $0.due) } }
  }

  /// What a sender promises: DESIGN, "A watermark is a sender's promise".
  private static func promise(_ task: Task) -> (isAtEnd: Bool, time: OrderTime) {
    let clock = OrderTime(task.clock.time)
    var lowest: OrderTime?
    var highest = OrderTime.none
    for input in task.inputs {
      switch input.standing {
      case .head(let time), .open(let time?):
        lowest = min(lowest ?? time, time)
        highest = max(highest, time)
      case .open(nil): return (false, clock)
      case .ended(let reached, _): highest = max(highest, reached)
      }
    }
    let due = task.due.map { OrderTime($0) }
    guard let lowest else {
      let isAtEnd = due.map { $0 > max(clock, highest) } ?? true
      return (isAtEnd, max(clock, isAtEnd ? highest : due ?? highest))
    }
    return (false, max(clock, due.map { min($0, lowest) } ?? lowest))
  }

  private static func run(_ plan: Plan, seed: UInt64, schedule: UInt64, bound: Int) throws
    -> [[String]]?
  {
    var random = SplitMix64(seed: schedule)
    let tasks = plan.tasks.enumerated().map { Task($0.offset, $0.element) }
    for task in tasks { for (sender, edge) in task.edges { tasks[sender].outs.append(edge) } }
    while true {
      // Promises go from the first level down; a full outbox stops none.
      for task in tasks {
        for (sender, edge) in task.edges { edge.promise = promise(tasks[sender]) }
      }
      let ready = try tasks.shuffled(using: &random).first { task in
        guard task.pending < bound else { return false }
        for input in task.inputs.indices { task.order.refresh(input) }
        switch try task.order.next(due: task.due, streamTime: task.clock.time) {
        case .wait, .rest: return false
        default: return true
        }
      }
      guard let task = ready else {
        let isDry = tasks.allSatisfy { task in
          task.logs.allSatisfy { $0.taken == $0.times.count }
            && task.edges.allSatisfy { $0.edge.taken == $0.edge.entries.count }
        }
        return isDry ? tasks.map { $0.units.map(\.description).sorted() } : nil
      }
      try step(task, seed: seed)
    }
  }

  private static func step(_ task: Task, seed: UInt64) throws {
    let step = try task.order.next(due: task.due, streamTime: task.clock.time)
    try task.order.begin(step)
    var what = ""
    switch step {
    case .take(let input, let time):
      task.clock.advance(to: time)
      if let log = task.inputs[input] as? SimulatedInput {
        what = "\(log.name)@\(log.taken)"
        log.taken += 1
      } else if let edge = task.inputs[input] as? Edge {
        what = edge.entries[edge.taken].unit
        edge.taken += 1
      }
    case .fire(let due, _):
      what = "timer \(task.timers.removeFirst().id)"
      _ = task.clock.fire(due: due)
    case .decided, .wait, .rest: return
    }
    task.units.append(SimulatedTask.Unit(what: what, streamTime: task.clock.time))
    var effects = SplitMix64(seed: seed ^ Hash64.of(what))
    for edge in task.outs {
      for copy in 0..<([0, 0, 1, 1, 2, 3].randomElement(using: &effects) ?? 0) {
        edge.entries.append((OrderTime(task.clock.time), "\(what)/\(copy) by \(edge.name)"))
      }
    }
    if case .take(_, let time) = step, Int.random(in: 0..<4, using: &effects) == 0 {
      let span: Int64 = [1, 2, 7].randomElement(using: &effects) ?? 1
      let due = (time.timestamp?.milliseconds ?? 0) + span
      task.timers.append(SimulatedTask.DueTimer(due: due, id: Hash64.of(what)))
      task.timers.sort()
    }
    try task.order.end(step)
  }

  @Test(
    "no schedule stands still, and each takes and fires all at the same stream times",
    arguments: UInt64(0)..<25)
  func schedules(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let plan = Plan(&random)
    var reference: [[String]]?
    for schedule in UInt64(0)..<4 {
      let bound = [1, 2, 5, 1_000].randomElement(using: &random) ?? 1
      let units = try Self.run(plan, seed: seed, schedule: schedule, bound: bound)
      #expect(units != nil, "schedule \(schedule) with outboxes of \(bound) stands still")
      if let reference { #expect(units == reference) } else { reference = units }
    }
  }
}
