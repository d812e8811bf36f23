import Glibc

/// All state of one task: one LMDB environment in a directory of its own, written by one thread.
///
/// Stores are registered once, then intervals follow: ``begin()``, units that end with
/// ``commitUnit()`` or ``rollbackUnit()``, and ``commit()`` or ``abort()``.
@safe
@usableFromInline
package final class TaskState {
  package let identity: TaskIdentity
  package let directory: String
  package let environment: Environment
  package let durable: DurableCommits
  package let words: Words
  package let outbox: Outbox
  package let journal: Journal
  package let timers: Timers
  /// Where the task stands in its inputs.
  package let positions: Positions
  /// Records that wait: parked behind their key, or for their row.
  package let held: EntryStore
  package let deadLetters: EntryStore
  /// Keys whose kept records are to be gone through.
  package let marks: EntryStore
  /// Sequence numbers that came and reached no row.
  package let sequences: EntryStore
  let interval: Interval
  let space: KeySpace
  private let meta: Table
  let catalog: Table
  private let lock: Int32
  /// It grows only before the first interval.
  let participants = OwnedState<[any StoreParticipant]>([])
  var registered: Set<String> = []
  var scopes: [String: SeenIDs] = [:]
  var storedStores: [String: String] = [:]
  private var isFull = false

  /// Opens the state of a task, or makes it.
  ///
  /// - Throws: ``StoreError``: `locked` if it is open elsewhere, `foreign`, `lineageChanged`,
  ///   `newer`, `older`, `corrupted`, `readOnly`, `diskFull`.
  package static func open(
    directory: String, identity: TaskIdentity, options: Environment.Options = .init()
  ) throws(StoreError) -> TaskState {
    let environment = try Environment.open(directory, options)
    let lock = unsafe Glibc.open(directory, O_RDONLY | O_DIRECTORY)
    guard lock >= 0 else { throw StoreError(lmdb: errno, "opening it", store: directory) }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      close(lock)
      throw StoreError(
        .locked, "another task or process writes this state; stop it first", store: directory)
    }
    do throws(StoreError) {
      return try TaskState(environment, directory, identity, lock)
    } catch {
      close(lock)
      throw error
    }
  }

  private init(
    _ environment: Environment, _ directory: String, _ identity: TaskIdentity, _ lock: Int32
  ) throws(StoreError) {
    try environment.clearStaleReaders()
    try environment.prepareTables(Self.tables)
    self.environment = environment
    self.durable = DurableCommits(environment)
    self.directory = directory
    self.meta = try environment.table("meta")
    self.identity = try Self.claim(environment, meta, identity, directory)
    self.catalog = try environment.table("catalog")
    self.words = try Words(environment)
    self.interval = Interval(environment, words)
    self.space = KeySpace(interval, tree: try environment.table("directory"))
    self.outbox = try Outbox(interval, index: 1)
    self.journal = try Journal(interval, index: 2)
    self.timers = try Timers(interval, index: 3)
    self.held = try EntryStore("held", interval, index: 4)
    self.deadLetters = try EntryStore("deadLetters", interval, index: 5)
    self.marks = try EntryStore("marks", interval, index: 6)
    self.sequences = try EntryStore("sequences", interval, index: 7)
    self.positions = try Positions(interval, index: 8)
    participants.value = [
      space, outbox, journal, timers, held, deadLetters, marks, sequences, positions,
    ]
    let read = try ReadTransaction(environment)
    for entry in try TreeWalk.page(read.operations, catalog, limit: .max).entries {
      storedStores[String(decoding: entry.key, as: UTF8.self)] =
        String(decoding: entry.value, as: UTF8.self)
    }
    // From here on `deinit` closes it: not before nothing can fail, or it would be closed twice.
    self.lock = lock
  }

  /// Those that every state has, in whatever order.
  private static let tables =
    [
      "meta", "catalog", "words", "directory", "outbox", "outbox.meta", "journal", "timers",
      Positions.tableName,
    ] + IDTables.names
    + ["held", "deadLetters", "marks", "sequences"].flatMap(EntryTables.names)

  deinit {
    interval.abort()
    for participant in participants.value { participant.close() }
    // A child process that is just being started may have the file too; the lock ends now.
    flock(lock, LOCK_UN)
    close(lock)
  }

  /// Writes the identity into a new environment, compares it in one that has one.
  ///
  /// - Returns: what the state says of itself from now on.
  private static func claim(
    _ environment: Environment, _ meta: Table, _ identity: TaskIdentity, _ directory: String
  ) throws(StoreError) -> TaskIdentity {
    let write = try WriteTransaction(environment)
    let stored = try TaskIdentity.read(write.operations, meta, directory: directory)
    let settled = try stored.map { (stored) throws(StoreError) in
      try identity.settled(with: stored, directory: directory)
    }
    let claimed = settled ?? identity
    guard claimed != stored else { return claimed }
    try claimed.write(write.operations, meta)
    try write.commit()
    return claimed
  }

  // MARK: Intervals

  /// Begins a commit interval.
  ///
  /// - Throws: ``StoreError``.
  package func begin() throws(StoreError) {
    try environment.clearStaleReadersNowAndThen()
    if isFull || environment.usedBytes > environment.mapSize / 4 * 3 {
      try environment.grow()
      isFull = false
    }
    try interval.begin()
  }

  /// Writes what the interval changed and commits it, in one transaction.
  ///
  /// A full map is doubled and the flush repeated from the caches, unseen.
  ///
  /// - Throws: ``StoreError``: `diskFull` leaves the caches, so that it can be called again, or
  ///   ``abort()``; `intervalLost` and all others ask for ``abort()``: `invalid` is a serde that does
  ///   not keep what it says of its values.
  package func commit() throws {
    interval.isCommitting = true
    defer { interval.isCommitting = false }
    while true {
      do {
        if !interval.isOpen { try interval.begin() }
        try flush()
        try interval.commit()
        break
      } catch let error as StoreError {
        let wasSpilled = interval.isSpilled
        interval.abort()
        guard error.code == .mapFull || (error.code == .diskFull && wasSpilled) else { throw error }
        if error.code == .mapFull { try environment.grow() }
        if wasSpilled { throw lost(error) }
      } catch {
        interval.abort()
        throw error
      }
    }
    interval.isSpilled = false
    words.intervalCommitted()
    for participant in participants.value {
      participant.intervalCommitted()
      participant.dropCache()
    }
    interval.endUnit()
  }

  private func flush() throws {
    for participant in participants.value { try participant.flush(interval.operations) }
    try words.flush(interval.operations)
  }

  private func lost(_ error: StoreError) -> StoreError {
    StoreError(
      .intervalLost, "\(error.message); what was spilled is gone: abort, and repeat the interval",
      store: directory)
  }

  /// Drops all that the interval changed, on disk and in memory.
  package func abort() {
    interval.abort()
    words.intervalAborted()
    for participant in participants.value {
      participant.dropCache()
      participant.intervalAborted()
    }
    interval.endUnit()
  }

  /// Whether the state has grown too large for what it was opened as, and ``releaseMemory()`` would
  /// open it as what it is.
  package var isToBeReopened: Bool { environment.hasOutgrownReadAhead }

  /// Whether no interval has begun.
  package var isAtRest: Bool { !interval.isOpen }

  /// Gives back the memory that intervals left for the next one: that of the caches, and that of
  /// LMDB's largest transaction unless somebody in this process reads just now. Between intervals.
  ///
  /// - Throws: ``StoreError``; the state cannot be used any more.
  package func releaseMemory() throws(StoreError) {
    precondition(!interval.isOpen, "memory is released between intervals")
    for participant in participants.value { participant.releaseMemory() }
    try environment.releasePages()
  }

  /// Forces the commits so far to disk: what they caused may leave the task now.
  package func makeDurable() throws(StoreError) { try durable.sync() }

  /// Makes the unit's changes part of the interval.
  package func commitUnit() {
    words.commitUnit()
    interval.endUnit()
  }

  /// Takes the unit's changes back, in every store.
  package func rollbackUnit() {
    words.rollbackUnit()
    for position in 0..<interval.changed.count {
      participants.value[Int(interval.changed[position])].rollbackUnit()
    }
    interval.endUnit()
  }

  /// What the interval holds and its commit will take.
  package var intervalBytes: IntervalBytes {
    participants.value.reduce(into: IntervalBytes()) { $0 += $1.intervalBytes }
  }

  /// Writes the caches into the open transaction and forgets them, between units.
  ///
  /// - Throws: ``StoreError``: `intervalLost` for a full map or disk: ``abort()``, and take the
  ///   interval's records again.
  package func spill() throws {
    precondition(interval.changed.isEmpty, "the caches spill between units")
    do {
      try flush()
    } catch let error as StoreError where error.code == .mapFull {
      interval.abort()
      isFull = true
      throw lost(error)
    }
    interval.isSpilled = true
    for participant in participants.value { participant.dropCache() }
  }

  /// Writes a compact copy of the last commit into the directory `target`, which must not exist:
  /// under a temporary name, fsynced, then renamed.
  ///
  /// - Throws: ``StoreError``.
  package func snapshot(to target: String) throws(StoreError) {
    try environment.snapshot(to: target)
  }
}
