import StateStore
import StreamCore

/// How a task of an owner has its units named to the signal's handler, and what it knows of those
/// that trapped.
///
/// It belongs to the task's thread. What it costs a unit of a task without traps is a few stores.
final class TaskTraps {
  private let ledger: TrapLedger
  private let generation: Int
  private let task: String
  private var inputs: [(name: String, site: TrapSite)] = []
  private var timers: [String: TrapSite] = [:]
  /// Whether units of the task trapped: else nothing is asked and nothing passes.
  @exclusivity(unchecked) private var isWatching = false
  /// Places of units that the interval is past.
  private var passed: Set<TrapPlace> = []

  init(_ ledger: TrapLedger, generation: Int, task: TaskName) {
    self.ledger = ledger
    self.generation = generation
    self.task = task.description
  }

  /// - Parameters:
  ///   - names: of the task's inputs in their order.
  ///   - units: of the last commit.
  func begin(inputs names: [String], units: Int64) throws(StoreError) {
    inputs = names.map { ($0, site($0)) }
    isWatching = try ledger.begin(generation: generation, task: task, units: units)
  }

  private func site(_ input: String) -> TrapSite {
    TrapSite(path: ledger.path, generation: generation, task: task, input: input)
  }

  private func place(_ input: String, _ offset: Int64) -> TrapPlace {
    TrapPlace(generation: generation, task: task, input: input, offset: offset)
  }

  var path: String { ledger.path }

  // MARK: Records

  /// Runs the unit of a record, be it kept before or not.
  func run<Result>(input: Int, offset: Offset, unit: Int64, _ body: () throws -> Result) rethrows
    -> Result
  {
    let result = try inputs[input].site.run(offset: offset, unit: unit, body)
    if isWatching { pass(input: input, offset: offset) }
    return result
  }

  /// Whether a record's handler ended the process so often that it is not run any more.
  func isSpent(input: Int, offset: Offset) -> Bool {
    isWatching && isSpent(place(inputs[input].name, offset))
  }

  /// The record's unit is over: its lines are forgotten once that is durable.
  func pass(input: Int, offset: Offset) { pass(place(inputs[input].name, offset)) }

  // MARK: Firings

  /// Runs a firing.
  func run<Result>(_ timer: Timer, unit: Int64, _ body: () throws -> Result) rethrows -> Result {
    let input = TrappedUnit.timers(of: timer.name)
    let site = timers[timer.name] ?? site(input)
    timers[timer.name] = site
    let result = try site.run(offset: timer.trapOffset, unit: unit, body)
    if isWatching { pass(place(input, timer.trapOffset)) }
    return result
  }

  func isSpent(_ timer: Timer) -> Bool {
    isWatching && isSpent(place(TrappedUnit.timers(of: timer.name), timer.trapOffset))
  }

  // MARK: All

  private func isSpent(_ place: TrapPlace) -> Bool {
    ledger.traps(at: place) >= TrappedUnits.triesMax
  }

  private func pass(_ place: TrapPlace) {
    if ledger.traps(at: place) > 0 { passed.insert(place) }
  }

  /// The interval was committed: what it is past is forgotten, and durable before.
  func committed(_ state: TaskState) throws(StoreError) {
    guard !passed.isEmpty else { return }
    try state.makeDurable()
    try ledger.forget(passed)
    passed = []
    isWatching = try ledger.begin(generation: generation, task: task, units: 0)
  }
}

extension Timer {
  /// Half of its firing's id: one operator may have several due at one time.
  fileprivate var trapOffset: Int64 { Int64(bitPattern: idHash.low) }
}
