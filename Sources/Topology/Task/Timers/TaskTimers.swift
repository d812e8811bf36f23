import StateStore
import StreamCore

/// The durable timers of one task and the clock that fires them.
final class TaskTimers {
  private let timers: Timers
  private var operators: [String: any TimerOperator] = [:]
  /// Operators in the order of `describe`: of timers due at one time the first of them goes first.
  private let order: [String]
  private let clockWords: TaskClockWords
  /// 1 once time has come to its end: what was set before fires, and then the clock is there.
  private let endWord: Int
  private let words: Words
  /// No timer is due before it; `nil` where there is none.
  @exclusivity(unchecked) private(set) var earliest: Timestamp?
  /// The time that a firing goes at: it may set timers for later times alone.
  private var firingTime: Timestamp?

  init(_ timers: Timers, words: Words, order: [String]) throws(StoreError) {
    self.timers = timers
    self.order = order
    clockWords = TaskClockWords(words)
    endWord = words.register(TaskClockWords.endName)
    self.words = words
  }

  func add(_ target: any TimerOperator, named name: String) { operators[name] = target }

  func target(named name: String) -> (any TimerOperator)? { operators[name] }

  // MARK: Clock

  /// The task's stream time; `nil` before its first record.
  var clock: Timestamp? { clockWords.clock.time }

  /// What is due at or before it goes before anything else: the clock, or all that there is while
  /// time comes to its end.
  var horizon: Timestamp? { hasEnded ? Timestamp(milliseconds: .max) : clock }

  /// Time has come to its end: what is set fires, what comes later is late.
  var hasEnded: Bool { words[endWord] != 0 }

  /// Lets time end, as a unit's effect.
  func end() throws {
    words[endWord] = 1
    try finishEnd()
  }

  /// Brings the clock to the end of time, once nothing is left to fire on the way.
  func finishEnd() throws {
    guard hasEnded, try due(upTo: horizon) == nil else { return }
    advance(to: OrderTime(.latest))
  }

  /// Moves the clock forward, never back; what a unit did is taken back with it.
  func advance(to time: OrderTime) {
    var clock = clockWords.clock
    guard OrderTime(clock.time) < time else { return }
    clock.advance(to: time)
    clockWords.save(clock)
  }

  // MARK: Timers

  /// Reads when the next timer is due.
  func refresh() throws {
    earliest = try timers.next(upTo: Timestamp(milliseconds: .max))?.time
  }

  /// Once time has ended, what a firing sets stays set and is never due.
  ///
  /// - Throws: ``ProcessingFailure`` where a firing sets one that is not later than itself.
  func set(_ operatorName: String, key: [UInt8], at time: Timestamp) throws {
    if let firingTime, time <= firingTime {
      throw ProcessingFailure(
        .process, .process,
        "a timer that fires at \(firingTime) sets one at \(time); only later ones can be set",
        operatorName: operatorName)
    }
    let staysSet = hasEnded && firingTime != nil
    try timers.set(Timer(time: time, operator: operatorName, key: key), staysSet: staysSet)
    if staysSet { return }
    if earliest.map({ time < $0 }) ?? true { earliest = time }
  }

  func cancel(_ operatorName: String, key: [UInt8], at time: Timestamp) throws {
    try timers.delete(
      Timer(time: time, operator: operatorName, key: key), mayStay: hasEnded)
  }

  /// The first timer due at or before a time, which stays in the store.
  func due(upTo time: Timestamp?) throws -> Timer? {
    guard let time, let earliest, earliest <= time else { return nil }
    guard let timer = try timers.next(upTo: time) else {
      try refresh()
      return nil
    }
    self.earliest = timer.time
    return timer
  }

  /// What becomes of a firing that fails.
  func policies(of timer: Timer) -> SourcePolicies {
    operators[timer.name]?.policies ?? SourcePolicies()
  }

  /// Runs the firing of a timer, which goes with it.
  func fire(_ timer: Timer, at time: Timestamp) throws {
    guard let target = operators[timer.name] else {
      preconditionFailure("timers without an operator are dropped when they are due")
    }
    // The clock is then later than all that it can set.
    firingTime = hasEnded ? timer.time : time
    defer { firingTime = nil }
    try target.fire(key: timer.key, time: timer.time)
  }

  func delete(_ timer: Timer) throws { try timers.delete(timer) }
}
