/// Records that wait, as held ones and dead letters: found by number, by their group (a key, in
/// order of arrival), and by the id of their record.
///
/// There may be millions: only a filter of 12 bits a group and id is in memory, which answers "is
/// this key parked" and "does this id wait" where the answer is no. It is filled with the commits
/// after a start, not before the first.
package final class EntryStore: StoreParticipant {
  package struct Entry: Hashable, Sendable {
    /// From 1, dense in order of insertion.
    package let number: Int64
    package let group: [UInt8]
    /// `nil` for a record without an id.
    package let idHash: Hash128?
    /// Of the record's bytes.
    package let valueHash: UInt64
    package let bytes: [UInt8]

    package init(
      number: Int64, group: [UInt8], idHash: Hash128?, valueHash: UInt64 = 0, bytes: [UInt8]
    ) {
      self.number = number
      self.group = group
      self.idHash = idHash
      self.valueHash = valueHash
      self.bytes = bytes
    }

    init(_ head: EntryHead, bytes: [UInt8]) {
      self.init(
        number: head.number, group: head.group, idHash: head.idHash, valueHash: head.valueHash,
        bytes: bytes)
    }

    var head: EntryHead {
      EntryHead(
        number: number, group: group, idHash: idHash, valueHash: valueHash,
        byteCount: bytes.count)
    }
  }

  /// What is kept under an id when a record of it comes.
  package enum Answer: Hashable, Sendable {
    case none
    /// The oldest entry with the record's bytes.
    case same(Int64)
    /// No entry has the record's bytes; one of those that have others.
    case other(Int64)
  }

  private enum Change {
    case inserted(Int64)
    case deletedCached(Entry)
    case deletedStored(EntryHead)
  }

  private struct Identified {
    let valueHash: UInt64
    let number: Int64
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
  /// In order; those that were deleted again are among them.
  private var insertedNumbers: [Int64] = []
  private var insertedByGroup: [Hash128: [Int64]] = [:]
  private var insertedByID: [Hash128: [Identified]] = [:]
  private var insertedBytes = 0
  /// Stored entries that the interval deleted.
  private var deleted: [Int64: EntryHead] = [:]
  /// By group: all entries before this number are deleted.
  private var firsts: [Hash128: Int64] = [:]
  private var unit: [Change] = []
  private var groupFilter = TreeFilter()
  private var idFilter = TreeFilter()

  init(_ name: String, _ interval: Interval, index: Int) throws(StoreError) {
    self.name = name
    self.interval = interval
    self.index = Int32(index)
    self.tables = try EntryTables(name, interval.environment)
    self.nextWord = interval.words.register("\(name).last")
    self.countWord = interval.words.register("\(name).count")
    self.bytesWord = interval.words.register("\(name).bytes")
    forgetIfEmpty()
  }

  /// The number of entries, the interval's changes included.
  package var count: Int { Int(interval.words[countWord]) }
  /// The bytes of all entries' contents.
  package var bytes: Int { Int(interval.words[bytesWord]) }
  package var lastNumber: Int64 { interval.words[nextWord] }
  /// Of the filters.
  package var memoryBytes: Int { groupFilter.memoryBytes + idFilter.memoryBytes }
  /// Whether the filters have all that is stored.
  package var isFilled: Bool { groupFilter.isFilled && idFilter.isFilled }

  // MARK: Changing

  private func beginChange() {
    guard interval.isFirstChange(of: index, &lastUnit) else { return }
    unit.removeAll(keepingCapacity: true)
  }

  /// Adds an entry at the end of its group.
  ///
  /// - Parameters:
  ///   - idHash: of the record's id, if it has one.
  ///   - valueHash: of the record's bytes.
  /// - Returns: its number.
  @discardableResult
  package func insert(
    group: [UInt8], idHash: Hash128?, valueHash: UInt64 = 0, _ bytes: RawSpan
  ) -> Int64 {
    beginChange()
    interval.words[nextWord] += 1
    let content = unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) }
    let entry = Entry(
      number: interval.words[nextWord], group: group, idHash: idHash, valueHash: valueHash,
      bytes: content)
    let groupHash = entry.head.groupHash
    inserted[entry.number] = entry
    insertedNumbers.append(entry.number)
    insertedByGroup[groupHash, default: []].append(entry.number)
    insertedBytes += content.count
    groupFilter.insertOnce(groupHash.low)
    if let idHash {
      insertedByID[idHash, default: []].append(
        Identified(valueHash: valueHash, number: entry.number))
      idFilter.insertOnce(idHash.low)
    }
    unit.append(.inserted(entry.number))
    interval.words[countWord] += 1
    interval.words[bytesWord] += Int64(content.count)
    return entry.number
  }

  /// Deletes an entry.
  ///
  /// - Returns: whether it was there.
  @discardableResult
  package func delete(_ number: Int64) throws(StoreError) -> Bool {
    let byteCount: Int
    if let entry = inserted[number] {
      beginChange()
      inserted[number] = nil
      insertedBytes -= entry.bytes.count
      byteCount = entry.bytes.count
      unit.append(.deletedCached(entry))
    } else {
      guard let head = try storedHead(number) else { return false }
      beginChange()
      deleted[number] = head
      byteCount = head.byteCount
      unit.append(.deletedStored(head))
    }
    interval.words[countWord] -= 1
    interval.words[bytesWord] -= Int64(byteCount)
    return true
  }

  private func storedHead(_ number: Int64) throws(StoreError) -> EntryHead? {
    if deleted[number] != nil { return nil }
    return try interval.reading { transaction throws(StoreError) in
      try tables.head(number, transaction)
    }
  }

  // MARK: Finding

  /// The entry of a number.
  package func entry(_ number: Int64) throws(StoreError) -> Entry? {
    if let cached = inserted[number] { return cached }
    if deleted[number] != nil { return nil }
    return try interval.reading { transaction throws(StoreError) in
      try tables.entry(number, transaction)
    }
  }

  /// Whether a group has no entry.
  package func isEmpty(group: [UInt8]) throws(StoreError) -> Bool {
    try next(group: group) == nil
  }

  /// The number of the group's first entry behind `after`, in order of arrival.
  package func next(group: [UInt8], after: Int64 = 0) throws(StoreError) -> Int64? {
    if count == 0 { return nil }
    let hash = Hash128(group.raw)
    guard groupFilter.mayContain(hash.low) else { return nil }
    let first = firsts[hash] ?? 1
    let number = try find(group, hash, from: max(after + 1, first))
    // So that who takes one after another never meets those that went before again.
    if after < first && !(inserted.isEmpty && deleted.isEmpty) {
      firsts[hash] = number ?? lastNumber + 1
    }
    return number
  }

  private func find(
    _ group: [UInt8], _ hash: Hash128, from: Int64
  ) throws(StoreError) -> Int64? {
    let deleted = deleted
    let stored = try interval.reading { transaction throws(StoreError) in
      try tables.next(group: group, hash, from: from, transaction) { deleted[$0] == nil }
    }
    if let stored { return stored }
    guard let cached = insertedByGroup[hash] else { return nil }
    for number in cached[Self.position(of: from, in: cached)...]
    where inserted[number]?.group == group {
      return number
    }
    return nil
  }

  /// The position of the first number that is not below `number`.
  private static func position(of number: Int64, in numbers: [Int64]) -> Int {
    var (low, high) = (0, numbers.count)
    while low < high {
      let middle = (low + high) / 2
      if numbers[middle] < number { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The oldest entry of a group.
  package func first(group: [UInt8]) throws(StoreError) -> Entry? {
    guard let number = try next(group: group) else { return nil }
    return try entry(number)
  }

  /// Numbers of a group behind `after`, oldest first.
  package func numbers(
    group: [UInt8], after: Int64 = 0, limit: Int = .max
  ) throws(StoreError) -> [Int64] {
    var numbers: [Int64] = []
    var last = after
    while numbers.count < limit, let next = try next(group: group, after: last) {
      numbers.append(next)
      last = next
    }
    return numbers
  }

  /// How many entries a group has, counted no further than to `limit`.
  package func count(group: [UInt8], upTo limit: Int) throws(StoreError) -> Int {
    try numbers(group: group, limit: limit).count
  }

  /// Numbers behind `after`, oldest first.
  package func numbers(after: Int64, limit: Int) throws(StoreError) -> [Int64] {
    let deleted = deleted
    var numbers = try interval.reading { transaction throws(StoreError) in
      try tables.numbers(after: after, limit: limit, transaction) { deleted[$0] == nil }
    }
    for number in insertedNumbers[Self.position(of: after + 1, in: insertedNumbers)...]
    where numbers.count < limit && inserted[number] != nil {
      numbers.append(number)
    }
    return numbers
  }

  /// Whether an entry's record has this id.
  package func contains(id: Hash128) throws(StoreError) -> Bool {
    try look(id, valueHash: 0) != .none
  }

  /// What is kept under an id, for a record of these bytes.
  ///
  /// - Parameter own: an entry that is not asked: the record's own.
  package func look(
    _ id: Hash128, valueHash: UInt64, except own: Int64? = nil
  ) throws(StoreError) -> Answer {
    if count == 0 || !idFilter.mayContain(id.low) { return .none }
    let cached = (insertedByID[id] ?? []).filter {
      inserted[$0.number] != nil && $0.number != own
    }
    let deleted = deleted
    let isAsked: (Int64) -> Bool = { deleted[$0] == nil && $0 != own }
    return try interval.reading { transaction throws(StoreError) in
      let same = try tables.next(
        id: id, from: (valueHash, 0), transaction, where: isAsked)
      if let same, same.valueHash == valueHash { return .same(same.number) }
      // Numbers rise, so cached ones lie behind the stored.
      if let same = cached.first(where: { $0.valueHash == valueHash }) {
        return .same(same.number)
      }
      let stored = try tables.next(id: id, from: (0, 0), transaction, where: isAsked)
      let others = cached + (stored.map { [Identified(valueHash: $0.0, number: $0.1)] } ?? [])
      let least = others.min { ($0.valueHash, $0.number) < ($1.valueHash, $1.number) }
      return least.map { .other($0.number) } ?? .none
    }
  }

  // MARK: Intervals

  func rollbackUnit() {
    for change in unit.reversed() {
      switch change {
      case .inserted(let number):
        // What was deleted again in the unit is back by now.
        guard let entry = inserted.removeValue(forKey: number) else { continue }
        insertedBytes -= entry.bytes.count
        insertedNumbers.removeLast()
        insertedByGroup[entry.head.groupHash]?.removeLast()
        if let id = entry.idHash { insertedByID[id]?.removeLast() }
      case .deletedCached(let entry):
        inserted[entry.number] = entry
        insertedBytes += entry.bytes.count
      case .deletedStored(let head): deleted[head.number] = nil
      }
    }
    unit.removeAll(keepingCapacity: true)
    firsts.removeAll(keepingCapacity: true)
  }

  func flush(_ transaction: Transaction) throws {
    let limit = 4_096 + 4 * insertedNumbers.count
    try groupFilter.fill(
      transaction, tables.groups, limit: limit, hash: EntryTables.filterHash)
    try idFilter.fill(transaction, tables.ids, limit: limit, hash: EntryTables.filterHash)
    for head in deleted.values.sorted(by: { $0.number < $1.number }) {
      try tables.delete(head, transaction)
    }
    for number in insertedNumbers {
      if let entry = inserted[number] { try tables.put(entry, transaction) }
    }
  }

  func dropCache() {
    inserted = [:]
    insertedNumbers = []
    insertedByGroup = [:]
    insertedByID = [:]
    insertedBytes = 0
    deleted = [:]
    firsts = [:]
    unit = []
  }

  func intervalCommitted() { forgetIfEmpty() }

  /// Where no entry is left the filters begin anew: nothing can be taken out of them.
  private func forgetIfEmpty() {
    guard count == 0, memoryBytes > 0 || !isFilled else { return }
    groupFilter.removeAll()
    idFilter.removeAll()
  }

  var dirtyBytes: Int { insertedBytes * 2 + (inserted.count + deleted.count) * 600 }
}
