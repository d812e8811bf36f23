/// A sealed segment of ids.
struct IDSegment: Hashable {
  /// Rising by one a segment.
  let number: Int
  let count: Int
  let minTime: Int64
  let maxTime: Int64
}

/// The stored side of the seen ids.
///
/// The active segment lies in order of arrival in runs of (hash, place). A sealed one is sorted:
/// pages of 255 hashes under (segment, first hash, page), and beside them pages of 408 places under
/// (segment, page); each value fills one page of the file.
struct IDTables {
  static let hashesPerPage = 255
  static let placesPerPage = 408
  static let recordsPerRun = 156

  let active: Table
  let hashes: Table
  let places: Table
  let segments: Table

  init(_ environment: Environment) throws(StoreError) {
    self.active = try environment.table("ids.active")
    self.hashes = try environment.table("ids.hashes")
    self.places = try environment.table("ids.places")
    self.segments = try environment.table("ids.segments")
  }

  /// The tables as they are, for readers; `nil` if nobody has made them.
  init?(opened environment: Environment) {
    guard let active = environment.openedTable("ids.active"),
      let hashes = environment.openedTable("ids.hashes"),
      let places = environment.openedTable("ids.places"),
      let segments = environment.openedTable("ids.segments")
    else { return nil }
    self.active = active
    self.hashes = hashes
    self.places = places
    self.segments = segments
  }

  private func damaged(_ table: Table) -> StoreError {
    StoreError(
      .corrupted, "seen ids are damaged; restore a snapshot or rebuild", store: table.name)
  }

  static func hash(_ bytes: RawSpan, at offset: Int) -> Hash128 {
    Hash128(
      high: bytes.bigEndian(UInt64.self, at: offset),
      low: bytes.bigEndian(UInt64.self, at: offset + 8))
  }

  // MARK: The active segment

  /// Appends the ids from position `first` on.
  func append(
    _ transaction: Transaction, first: Int, hashes: ArraySlice<Hash128>, places: [IDPlace]
  ) throws(StoreError) {
    var run: [UInt8] = []
    var position = 0
    while position < places.count {
      run.removeAll(keepingCapacity: true)
      let start = position
      while position < places.count && position - start < Self.recordsPerRun {
        let hash = hashes[hashes.startIndex + position]
        places[position].append(behind: hash, to: &run)
        position += 1
      }
      let key = bigEndianBytes(UInt32(first + start))
      try transaction.put(active, key.raw, run.raw, append: true)
    }
  }

  /// Calls `body` with the active ids in order of arrival.
  func forEachActive(
    _ transaction: Transaction, _ body: (IDRecord) -> Void
  ) throws(StoreError) {
    var cursor = try transaction.cursor(active)
    var found = try cursor.first()
    while found {
      let run = unsafe cursor.valueBytes
      guard run.count % IDRecord.bytes == 0 else { throw damaged(active) }
      for offset in stride(from: 0, to: run.count, by: IDRecord.bytes) {
        let bytes = unsafe run.bytes
        body(
          IDRecord(
            hash: Self.hash(bytes, at: offset), place: IDPlace(bytes, at: offset + 16)))
      }
      found = try cursor.next()
    }
  }

  func activePlace(_ transaction: Transaction, _ position: Int) throws(StoreError) -> IDPlace {
    var cursor = try transaction.cursor(active)
    guard try cursor.seek(before: bigEndianBytes(UInt32(position + 1)).raw) else {
      throw damaged(active)
    }
    let key = cursor.key
    let run = cursor.value
    guard key.count == 4 else { throw damaged(active) }
    let offset = (position - Int(key.raw.bigEndian(UInt32.self, at: 0))) * IDRecord.bytes
    guard offset >= 0, offset + IDRecord.bytes <= run.count else { throw damaged(active) }
    return IDPlace(run.raw, at: offset + 16)
  }

  // MARK: Sealed segments

  func loadSegments(_ transaction: Transaction) throws(StoreError) -> [IDSegment] {
    var loaded: [IDSegment] = []
    for entry in try TreeWalk.page(transaction, segments, limit: .max).entries {
      guard entry.key.count == 4, entry.value.count == 24 else { throw damaged(segments) }
      loaded.append(
        IDSegment(
          number: Int(entry.key.raw.bigEndian(UInt32.self, at: 0)),
          count: Int(entry.value.raw.bigEndian(Int64.self, at: 0)),
          minTime: entry.value.raw.bigEndian(Int64.self, at: 8),
          maxTime: entry.value.raw.bigEndian(Int64.self, at: 16)))
    }
    return loaded
  }

  private static func hashKey(_ segment: Int, _ hash: Hash128, _ page: UInt32) -> [UInt8] {
    var key = bigEndianBytes(UInt32(segment))
    key.append(bigEndian: hash.high)
    key.append(bigEndian: hash.low)
    key.append(bigEndian: page)
    return key
  }

  private static func placeKey(_ segment: Int, _ page: Int) -> [UInt8] {
    bigEndianBytes(UInt32(segment)) + bigEndianBytes(UInt32(page))
  }

