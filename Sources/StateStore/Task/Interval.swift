/// What the stores of one task share during a commit interval: its write transaction, and which
/// stores the unit has touched.
@usableFromInline
final class Interval {
  let environment: Environment
  let words: Words
  private var transaction: WriteTransaction?
  private var open: Transaction?
  /// The participants that the unit has touched.
  private let touchedLog = OwnedState(UnitLog<Int32>())
  /// Whether something of the interval is in the transaction alone.
  var isSpilled = false
  /// Whether the flush under way ends the interval.
  var isCommitting = false

  init(_ environment: Environment, _ words: Words) {
    self.environment = environment
    self.words = words
  }

  var isOpen: Bool { open != nil }

  /// Notes a participant whose unit is to be ended with the others'.
  func touch(_ participant: Int32) { touchedLog.value.append(participant) }

  var touched: UnitLog<Int32> {
    _read { yield touchedLog.value }
  }

  func clearTouched() { touchedLog.value.clear() }

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
