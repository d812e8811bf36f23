/// What the stores of one task share during a commit interval: its write transaction, and which
/// stores the unit has touched.
@usableFromInline
final class Interval {
  let environment: Environment
  let words: Words
  private var transaction: WriteTransaction?
  private var open: Transaction?
  private struct Unit: ~Copyable {
    /// Rises by one a unit.
    var number = 0
    /// The participants that it has changed.
    var participants = UnitLog<Int32>()
  }
  private let unit = OwnedState(Unit())
  /// Whether something of the interval is in the transaction alone.
  var isSpilled = false
  /// Whether the flush under way ends the interval.
  var isCommitting = false

  init(_ environment: Environment, _ words: Words) {
    self.environment = environment
    self.words = words
  }

  var isOpen: Bool { open != nil }

  /// Notes that the unit changes a participant: to be asked before each change.
  ///
  /// Units end without a word to those they changed, for a unit is a record and there are many: a
  /// participant forgets what it noted of one when the next change comes.
  ///
  /// - Parameter last: the participant's own note of the last unit that changed it.
  /// - Returns: whether it is the unit's first change there; what the units before did is final.
  @inline(__always)
  func isFirstChange(of participant: Int32, _ last: inout Int) -> Bool {
    if last == unit.value.number { return false }
    last = unit.value.number
    unit.value.participants.append(participant)
    return true
  }

  /// The participants that the unit has changed.
  var changed: UnitLog<Int32> {
    _read { yield unit.value.participants }
  }

  /// What the unit did is final, or taken back.
  func endUnit() {
    unit.value.number += 1
    unit.value.participants.clear()
  }

  /// The interval's transaction; stores read through it.
  var operations: Transaction {
    guard let open else { preconditionFailure("a store is read between begin() and commit()") }
    return open
  }

  func begin() throws(StoreError) {
    precondition(open == nil, "an interval is open already")
    let begun = try WriteTransaction(environment)
    open = begun.operations
    transaction = consume begun
  }

  func commit() throws(StoreError) {
    open = nil
    guard let transaction = transaction.take() else { preconditionFailure("no interval is open") }
    try transaction.commit()
  }

  func abort() {
    open = nil
    transaction = nil
    isSpilled = false
  }

  /// Runs `body` in the interval's transaction, or in one of its own between intervals.
  func reading<Result>(
    _ body: (Transaction) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    if let open { return try body(open) }
    let read = try ReadTransaction(environment)
    return try body(read.operations)
  }
}
