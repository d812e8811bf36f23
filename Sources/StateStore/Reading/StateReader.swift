/// Reads the state of a task, from any process, beside its writer.
///
/// Only published stores are views; the others can be read too, by their names. Rows are copied
/// out, and each transaction ends with the call that began it.
package final class StateReader: Sendable {
  package let directory: String
  package let identity: TaskIdentity
  package let environment: Environment

  private init(_ directory: String, _ identity: TaskIdentity, _ environment: Environment) {
    self.directory = directory
    self.identity = identity
    self.environment = environment
  }

  /// What a state says of itself stands in these tables: its identity and its words.
  package static let descriptionTables = ["meta", "words"]

  /// Opens the environment of a task, or a snapshot of one.
  ///
  /// - Throws: ``StoreError``: `missing`, `foreign` for an environment that is no task's state,
  ///   `newer`, `corrupted`, `readOnly` where the lock file cannot be written.
  package static func open(_ directory: String) throws(StoreError) -> StateReader {
    let environment = try Environment.open(directory, .init(create: false))
    let foreign = StoreError(
      .foreign, "this is not the state of a task; name a directory of one", store: directory)
    guard let meta = try environment.existingTable("meta") else { throw foreign }
    let read = try ReadTransaction(environment)
    guard
      let identity = try TaskIdentity.read(read.operations, meta, directory: directory)
    else { throw foreign }
    return StateReader(directory, identity, environment)
  }

  /// Runs `body` on one consistent view of the last commit.
  ///
  /// Keep it short: the file grows while a view is held beside a busy writer.
  package func read<Result>(_ body: (StateView) throws -> Result) throws -> Result {
    try environment.openTables()
    let read = try ReadTransaction(environment)
    let view = StateView(environment: environment, transaction: read.operations)
    return try body(view)
  }
}

/// One consistent view of a task's state, inside ``StateReader/read(_:)``.
package struct StateView {
  let environment: Environment
  let transaction: Transaction

  /// The descriptions of all stores, by name.
  package func stores() throws(StoreError) -> [StoreDescription] {
    guard let catalog = environment.openedTable("catalog") else { return [] }
    var stores: [StoreDescription] = []
    for entry in try TreeWalk.page(transaction, catalog, limit: .max).entries {
      stores.append(
        try StoreDescription(
          name: String(decoding: entry.key, as: UTF8.self),
          text: String(decoding: entry.value, as: UTF8.self)))
    }
    return stores
  }

  /// - Throws: ``StoreError`` with `missing` for a name that no store has.
  package func store(_ name: String) throws(StoreError) -> StoreDescription {
    let stores = try stores()
    guard let store = stores.first(where: { $0.name == name }) else {
      let names = stores.filter(\.isPublished).map(\.name).joined(separator: ", ")
      throw StoreError(.missing, "there is no such view; there are: \(names)", store: name)
    }
    return store
  }

  func table(_ name: String) throws(StoreError) -> Table {
    guard let table = environment.openedTable(name) else {
      throw StoreError(.corrupted, "the table '\(name)' is gone", store: environment.directory)
    }
    return table
  }

  /// All words by name: times, counters.
  package func words() throws(StoreError) -> [String: Int64] {
    guard let table = environment.openedTable("words") else { return [:] }
    let (names, values) = try Words.load(transaction, table)
    return Dictionary(uniqueKeysWithValues: zip(names, values))
  }

  /// The entries of the journal, oldest first.
  package func journal() throws(StoreError) -> [[UInt8]] {
    guard let table = environment.openedTable("journal") else { return [] }
    return try TreeWalk.page(transaction, table, limit: .max).entries.map(\.value)
  }

  /// Where an id was seen last, if it was.
  package func seenID(_ hash: Hash128) throws(StoreError) -> SeenID? {
    try seenEntries(hash).last?.1
  }

  /// An entry of `held` or `deadLetters` by its number.
  package func entry(_ name: String, _ number: Int64) throws(StoreError) -> EntryStore.Entry? {
    try EntryTables(opened: name, environment)?.entry(number, transaction)
  }

  /// Entries of `held` or `deadLetters` behind a number, oldest first; the page ends with the entry
  /// whose bytes reach `bytesMax`.
  package func entries(
    _ name: String, after: Int64 = 0, limit: Int, bytesMax: Int = .max
  ) throws(StoreError) -> [EntryStore.Entry] {
    guard let tables = EntryTables(opened: name, environment) else { return [] }
    let numbers = try tables.numbers(after: after, limit: limit, transaction) { _ in true }
    var entries: [EntryStore.Entry] = []
    var bytes = 0
    for number in numbers where bytes < bytesMax {
      guard let entry = try tables.entry(number, transaction) else { continue }
      entries.append(entry)
      bytes += entry.bytes.count
    }
    return entries
  }

  /// Groups of `held` or `deadLetters` with the number of their entries, in order; the last one may
  /// go on in the next page.
  ///
  /// - Parameters:
  ///   - cursor: of the page before.
  ///   - limit: entries that the page counts, at least 1.
  /// - Returns: with each group its first entry of this page; a cursor where there is more.
  package func entryGroups(
    _ name: String, after cursor: [UInt8]? = nil, limit: Int
  ) throws(StoreError) -> (groups: [EntryGroup], cursor: [UInt8]?) {
    guard let table = environment.openedTable("\(name).groups") else { return ([], nil) }
    let (entries, isEnd) = try TreeWalk.page(
      transaction, table, from: cursor.map { $0 + [0] }, limit: limit, keysOnly: true)
    var groups: [EntryGroup] = []
    for entry in entries where entry.key.count == EntryTables.groupKeyBytes {
      // Behind the group come the entry's rank and number.
      let group = [UInt8](entry.key.dropLast(16))
      if groups.last?.group == group {
        groups[groups.count - 1].count += 1
      } else {
        let number = entry.key.raw.bigEndian(Int64.self, at: group.count + 8)
        groups.append(EntryGroup(group: group, first: number, count: 1))
      }
    }
    return (groups, isEnd ? nil : entries.last?.key)
  }

  /// Entries of `held` or `deadLetters` whose record has this id, oldest first.
  package func entries(_ name: String, id: Hash128) throws(StoreError) -> [EntryStore.Entry] {
    guard let tables = EntryTables(opened: name, environment) else { return [] }
    var entries: [EntryStore.Entry] = []
    for number in try tables.numbers(id: id, transaction) {
      if let entry = try tables.entry(number, transaction) { entries.append(entry) }
    }
    return entries
  }
}

/// Entries that are kept together: of one key, above all.
package struct EntryGroup: Hashable, Sendable {
  /// What tells it from other groups: the hash that the tree of groups is ordered by.
  package let group: [UInt8]
  /// The number of its first entry.
  package let first: Int64
  package var count: Int

  package init(group: [UInt8], first: Int64, count: Int) {
    self.group = group
    self.first = first
    self.count = count
  }
}
