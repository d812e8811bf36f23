import StreamCore
import Topology
import TopologyTesting

/// A log's partition as a task sees it: what was appended, what of it was fetched, what was taken.
final class SimulatedInput: InputPort {
  let name: String
  /// The times of its records, as the merge rule orders by them.
  var times: [OrderTime] = []
  var appended = 0
  var fetched = 0
  var taken = 0
  /// An answer about the end was asked for after the last fetch.
  var knowsEnd = false
  var waitedForUntil: MonotonicTime?
  /// Records from here on are not taken by a replay.
  var limit: Int?
  var lastUnit: Int64?

  init(_ name: String) { self.name = name }

  var headPosition: Int64 { Int64(taken) }

  var standing: InputStanding {
    if let limit, taken >= limit { return .ended(reached: .none, waitedForUntil: nil) }
    if taken < fetched { return .head(times[taken]) }
    guard knowsEnd, fetched == appended, limit == nil else { return .open(promise: nil) }
    return .ended(reached: .none, waitedForUntil: waitedForUntil)
  }
}

/// A task without a state: inputs, a clock, timers, and the units it ran.
struct SimulatedTask {
  /// What a unit was, and the stream time it ran at.
  struct Unit: Hashable, CustomStringConvertible {
    let what: String
    let streamTime: Timestamp?
    var description: String { "\(what) at \(streamTime?.milliseconds ?? -1)" }
  }

  private struct Saved {
    var taken: [Int]
    var lastUnits: [Int64?]
    var clock: TaskClock
    var timers: [DueTimer]
    var units: [Unit]
    var entries: Int
  }

  struct DueTimer: Hashable, Comparable {
    let due: Int64
    let id: UInt64
    static func < (left: DueTimer, right: DueTimer) -> Bool {
      (left.due, left.id) < (right.due, right.id)
    }
  }

  final class Entries {
    var bytes: [[UInt8]] = []
  }

  let inputs: [SimulatedInput]
  let journal: TaskJournal
  let entries = Entries()
  var order: UnitOrder
  var clock = TaskClock()
  var timers: [DueTimer] = []
  var units: [Unit] = []
  private let seed: UInt64
  private var saved: Saved

  init(
    _ inputs: [SimulatedInput], seed: UInt64, span: Int64, replay: JournalReplay? = nil,
    clock: VirtualClock = VirtualClock()
  ) {
    self.inputs = inputs
    self.seed = seed
    journal = TaskJournal(at: 0, replay: replay) { [entries] in entries.bytes.append($0) }
    order = UnitOrder(inputs, journal: journal, clock: clock, span: span)
    saved = Saved(
      taken: inputs.map { _ in 0 }, lastUnits: inputs.map { _ in nil }, clock: TaskClock(),
      timers: [], units: [], entries: 0)
  }

  var due: Timestamp? { timers.first.map { Timestamp(milliseconds: $0.due) } }

  mutating func next() throws -> UnitOrder.Step {
    try order.next(due: due, streamTime: clock.time)
  }

  /// Runs one step.
  ///
  /// - Returns: whether there was one to run.
  mutating func step() throws -> Bool {
    let step = try next()
    if case .wait = step { return false }
    if case .rest = step { return false }
    try run(step)
    return true
  }

  mutating func run(_ step: UnitOrder.Step) throws {
    try order.begin(step)
    var what: String
    switch step {
    case .take(let input, let time):
      what = "\(inputs[input].name)@\(inputs[input].taken)"
      clock.advance(to: time)
      inputs[input].taken += 1
      setTimers(what, from: time.timestamp)
    case .fire(let due, _):
      let timer = timers.removeFirst()
      what = "timer \(timer.id)"
      _ = clock.fire(due: due)
      setTimers(what, from: nil)
    case .decided(let content):
      what = "\(content)"
      if case .idleAdvance(let time) = content { clock.advance(to: OrderTime(time)) }
    case .wait, .rest: return
    }
    units.append(Unit(what: what, streamTime: clock.time))
    try order.end(step)
    // A record may bring units with it that no step names.
    if what.hasSuffix("7"), case .take = step {
      units.append(Unit(what: "after \(what)", streamTime: clock.time))
      try order.endUnit()
    }
  }

  /// The same timers whatever the schedule: of a record also such as are overdue when they are set.
  private mutating func setTimers(_ what: String, from time: Timestamp?) {
    var random = SplitMix64(seed: seed ^ Hash64.of(what))
    guard Int.random(in: 0..<10, using: &random) < 3 else { return }
    let base = time ?? clock.time ?? .epoch
    let span = (time == nil ? [1, 4] : [-3, 1, 2, 7]).randomElement(using: &random) ?? 1
    timers.append(DueTimer(due: base.milliseconds + Int64(span), id: random.next() % 1_000))
    timers.sort()
  }

  mutating func commit() {
    journal.commit()
    saved = Saved(
      taken: inputs.map(\.taken), lastUnits: inputs.map(\.lastUnit), clock: clock, timers: timers,
      units: units, entries: entries.bytes.count)
  }

  /// Goes back to the last commit; what was buffered is lost.
  mutating func crash() {
    for (index, input) in inputs.enumerated() {
      input.taken = saved.taken[index]
      input.fetched = input.taken
      input.lastUnit = saved.lastUnits[index]
      input.knowsEnd = false
    }
    (clock, timers, units) = (saved.clock, saved.timers, saved.units)
    entries.bytes.removeLast(entries.bytes.count - saved.entries)
    journal.restore(at: Int64(units.count))
    order.restore()
  }
}

enum Hash64 {
  /// FNV-1a, so that runs repeat.
  static func of(_ text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}
