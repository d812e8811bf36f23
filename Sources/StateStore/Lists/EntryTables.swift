/// Where an entry lies in its group: by rank, then by number.
package struct EntryPlace: Hashable, Comparable, Sendable {
  package let rank: Int64
  package let number: Int64

  package init(rank: Int64, number: Int64 = 0) {
    self.rank = rank
    self.number = number
  }

  /// Before all entries.
  package static let first = EntryPlace(rank: .min)

  /// The next place behind this one.
  package var successor: EntryPlace { EntryPlace(rank: rank, number: number + 1) }

  package static func < (left: EntryPlace, right: EntryPlace) -> Bool {
    (left.rank, left.number) < (right.rank, right.number)
  }
}

/// What finds an entry, apart from its bytes.
struct EntryHead: Hashable {
  let number: Int64
  let group: [UInt8]
  let rank: Int64
  let idHash: Hash128?
  let valueHash: UInt64
  let byteCount: Int

  var groupHash: Hash128 { Hash128(group.raw) }
  var place: EntryPlace { EntryPlace(rank: rank, number: number) }
}

/// The stored side of an entry store: entries by number, and two trees that find them, of (hash of
/// the group, rank, number) and (id, hash of the value, number). Their keys have no values.
struct EntryTables {
  let entries: Table
  let groups: Table
  let ids: Table

  /// Its tables: those of the store of this name.
  static func names(_ name: String) -> [String] { [name, "\(name).groups", "\(name).ids"] }

  init(_ name: String, _ environment: Environment) throws(StoreError) {
    self.entries = try environment.table(name)
    self.groups = try environment.table("\(name).groups")
    self.ids = try environment.table("\(name).ids")
  }

  /// The tables as they are, for readers; `nil` if nobody has made them.
  init?(opened name: String, _ environment: Environment) {
    guard let entries = environment.openedTable(name),
      let groups = environment.openedTable("\(name).groups"),
      let ids = environment.openedTable("\(name).ids")
    else { return nil }
    self.entries = entries
    self.groups = groups
    self.ids = ids
  }

  /// The lower half of the hash that a key of either tree begins with.
  static func filterHash(_ key: RawSpan) -> UInt64 {
    key.byteCount < 16 ? 0 : key.bigEndian(UInt64.self, at: 8)
  }

  /// Of a key of the groups' tree: the hash of the group, rank, number.
  static let groupKeyBytes = 32

  private static func groupKey(_ group: Hash128, _ place: EntryPlace) -> [UInt8] {
    var key: [UInt8] = []
    key.append(bigEndian: group.high)
    key.append(bigEndian: group.low)
    // Negative ranks come before the others.
    key.append(bigEndian: place.rank ^ .min)
    key.append(bigEndian: place.number)
    return key
  }

  private static func idKey(_ id: Hash128, _ valueHash: UInt64, _ number: Int64) -> [UInt8] {
    var key: [UInt8] = []
    key.append(bigEndian: id.high)
    key.append(bigEndian: id.low)
    key.append(bigEndian: valueHash)
    key.append(bigEndian: number)
    return key
  }

  // MARK: Writing

  func put(_ entry: EntryStore.Entry, _ transaction: Transaction) throws(StoreError) {
    var value = bigEndianBytes(UInt32(entry.group.count))
    value.append(contentsOf: entry.group)
    value.append(entry.idHash == nil ? 0 : 1)
    value.append(bigEndian: entry.idHash?.high ?? 0)
    value.append(bigEndian: entry.idHash?.low ?? 0)
    value.append(bigEndian: entry.valueHash)
    value.append(bigEndian: entry.rank)
    value.append(contentsOf: entry.bytes)
    try withKey(entry.number) { key throws(StoreError) in
      try transaction.put(entries, key, value.raw)
    }
    let head = entry.head
    try transaction.put(groups, Self.groupKey(head.groupHash, head.place).raw, RawSpan())
    if let id = entry.idHash {
      try transaction.put(ids, Self.idKey(id, entry.valueHash, entry.number).raw, RawSpan())
    }
  }

  func delete(_ head: EntryHead, _ transaction: Transaction) throws(StoreError) {
    try withKey(head.number) { key throws(StoreError) in
      _ = try transaction.delete(entries, key)
    }
    try transaction.delete(groups, Self.groupKey(head.groupHash, head.place).raw)
    if let id = head.idHash {
      try transaction.delete(ids, Self.idKey(id, head.valueHash, head.number).raw)
    }
  }

  // MARK: Reading

  func entry(_ number: Int64, _ transaction: Transaction) throws(StoreError) -> EntryStore.Entry? {
    guard let (head, bytes) = try read(number, transaction, withBytes: true) else { return nil }
    return EntryStore.Entry(head, bytes: bytes)
  }

  func head(_ number: Int64, _ transaction: Transaction) throws(StoreError) -> EntryHead? {
    try read(number, transaction, withBytes: false)?.head
  }

