import Glibc
public import StreamCore

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
  private let interval: Interval
  private let space: KeySpace
  private let meta: Table
  private let catalog: Table
  private let lock: Int32
  /// It grows only before the first interval.
  private let participants = OwnedState<[any StoreParticipant]>([])
  private var registered: Set<String> = []
  private var scopes: [String: SeenIDs] = [:]
  private var storedStores: [String: String] = [:]
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
    self.environment = environment
    self.directory = directory
    self.identity = identity
    self.meta = try environment.table("meta")
    try Self.claim(environment, meta, identity, directory)
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

  deinit {
    interval.abort()
    for participant in participants.value { participant.close() }
    // A child process that is just being started may have the file too; the lock ends now.
    flock(lock, LOCK_UN)
    close(lock)
  }

  /// Writes the identity into a new environment, compares it in one that has one.
  private static func claim(
    _ environment: Environment, _ meta: Table, _ identity: TaskIdentity, _ directory: String
  ) throws(StoreError) {
    let write = try WriteTransaction(environment)
    if let stored = try TaskIdentity.read(write.operations, meta, directory: directory) {
      try identity.check(stored: stored, directory: directory)
      return
    }
    try identity.write(write.operations, meta)
    try write.commit()
  }

  // MARK: Stores

  /// Registers a key-value store, before the first interval.
  ///
  /// Indexes are no part of its form: one that the state lacks, or has in another form, is built from
  /// the rows before the call returns, one that is gone is emptied.
  ///
  /// - Throws: ``StoreError`` with `lineageChanged` if the store is here in another form.
  @inlinable
  @inline(__always)
  package func keyValue<Key: StoreKey, Row>(
    _ name: String, key: KeyCoder<Key> = KeyCoder(), serde: some Serde<Row>, layout: StoreLayout,
    indexes: [Index<Row>] = [], published: Bool = false, encoding: RowEncoding = .json
  ) throws(StoreError) -> KeyValueStore<Key, Row> {
    let core = try rowCore(
      name, keyTypes: key.types, rowType: serde.name, layout: layout, indexes: indexes,
      published: published, encoding: encoding)
    let store = KeyValueStore<Key, Row>(core: core, serde: serde, indexes: indexes)
    if !core.missingIndexes.isEmpty { try buildIndexes(store) }
    return store
  }

  @usableFromInline
  func rowCore<Row>(
    _ name: String, keyTypes: [KeyType], rowType: String, layout: StoreLayout,
    indexes: [Index<Row>], published: Bool, encoding: RowEncoding
  ) throws(StoreError) -> RowCore {
    let description = StoreDescription(
      name: name, kind: .keyValue, layout: layout, keyTypes: keyTypes, rowType: rowType,
      encoding: encoding, isPublished: published,
      indexes: indexes.map { index in
        StoreDescription.IndexDescription(
          name: index.name,
          components: index.components.map {
            .init(name: $0.name, type: $0.type, isDescending: $0.isDescending)
          })
      })
    return try rowCore(description)
  }

  private func rowCore(_ description: StoreDescription) throws(StoreError) -> RowCore {
    let missing = try register(description)
    let name = description.name
    var indexes: [IndexCore] = []
    for index in description.indexes {
      indexes.append(
        IndexCore(
          index.name,
          table: try environment.table(StoreDescription.indexTable(name, index.name)),
          counts: try environment.table(StoreDescription.countsTable(name, index.name))))
    }
    let isClustered = description.layout == .clustered
    let core = RowCore(
      name: name, table: try environment.table(StoreDescription.rowsTable(name)),
      space: isClustered ? KeySpace(interval, tree: nil) : space, isClustered: isClustered,
      encoding: description.encoding, indexes: indexes, interval: interval,
      index: participants.value.count)
    core.description = description
    core.missingIndexes = description.indexes.indices.filter {
      missing.contains(description.indexes[$0])
    }
    participants.value.append(core)
    return core
  }

  @usableFromInline
  func buildIndexes<Key: StoreKey, Row>(
    _ store: KeyValueStore<Key, Row>
  ) throws(StoreError) {
    let cache = store.cache
    try buildIndexes(store.core) { try cache.appendEntry($1, ofStored: $0, to: &$2) }
  }

  /// Fills the indexes that a store lacks, in transactions of bounded size; only when all are whole
  /// does the catalog name them.
  ///
  /// - Parameter entry: appends the entry of an index, by its position, for a row's stored bytes,
  ///   and says where its first component ends; -1 for a row that is not in it.
  private func buildIndexes(
    _ core: RowCore, _ entry: (RawSpan, Int, inout [UInt8]) throws -> Int
  ) throws(StoreError) {
    guard let description = core.description else { return }
    try IndexBuilder(core: core, environment: environment).run(entry)
    core.missingIndexes = []
    try write(description)
  }

  /// Registers an audit store, before the first interval.
  package func audit(
    _ name: String, keyTypes: [KeyType] = [.string], rowType: String = "json",
    published: Bool = false, encoding: RowEncoding = .json
  ) throws(StoreError) -> AuditStore {
    _ = try register(
      StoreDescription(
        name: name, kind: .audit, layout: .rowNumbers, keyTypes: keyTypes, rowType: rowType,
        encoding: encoding, isPublished: published, indexes: []))
    let store = AuditStore(
      name: name, values: try environment.table(StoreDescription.rowsTable(name)),
      tree: try environment.table(StoreDescription.auditTree(name)), space: space,
      encoding: encoding, interval: interval, index: participants.value.count)
    participants.value.append(store)
    return store
  }

  /// The seen ids of a scope, asked for before the first interval; the next calls give the same.
  ///
  /// - Throws: ``StoreError``; `invalid` for another retention than at the first call.
  package func seenIDs(
    scope: String, retention: SeenIDs.Retention = .forever
  ) throws(StoreError) -> SeenIDs {
    if let known = scopes[scope] {
      guard known.retention == retention else {
        throw StoreError(
          .invalid, "sources that share the ids of scope '\(scope)' give them one retention",
          store: directory)
      }
      return known
    }
    precondition(!interval.isOpen, "scopes are registered before the first interval")
    let ids = try SeenIDs(
      scope: scope, retention: retention, interval, index: participants.value.count)
    participants.value.append(ids)
    scopes[scope] = ids
    return ids
  }

  /// What the seen ids of all scopes take.
  package func seenIDStatistics() throws(StoreError) -> SeenIDs.Statistics {
    let diskBytes = try interval.reading { transaction throws(StoreError) in
      try IDTables.diskBytes(transaction, environment)
    }
    return SeenIDs.Statistics(
      ids: scopes.values.reduce(0) { $0 + $1.count },
      memoryBytes: scopes.values.reduce(0) { $0 + $1.memoryBytes }, diskBytes: diskBytes)
  }

  /// Compares a store with what the catalog says of it.
  ///
  /// - Returns: the indexes that are still to be built; the catalog does not name them before.
  private func register(
    _ description: StoreDescription
  ) throws(StoreError) -> [StoreDescription.IndexDescription] {
    precondition(!interval.isOpen, "stores are registered before the first interval")
    precondition(
      registered.insert(description.name).inserted, "a store's name is taken already")
    guard let text = storedStores[description.name] else {
      try write(description)
      return []
    }
    if text == description.text { return [] }
    let stored = try StoreDescription(name: description.name, text: text)
    guard stored.isSameStore(as: description) else {
      throw StoreError(
        .lineageChanged, "the store is kept in another form than the topology's; rebuild it",
        store: description.name)
    }
    let kept = description.indexes.filter { stored.indexes.contains($0) }
    let missing = description.indexes.filter { !stored.indexes.contains($0) }
    // What was begun by an earlier start and not ended is emptied as well.
    let emptied = missing + stored.indexes.filter { !description.indexes.contains($0) }
    try write(description.with(indexes: kept), emptying: emptied)
    return missing
  }

  private func write(
    _ description: StoreDescription, emptying indexes: [StoreDescription.IndexDescription] = []
  ) throws(StoreError) {
    let name = description.name
    var tables: [Table] = []
    for index in indexes {
      tables.append(try environment.table(StoreDescription.indexTable(name, index.name)))
      tables.append(try environment.table(StoreDescription.countsTable(name, index.name)))
    }
    let text = description.text
    let write = try WriteTransaction(environment)
    for table in tables { try write.operations.clear(table) }
    try write.operations.put(catalog, name.utf8Bytes.raw, text.utf8Bytes.raw)
    try write.commit()
    storedStores[name] = text
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
  package func makeDurable() throws(StoreError) { try environment.sync() }

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

  /// An estimate of the memory that the interval holds and its commit will take.
  package var dirtyBytes: Int { participants.value.reduce(0) { $0 + $1.dirtyBytes } }

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