  /// Writes sorted records as a segment and clears the active one.
  func seal(
    _ transaction: Transaction, _ segment: IDSegment, _ records: [IDRecord]
  ) throws(StoreError) {
    var value: [UInt8] = []
    for (page, start) in stride(from: 0, to: records.count, by: Self.hashesPerPage).enumerated() {
      value.removeAll(keepingCapacity: true)
      for record in records[start..<min(start + Self.hashesPerPage, records.count)] {
        value.append(bigEndian: record.hash.high)
        value.append(bigEndian: record.hash.low)
      }
      let key = Self.hashKey(segment.number, records[start].hash, UInt32(page))
      try transaction.put(hashes, key.raw, value.raw, append: true)
    }
    for (page, start) in stride(from: 0, to: records.count, by: Self.placesPerPage).enumerated() {
      value.removeAll(keepingCapacity: true)
      for record in records[start..<min(start + Self.placesPerPage, records.count)] {
        record.place.append(to: &value)
      }
      let key = Self.placeKey(segment.number, page)
      try transaction.put(places, key.raw, value.raw, append: true)
    }
    value.removeAll(keepingCapacity: true)
    value.append(bigEndian: Int64(segment.count))
    value.append(bigEndian: segment.minTime)
    value.append(bigEndian: segment.maxTime)
    let number = bigEndianBytes(UInt32(segment.number))
    try transaction.put(segments, number.raw, value.raw)
    try transaction.clear(active)
  }

  func delete(_ transaction: Transaction, segment: Int) throws(StoreError) {
    let prefix = bigEndianBytes(UInt32(segment))
    for table in [hashes, places] {
      var cursor = try transaction.cursor(table)
      var found = try cursor.seek(prefix.raw)
      while found && cursor.key.starts(with: prefix) {
        try cursor.delete()
        found = try cursor.next()
      }
    }
    try transaction.delete(segments, prefix.raw)
  }

  /// Calls `body` with all ids of a segment.
  func forEach(
    _ transaction: Transaction, segment: Int, _ body: (Hash128) -> Void
  ) throws(StoreError) {
    let prefix = bigEndianBytes(UInt32(segment))
    var cursor = try transaction.cursor(hashes)
    var found = try cursor.seek(prefix.raw)
    while found {
      let key = unsafe cursor.keyBytes
      if unsafe !key.starts(with: prefix) { break }
      let page = unsafe cursor.valueBytes
      guard page.count % 16 == 0 else { throw damaged(hashes) }
      for offset in stride(from: 0, to: page.count, by: 16) {
        body(unsafe Self.hash(page.bytes, at: offset))
      }
      found = try cursor.next()
    }
  }

  /// The place of an id in a segment; `nil` if it is not there.
  func find(
    _ transaction: Transaction, segment: Int, _ hash: Hash128
  ) throws(StoreError) -> IDPlace? {
    guard let position = try position(transaction, segment, hash) else { return nil }
    let key = Self.placeKey(segment, position / Self.placesPerPage)
    let offset = position % Self.placesPerPage * IDPlace.bytes
    guard let page = try transaction.value(places, key.raw), offset + IDPlace.bytes <= page.count
    else { throw damaged(places) }
    return IDPlace(page.raw, at: offset)
  }

  /// The place of an id, for a reader that has nothing in memory.
  func find(_ transaction: Transaction, _ hash: Hash128) throws(StoreError) -> IDPlace? {
    var place: IDPlace?
    try forEachActive(transaction) { if $0.hash == hash { place = $0.place } }
    if place != nil { return place }
    for segment in try loadSegments(transaction).reversed() {
      if let found = try find(transaction, segment: segment.number, hash) { return found }
    }
    return nil
  }

  private func position(
    _ transaction: Transaction, _ segment: Int, _ hash: Hash128
  ) throws(StoreError) -> Int? {
    var cursor = try transaction.cursor(hashes)
    // The last page whose first hash is not behind this one.
    guard try cursor.seek(before: Self.hashKey(segment, hash, .max).raw) else { return nil }
    let key = unsafe cursor.keyBytes
    let page = unsafe cursor.valueBytes
    guard key.count == 24, page.count % 16 == 0 else { throw damaged(hashes) }
    let keyBytes = unsafe key.bytes
    guard Int(keyBytes.bigEndian(UInt32.self, at: 0)) == segment else { return nil }
    let hashesOfPage = unsafe page.bytes
    var low = 0
    var high = page.count / 16
    while low < high {
      let middle = (low + high) / 2
      if Self.hash(hashesOfPage, at: middle * 16) < hash { low = middle + 1 } else { high = middle }
    }
    guard low < page.count / 16, Self.hash(hashesOfPage, at: low * 16) == hash else { return nil }
    return Int(keyBytes.bigEndian(UInt32.self, at: 20)) * Self.hashesPerPage + low
  }

  func diskBytes(_ transaction: Transaction) throws(StoreError) -> Int {
    try transaction.bytes(active) + transaction.bytes(hashes) + transaction.bytes(places)
  }
}