  private func read(
    _ number: Int64, _ transaction: Transaction, withBytes: Bool
  ) throws(StoreError) -> (head: EntryHead, bytes: [UInt8])? {
    let found = try unsafe withKey(number) { key throws(StoreError) in
      try unsafe key.withUnsafeBytes { key throws(StoreError) in
        try unsafe transaction.value(entries, key)
      }
    }
    guard let found = unsafe found else { return nil }
    let value = unsafe found.bytes
    let damaged = StoreError(
      .corrupted, "entry \(number) is shorter than its head", store: entries.name)
    guard value.byteCount >= 4 else { throw damaged }
    let group = Int(value.bigEndian(UInt32.self, at: 0))
    let content = 4 + group + 33
    guard value.byteCount >= content else { throw damaged }
    let hasID = value.unsafeByte(4 + group) != 0
    let head = EntryHead(
      number: number, group: unsafe [UInt8](unsafe found[4..<(4 + group)]),
      rank: value.bigEndian(Int64.self, at: content - 8),
      idHash: hasID
        ? Hash128(
          high: value.bigEndian(UInt64.self, at: content - 32),
          low: value.bigEndian(UInt64.self, at: content - 24)) : nil,
      valueHash: value.bigEndian(UInt64.self, at: content - 16),
      byteCount: value.byteCount - content)
    return (head, withBytes ? unsafe [UInt8](found[content...]) : [])
  }

  /// The first entry of a group from a place on that `isWanted`.
  func next(
    group: [UInt8], _ hash: Hash128, from place: EntryPlace, _ transaction: Transaction,
    where isWanted: (Int64) -> Bool
  ) throws(StoreError) -> EntryPlace? {
    let prefix = Self.groupKey(hash, .first).prefix(16)
    var cursor = try transaction.cursor(groups)
    var found = try cursor.seek(Self.groupKey(hash, place).raw)
    while found {
      let key = unsafe cursor.keyBytes
      guard unsafe key.count == Self.groupKeyBytes && key.starts(with: prefix) else {
        return nil
      }
      let rank = unsafe key.bytes.bigEndian(Int64.self, at: 16) ^ .min
      let number = unsafe key.bytes.bigEndian(Int64.self, at: 24)
      // Two groups may have one hash.
      if isWanted(number), try head(number, transaction)?.group == group {
        return EntryPlace(rank: rank, number: number)
      }
      found = try cursor.next()
    }
    return nil
  }

  /// The first (value's hash, number) of an id from such a pair on that `isWanted`.
  func next(
    id: Hash128, from: (valueHash: UInt64, number: Int64), _ transaction: Transaction,
    where isWanted: (Int64) -> Bool
  ) throws(StoreError) -> (valueHash: UInt64, number: Int64)? {
    let prefix = Self.idKey(id, 0, 0).prefix(16)
    var cursor = try transaction.cursor(ids)
    var found = try cursor.seek(Self.idKey(id, from.valueHash, from.number).raw)
    while found {
      let key = unsafe cursor.keyBytes
      guard unsafe key.count == 32 && key.starts(with: prefix) else { return nil }
      let number = unsafe key.bytes.bigEndian(Int64.self, at: 24)
      if isWanted(number) {
        return (unsafe key.bytes.bigEndian(UInt64.self, at: 16), number)
      }
      found = try cursor.next()
    }
    return nil
  }

  /// The numbers of all entries of an id, oldest first.
  func numbers(id: Hash128, _ transaction: Transaction) throws(StoreError) -> [Int64] {
    var numbers: [Int64] = []
    let prefix = Self.idKey(id, 0, 0).prefix(16)
    var cursor = try transaction.cursor(ids)
    var found = try cursor.seek(Self.idKey(id, 0, 0).raw)
    while found, case let key = cursor.key, key.count == 32, key.starts(with: prefix) {
      numbers.append(key.raw.bigEndian(Int64.self, at: 24))
      found = try cursor.next()
    }
    return numbers.sorted()
  }

  func numbers(
    after: Int64, limit: Int, _ transaction: Transaction, where isWanted: (Int64) -> Bool
  ) throws(StoreError) -> [Int64] {
    var numbers: [Int64] = []
    var cursor = try transaction.cursor(entries)
    var found = try withKey(max(0, after) + 1) { key throws(StoreError) in try cursor.seek(key) }
    while found && numbers.count < limit {
      let key = unsafe cursor.keyBytes
      guard key.count == 8 else {
        throw StoreError(.corrupted, "a key is no number", store: entries.name)
      }
      let number = unsafe key.bytes.bigEndian(Int64.self, at: 0)
      if isWanted(number) { numbers.append(number) }
      found = try cursor.next()
    }
    return numbers
  }

  func count(_ transaction: Transaction) throws(StoreError) -> Int {
    try transaction.count(entries)
  }
}
