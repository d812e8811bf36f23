/// Records that wait, as held ones and dead letters: found by number, by their group (a key, in
/// order of arrival), and by the id of their record.
///
/// Groups and ids are counted in memory, so that "is this key parked" and "does this id wait" cost
/// a look at a table when the answer is no.
package final class EntryStore: StoreParticipant {
  package struct Entry: Hashable, Sendable {
    /// From 1, dense in order of insertion.
    package let number: Int64
    package let group: [UInt8]
    package let idHash: Hash128
    package let bytes: [UInt8]

    package init(number: Int64, group: [UInt8], idHash: Hash128, bytes: [UInt8]) {
      self.number = number
      self.group = group
      self.idHash = idHash
      self.bytes = bytes
    }
  }

  private enum Change {
    case inserted(Int64)
    case deleted(Entry, wasCached: Bool)
  }

  private struct Counted {
    let group: Hash128
    let id: Hash128
    let isInsertion: Bool
  }

  package let name: String
  private let tables: EntryTables
  private let interval: Interval
  private let nextWord: Int
  private let countWord: Int
  private let bytesWord: Int
  private let index: Int32
  private var lastUnit = -1
  private var inserted: [Int64: Entry] = [:]
  private var insertedByGroup: [Hash128: [Int64]] = [:]
  private var insertedByID: [Hash128: [Int64]] = [:]
  /// Stored entries that the interval deleted.
  private var deleted: [Int64: Entry] = [:]
  private var unit: [Change] = []
  private var counted: [Counted] = []
  private var groups = HashCounts()
  private var ids = HashCounts()

  init(_ name: String, _ interval: Interval, index: Int) throws(StoreError) {
    self.name = name
    self.interval = interval
    self.index = Int32(index)
    self.tables = try EntryTables(name, interval.environment)
    self.nextWord = interval.words.register("\(name).last")
    self.countWord = interval.words.register("\(name).count")
    self.bytesWord = interval.words.register("\(name).bytes")
    let read = try ReadTransaction(interval.environment)
    try tables.load(read.operations, &groups, &ids)
  }

  /// The number of entries, the interval's changes included.
  package var count: Int { Int(interval.words[countWord]) }
  /// The bytes of all entries' contents.
  package var bytes: Int { Int(interval.words[bytesWord]) }
  package var lastNumber: Int64 { interval.words[nextWord] }

  package func count(group: [UInt8]) -> Int { groups.count(Hash128(group.raw)) }
  package func contains(group: [UInt8]) -> Bool { count(group: group) > 0 }
  /// Whether an entry's record has this id.
  package func contains(id: Hash128) -> Bool { ids.count(id) > 0 }

  private func beginChange() {
    guard interval.isFirstChange(of: index, &lastUnit) else { return }
    unit.removeAll(keepingCapacity: true)
  }

  /// Adds an entry at the end of its group.
  ///
  /// - Returns: its number.
  @discardableResult
  package func insert(group: [UInt8], idHash: Hash128, _ bytes: RawSpan) -> Int64 {
    beginChange()
    interval.words[nextWord] += 1
    let content = unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) }
    let entry = Entry(
      number: interval.words[nextWord], group: group, idHash: idHash, bytes: content)
    addCached(entry)
    unit.append(.inserted(entry.number))
    note(entry, isInsertion: true)
    interval.words[countWord] += 1
    interval.words[bytesWord] += Int64(content.count)
    return entry.number
  }

  /// Deletes an entry.
  ///
  /// - Returns: whether it was there.
  @discardableResult
  package func delete(_ number: Int64) throws(StoreError) -> Bool {
    guard let entry = try entry(number) else { return false }
    beginChange()
    let wasCached = inserted[number] != nil
    if wasCached { removeCached(entry) } else { deleted[number] = entry }
    unit.append(.deleted(entry, wasCached: wasCached))
    note(entry, isInsertion: false)
    interval.words[countWord] -= 1
    interval.words[bytesWord] -= Int64(entry.bytes.count)
    return true
  }

  private func addCached(_ entry: Entry) {
    inserted[entry.number] = entry
    insertedByGroup[Hash128(entry.group.raw), default: []].append(entry.number)
    insertedByID[entry.idHash, default: []].append(entry.number)
  }

  private func removeCached(_ entry: Entry) {
    inserted[entry.number] = nil
    insertedByGroup[Hash128(entry.group.raw)]?.removeAll { $0 == entry.number }
    insertedByID[entry.idHash]?.removeAll { $0 == entry.number }
  }

  private func note(_ entry: Entry, isInsertion: Bool) {
    let change = Counted(
      group: Hash128(entry.group.raw), id: entry.idHash, isInsertion: isInsertion)
    counted.append(change)
    apply(change, isInsertion)
  }

  private func apply(_ change: Counted, _ isInsertion: Bool) {
    if isInsertion {
      groups.add(change.group)
      ids.add(change.id)
    } else {
      groups.remove(change.group)
      ids.remove(change.id)
    }
  }

  /// The entry of a number.
  package func entry(_ number: Int64) throws(StoreError) -> Entry? {
    if let cached = inserted[number] { return cached }
    if deleted[number] != nil { return nil }
    return try interval.reading { transaction throws(StoreError) in
      try tables.entry(number, transaction)
    }
  }

  /// The oldest entry whose record has this id.
  package func byID(_ id: Hash128) throws(StoreError) -> Entry? {
    if ids.count(id) == 0 { return nil }
    let stored = try interval.reading { transaction throws(StoreError) in
      try tables.numbers(id: id, transaction)
    }
    if let number = stored.first(where: { deleted[$0] == nil }) { return try entry(number) }
    return insertedByID[id]?.min().flatMap { inserted[$0] }
  }

  /// The entries whose records have this id, oldest first.
  package func entries(id: Hash128) throws(StoreError) -> [Entry] {
    if ids.count(id) == 0 { return [] }
    let stored = try interval.reading { transaction throws(StoreError) in
      try tables.numbers(id: id, transaction)
    }
    var entries: [Entry] = []
    for number in stored.filter({ deleted[$0] == nil }) + (insertedByID[id] ?? []).sorted() {
      if let entry = try entry(number) { entries.append(entry) }
    }
    return entries
  }

  /// The numbers of a group, oldest first.
  package func numbers(group: [UInt8]) throws(StoreError) -> [Int64] {
    if count(group: group) == 0 { return [] }
    let stored = try interval.reading { transaction throws(StoreError) in
      try tables.numbers(group: group, transaction)
    }
    let cached = insertedByGroup[Hash128(group.raw)] ?? []
    return stored.filter { deleted[$0] == nil } + cached.sorted()
  }

  /// The oldest entry of a group.
  package func first(group: [UInt8]) throws(StoreError) -> Entry? {
    guard let number = try numbers(group: group).first else { return nil }
    return try entry(number)
  }

  /// Numbers behind `after`, oldest first.
  package func numbers(after: Int64, limit: Int) throws(StoreError) -> [Int64] {
    let deleted = deleted
    var numbers = try interval.reading { transaction throws(StoreError) in
      try tables.numbers(after: after, limit: limit, transaction) { deleted[$0] == nil }
    }
    if numbers.count < limit {
      numbers += inserted.keys.filter { $0 > after }.sorted().prefix(limit - numbers.count)
    }
    return numbers
  }

  func rollbackUnit() {
    for change in unit.reversed() {
      switch change {
      case .inserted(let number):
        if let entry = inserted[number] { removeCached(entry) }
      case .deleted(let entry, let wasCached):
        if wasCached { addCached(entry) } else { deleted[entry.number] = nil }
      }
      if let last = counted.popLast() { apply(last, !last.isInsertion) }
    }
    unit.removeAll(keepingCapacity: true)
  }

  func flush(_ transaction: Transaction) throws {
    for entry in deleted.values.sorted(by: { $0.number < $1.number }) {
      try tables.delete(entry, transaction)
    }
    for entry in inserted.values.sorted(by: { $0.number < $1.number }) {
      try tables.put(entry, transaction)
    }
  }

  func dropCache() {
    inserted.removeAll(keepingCapacity: true)
    insertedByGroup.removeAll(keepingCapacity: true)
    insertedByID.removeAll(keepingCapacity: true)
    deleted.removeAll(keepingCapacity: true)
    unit.removeAll(keepingCapacity: true)
  }

  func intervalCommitted() { counted.removeAll(keepingCapacity: true) }

  func intervalAborted() {
    for change in counted.reversed() { apply(change, !change.isInsertion) }
    counted.removeAll(keepingCapacity: true)
  }

  var dirtyBytes: Int {
    inserted.values.reduce(0) { $0 + $1.bytes.count * 2 + 600 } + deleted.count * 600
  }
}
