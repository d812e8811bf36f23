/// Records that wait, as held ones and dead letters: found by number, by their group (a key, in the
/// order of ranks, then of numbers), and by the id of their record.
///
/// There may be millions: only a filter of 12 bits a group and id is in memory, which answers "is
/// this key parked" and "does this id wait" where the answer is no. It is filled with the commits
/// after a start, not before the first.
package final class EntryStore: StoreParticipant {
  package struct Entry: Hashable, Sendable {
    /// From 1, dense in order of insertion.
    package let number: Int64
    package let group: [UInt8]
    /// Orders the entries of a group before their numbers do.
    package let rank: Int64
    /// `nil` for a record without an id.
    package let idHash: Hash128?
    /// Of the record's bytes.
    package let valueHash: UInt64
    package let bytes: [UInt8]

    package init(
      number: Int64, group: [UInt8], rank: Int64 = 0, idHash: Hash128?, valueHash: UInt64 = 0,
      bytes: [UInt8]
    ) {
      self.number = number
      self.group = group
      self.rank = rank
      self.idHash = idHash
      self.valueHash = valueHash
      self.bytes = bytes
    }

    init(_ head: EntryHead, bytes: [UInt8]) {
      self.init(
        number: head.number, group: head.group, rank: head.rank, idHash: head.idHash,
        valueHash: head.valueHash, bytes: bytes)
    }

    package var place: EntryPlace { EntryPlace(rank: rank, number: number) }

    var head: EntryHead {
      EntryHead(
        number: number, group: group, rank: rank, idHash: idHash, valueHash: valueHash,
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
    case inserted(Entry)
    case deletedCached(Entry)
    case deletedStored(EntryHead)
    case replacedCached(by: Entry, Entry)
    case replacedStored(by: Entry, EntryHead)
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
  /// In order, as are those below; what was deleted or put elsewhere again is among them.
  private var insertedNumbers: [Int64] = []
  private var insertedByGroup: [Hash128: [EntryPlace]] = [:]
  private var insertedByID: [Hash128: [Identified]] = [:]
  private var insertedBytes = 0
  /// Stored entries that the interval deleted or replaced.
  private var deleted: [Int64: EntryHead] = [:]
  /// By group: all entries before this place are deleted.
  private var firsts: [Hash128: EntryPlace] = [:]
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

  /// Adds an entry.
  ///
  /// - Parameters:
  ///   - rank: orders it in its group; of equal ranks the later entry is the last.
  ///   - idHash: of the record's id, if it has one.
  ///   - valueHash: of the record's bytes.
  /// - Returns: its number.
  @discardableResult
  package func insert(
    group: [UInt8], rank: Int64 = 0, idHash: Hash128?, valueHash: UInt64 = 0, _ bytes: RawSpan
  ) -> Int64 {
    beginChange()
    interval.words[nextWord] += 1
    let entry = Entry(
      number: interval.words[nextWord], group: group, rank: rank, idHash: idHash,
      valueHash: valueHash, bytes: unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) })
    cache(entry)
    unit.append(.inserted(entry))
    interval.words[countWord] += 1
    interval.words[bytesWord] += Int64(entry.bytes.count)
    return entry.number
  }

  /// Puts other contents in the place of an entry, which keeps its number and the id of its record.
  ///
  /// - Returns: whether it was there.
  @discardableResult
  package func replace(
    _ number: Int64, group: [UInt8], rank: Int64 = 0, _ bytes: RawSpan
  ) throws(StoreError) -> Bool {
    let content = unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) }
    func entry(_ head: EntryHead) -> Entry {
      Entry(
        number: number, group: group, rank: rank, idHash: head.idHash, valueHash: head.valueHash,
        bytes: content)
    }
    let byteCount: Int
    if let old = inserted[number] {
      beginChange()
      let new = entry(old.head)
      uncache(old)
      cache(new)
      byteCount = old.bytes.count
      unit.append(.replacedCached(by: new, old))
    } else {
      guard let head = try storedHead(number) else { return false }
      beginChange()
      let new = entry(head)
      deleted[number] = head
      cache(new)
      byteCount = head.byteCount
      unit.append(.replacedStored(by: new, head))
    }
    interval.words[bytesWord] += Int64(content.count - byteCount)
    return true
  }

  private func cache(_ entry: Entry) {
    let groupHash = entry.head.groupHash
    inserted[entry.number] = entry
    insertedNumbers.insertOnce(entry.number)
    insertedByGroup[groupHash, default: []].insertOnce(entry.place)
    insertedBytes += entry.bytes.count
    groupFilter.insertOnce(groupHash.low)
    lowerFirst(of: groupHash, to: entry.place)
    if let idHash = entry.idHash {
      insertedByID[idHash, default: []].append(
        Identified(valueHash: entry.valueHash, number: entry.number))
      idFilter.insertOnce(idHash.low)
    }
  }

  /// The group has an entry there again.
  private func lowerFirst(of groupHash: Hash128, to place: EntryPlace) {
    if let first = firsts[groupHash], place < first { firsts[groupHash] = place }
  }

  private func uncache(_ entry: Entry) {
    let groupHash = entry.head.groupHash
    inserted[entry.number] = nil
    insertedNumbers.remove(entry.number)
    insertedByGroup[groupHash]?.remove(entry.place)
    insertedBytes -= entry.bytes.count
    if let id = entry.idHash {
      insertedByID[id]?.removeAll { $0.number == entry.number }
      if insertedByID[id]?.isEmpty == true { insertedByID[id] = nil }
    }
  }

  /// Deletes an entry.
  ///
  /// - Returns: whether it was there.
  @discardableResult
  package func delete(_ number: Int64) throws(StoreError) -> Bool {
    let byteCount: Int
    if let entry = inserted[number] {
      beginChange()
      // Its places stay: what is taken out from the front costs no more with many behind it.
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

  /// The place of the group's first entry from `place` on.
  package func next(
    group: [UInt8], from place: EntryPlace = .first
  ) throws(StoreError) -> EntryPlace? {
    if count == 0 { return nil }
    let hash = Hash128(group.raw)
    guard groupFilter.mayContain(hash.low) else { return nil }
    let first = firsts[hash] ?? .first
    let found = try find(group, hash, from: max(place, first))
    // So that who takes one after another never meets those that went before again.
    if place <= first && !(inserted.isEmpty && deleted.isEmpty) {
      firsts[hash] = found ?? EntryPlace(rank: .max, number: .max)
    }
    return found
  }

  private func find(
    _ group: [UInt8], _ hash: Hash128, from place: EntryPlace
  ) throws(StoreError) -> EntryPlace? {
    let deleted = deleted
    let stored = try interval.reading { transaction throws(StoreError) in
      try tables.next(group: group, hash, from: place, transaction) { deleted[$0] == nil }
    }
    guard let cached = insertedByGroup[hash] else { return stored }
    for place in cached[cached.position(of: place)...] {
      if let stored, stored < place { return stored }
      if let entry = inserted[place.number], entry.place == place, entry.group == group {
        return place
      }
    }
    return stored
  }

  /// The first entry of a group.
  package func first(group: [UInt8]) throws(StoreError) -> Entry? {
    guard let place = try next(group: group) else { return nil }
    return try entry(place.number)
  }

  /// Numbers of a group's entries from `place` on, in their order.
  package func numbers(
    group: [UInt8], from place: EntryPlace = .first, limit: Int = .max
  ) throws(StoreError) -> [Int64] {
    var numbers: [Int64] = []
    var place = place
    while numbers.count < limit, let next = try next(group: group, from: place) {
      numbers.append(next.number)
      place = next.successor
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
    let stored = try interval.reading { transaction throws(StoreError) in
      try tables.numbers(after: after, limit: limit, transaction) { deleted[$0] == nil }
    }
    // One that was replaced lies among the stored ones.
    let cached = insertedNumbers[insertedNumbers.position(of: after + 1)...].lazy
      .filter { self.inserted[$0] != nil }.prefix(limit)
    guard let first = cached.first else { return stored }
    if stored.last.map({ $0 < first }) ?? true {
      return stored + cached.prefix(limit - stored.count)
    }
    return [Int64]((stored + cached).sorted().prefix(limit))
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
      let numbers = cached.filter { $0.valueHash == valueHash }.map(\.number)
      let all = same.map { $0.valueHash == valueHash ? numbers + [$0.number] : numbers } ?? numbers
      if let oldest = all.min() { return .same(oldest) }
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
      case .inserted(let entry): uncache(entry)
      case .deletedCached(let entry):
        inserted[entry.number] = entry
        insertedBytes += entry.bytes.count
        lowerFirst(of: entry.head.groupHash, to: entry.place)
      case .deletedStored(let head):
        deleted[head.number] = nil
        lowerFirst(of: head.groupHash, to: head.place)
      case .replacedCached(let new, let old):
        uncache(new)
        cache(old)
      case .replacedStored(let new, let head):
        uncache(new)
        deleted[head.number] = nil
        lowerFirst(of: head.groupHash, to: head.place)
      }
    }
    unit.removeAll(keepingCapacity: true)
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

  var intervalBytes: IntervalBytes {
    let bytes = insertedBytes + (inserted.count + deleted.count) * 300
    return IntervalBytes(cached: bytes, pages: bytes)
  }
}

extension Array where Element: Comparable {
  /// The position of the first element that is not below one; all are in order.
  fileprivate func position(of element: Element) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < element { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Most come in order.
  fileprivate mutating func insertOnce(_ element: Element) {
    if last.map({ $0 < element }) ?? true { return append(element) }
    let position = position(of: element)
    if self[position] != element { insert(element, at: position) }
  }

  fileprivate mutating func remove(_ element: Element) {
    let position = position(of: element)
    if position < count, self[position] == element { remove(at: position) }
  }
}
