/// The stored side of an entry store: entries by number, and two trees that find them.
struct EntryTables {
  private let entries: Table
  private let groups: Table
  private let ids: Table

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

  func load(
    _ transaction: Transaction, _ groupCounts: inout HashCounts, _ idCounts: inout HashCounts
  ) throws(StoreError) {
    var cursor = try transaction.cursor(ids)
    var found = try cursor.first()
    while found {
      idCounts.add(try Self.hash(cursor.key, ids))
      found = try cursor.next()
    }
    var from: [UInt8]?
    while true {
      let (page, isEnd) = try TreeWalk.page(
        transaction, groups, from: from, limit: 1024, keysOnly: true)
      for entry in page {
        groupCounts.add(Hash128(entry.key.raw.extracting(first: entry.key.count - 8)))
      }
      guard !isEnd, let last = page.last else { return }
      from = last.key + [0]
    }
  }

  private static func hash(_ key: [UInt8], _ table: Table) throws(StoreError) -> Hash128 {
    guard key.count == 24 else {
      throw StoreError(.corrupted, "a key is not a hash and a number", store: table.name)
    }
    return Hash128(
      high: key.raw.bigEndian(UInt64.self, at: 0), low: key.raw.bigEndian(UInt64.self, at: 8))
  }

  private static func idKey(_ id: Hash128, _ number: Int64) -> [UInt8] {
    var key: [UInt8] = []
    key.append(bigEndian: id.high)
    key.append(bigEndian: id.low)
    key.append(bigEndian: number)
    return key
  }

  private static func groupKey(_ group: [UInt8], _ number: Int64) -> [UInt8] {
    var key = group
    key.append(bigEndian: number)
    return key
  }

  func put(_ entry: EntryStore.Entry, _ transaction: Transaction) throws(StoreError) {
    var value = bigEndianBytes(UInt32(entry.group.count))
    value.append(contentsOf: entry.group)
    value.append(bigEndian: entry.idHash.high)
    value.append(bigEndian: entry.idHash.low)
    value.append(contentsOf: entry.bytes)
    try withKey(entry.number) { key throws(StoreError) in
      try transaction.put(entries, key, value.raw)
    }
    let key = Self.groupKey(entry.group, entry.number)
    var head: [UInt8] = []
    TreeKey.appendHead(key.raw, to: &head)
    try TreeKey.with(key.raw) { key throws(StoreError) in
      try transaction.put(groups, key, head.raw)
    }
    try transaction.put(ids, Self.idKey(entry.idHash, entry.number).raw, RawSpan())
  }

  func delete(_ entry: EntryStore.Entry, _ transaction: Transaction) throws(StoreError) {
    try withKey(entry.number) { key throws(StoreError) in
      _ = try transaction.delete(entries, key)
    }
    try TreeKey.with(Self.groupKey(entry.group, entry.number).raw) { key throws(StoreError) in
      _ = try transaction.delete(groups, key)
    }
    try transaction.delete(ids, Self.idKey(entry.idHash, entry.number).raw)
  }

  func entry(_ number: Int64, _ transaction: Transaction) throws(StoreError) -> EntryStore.Entry? {
    let value = try withKey(number) { key throws(StoreError) in
      try transaction.value(entries, key)
    }
    guard let value else { return nil }
    let damaged = StoreError(
      .corrupted, "entry \(number) is shorter than its head", store: entries.name)
    guard value.count >= 4 else { throw damaged }
    let content = 4 + Int(value.raw.bigEndian(UInt32.self, at: 0)) + 16
    guard value.count >= content else { throw damaged }
    return EntryStore.Entry(
      number: number, group: [UInt8](value[4..<(content - 16)]),
      idHash: Hash128(
        high: value.raw.bigEndian(UInt64.self, at: content - 16),
        low: value.raw.bigEndian(UInt64.self, at: content - 8)),
      bytes: [UInt8](value[content...]))
  }

  func numbers(id: Hash128, _ transaction: Transaction) throws(StoreError) -> [Int64] {
    var numbers: [Int64] = []
    var cursor = try transaction.cursor(ids)
    var found = try cursor.seek(Self.idKey(id, 0).raw)
    while found {
      let key = cursor.key
      guard try Self.hash(key, ids) == id else { break }
      numbers.append(key.raw.bigEndian(Int64.self, at: 16))
      found = try cursor.next()
    }
    return numbers
  }

  func numbers(group: [UInt8], _ transaction: Transaction) throws(StoreError) -> [Int64] {
    let (page, _) = try TreeWalk.page(
      transaction, groups, from: Self.groupKey(group, 0), to: Self.groupKey(group, .max),
      limit: .max, keysOnly: true)
    // A group that begins with this one has longer keys.
    return page.filter { $0.key.count == group.count + 8 }.map {
      $0.key.raw.bigEndian(Int64.self, at: group.count)
    }
  }

  func numbers(
    after: Int64, limit: Int, _ transaction: Transaction, where isWanted: (Int64) -> Bool
  ) throws(StoreError) -> [Int64] {
    var numbers: [Int64] = []
    var cursor = try transaction.cursor(entries)
    var found = try withKey(max(0, after) + 1) { key throws(StoreError) in try cursor.seek(key) }
    while found && numbers.count < limit {
      let number = cursor.key.raw.bigEndian(Int64.self, at: 0)
      if isWanted(number) { numbers.append(number) }
      found = try cursor.next()
    }
    return numbers
  }

  func count(_ transaction: Transaction) throws(StoreError) -> Int {
    try transaction.count(entries)
  }
}
