public import StreamCore

/// The stores of a task, registered before the first interval.
extension TaskState {
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
    try environment.prepareTables(description.tables) { [catalog] write throws(StoreError) in
      for table in tables { try write.clear(table) }
      try write.put(catalog, name.utf8Bytes.raw, text.utf8Bytes.raw)
    }
    storedStores[name] = text
  }
}
