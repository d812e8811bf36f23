/// A sealed segment of ids of one scope.
struct IDSegment: Hashable {
  /// Rising by one a segment.
  let number: Int
  let count: Int
  /// Of its ids in order of arrival, counted in the scope from 1.
  let firstNumber: Int64
  /// Of the first and the last that arrived.
  let minTime: Int64
  let maxTime: Int64
  /// Whether number and time of each id lie beside it; else they are taken for the last one's.
  let isOrdered: Bool

  var lastNumber: Int64 { firstNumber + Int64(count) - 1 }

  static let bytes = 33

  var value: [UInt8] {
    var value: [UInt8] = []
    value.append(bigEndian: Int64(count))
    value.append(bigEndian: firstNumber)
    value.append(bigEndian: minTime)
    value.append(bigEndian: maxTime)
    value.append(isOrdered ? 1 : 0)
    return value
  }

  init(
    number: Int, count: Int, firstNumber: Int64, minTime: Int64, maxTime: Int64, isOrdered: Bool
  ) {
    self.number = number
    self.count = count
    self.firstNumber = firstNumber
    self.minTime = minTime
    self.maxTime = maxTime
    self.isOrdered = isOrdered
  }

  /// `nil` for bytes that are none.
  init?(number: Int, _ value: [UInt8]) {
    guard value.count == Self.bytes else { return nil }
    self.init(
      number: number, count: Int(value.raw.bigEndian(Int64.self, at: 0)),
      firstNumber: value.raw.bigEndian(Int64.self, at: 8),
      minTime: value.raw.bigEndian(Int64.self, at: 16),
      maxTime: value.raw.bigEndian(Int64.self, at: 24), isOrdered: value[32] != 0)
    guard (0...Int(Int32.max)).contains(count), firstNumber >= 0, firstNumber <= .max - Int64(count)
    else { return nil }
  }
}

/// The stored side of the seen ids of one scope.
///
/// Each key begins with the scope's number. The active segment lies in order of arrival in runs of
/// records (hash, place, and a time where the run says so). A sealed one is sorted: pages of 255
/// hashes under (segment, first hash, page), and beside them pages of 408 places and, for a scope
/// with a retention, of 340 (position in order of arrival, time), under (segment, page); each value
/// fills one page of the file.
struct IDTables {
  static let hashesPerPage = 255
  static let placesPerPage = 408
  static let ordersPerPage = 340
  private static let orderBytes = 12
  /// What a run of the active segment may take, its first byte included.
  private static let runBytes = 4_080

  let active: Table
  let hashes: Table
  let places: Table
  let orders: Table
  let segments: Table
  private let scope: UInt32

  /// Of all scopes, and that which numbers them.
  static let names = [
    "ids.active", "ids.hashes", "ids.places", "ids.orders", "ids.segments", "ids.scopes",
  ]

  init(_ environment: Environment, scope: UInt32) throws(StoreError) {
    self.active = try environment.table("ids.active")
    self.hashes = try environment.table("ids.hashes")
    self.places = try environment.table("ids.places")
    self.orders = try environment.table("ids.orders")
    self.segments = try environment.table("ids.segments")
    self.scope = scope
  }

  /// The tables as they are, for readers; `nil` if nobody has made them.
  init?(opened environment: Environment, scope: UInt32) {
    guard let active = environment.openedTable("ids.active"),
      let hashes = environment.openedTable("ids.hashes"),
      let places = environment.openedTable("ids.places"),
      let orders = environment.openedTable("ids.orders"),
      let segments = environment.openedTable("ids.segments")
    else { return nil }
    self.active = active
    self.hashes = hashes
    self.places = places
    self.orders = orders
    self.segments = segments
    self.scope = scope
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

  private func key(_ number: Int) -> [UInt8] {
    bigEndianBytes(scope) + bigEndianBytes(UInt32(truncatingIfNeeded: number))
  }

  private func key(_ segment: Int, _ page: Int) -> [UInt8] {
    key(segment) + bigEndianBytes(UInt32(truncatingIfNeeded: page))
  }

  private func hashKey(_ segment: Int, _ hash: Hash128, _ page: UInt32) -> [UInt8] {
    var key = key(segment)
    key.append(bigEndian: hash.high)
    key.append(bigEndian: hash.low)
    key.append(bigEndian: page)
    return key
  }

  // MARK: The active segment

  /// Appends the ids from position `first` on.
  ///
  /// - Parameter times: one an id, or none at all.
  func append(
    _ transaction: Transaction, first: Int, hashes: ArraySlice<Hash128>, places: [IDPlace],
    times: ArraySlice<Int64>
  ) throws(StoreError) {
    let isTimed = !times.isEmpty
    let perRun = (Self.runBytes - 1) / (isTimed ? IDRecord.timedBytes : IDRecord.bytes)
    var run: [UInt8] = []
    var position = 0
    while position < places.count {
      run.removeAll(keepingCapacity: true)
      run.append(isTimed ? 1 : 0)
      let start = position
      while position < places.count && position - start < perRun {
        places[position].append(behind: hashes[hashes.startIndex + position], to: &run)
        if isTimed { run.append(bigEndian: times[times.startIndex + position]) }
        position += 1
      }
      try transaction.put(active, key(first + start).raw, run.raw)
    }
  }

  /// Calls `body` with the active ids from a position on, in order of arrival.
  func forEachActive(
    _ transaction: Transaction, from first: Int = 0, _ body: (IDRecord) -> Void
  ) throws(StoreError) {
    let prefix = bigEndianBytes(scope)
    var cursor = try transaction.cursor(active)
    // The run that holds the position may begin before it.
    var found = false
    if first > 0 { found = try cursor.seek(before: key(first + 1).raw) }
    if unsafe !found || !cursor.keyBytes.starts(with: prefix) {
      found = try cursor.seek(prefix.raw)
    }
    while found {
      let key = unsafe cursor.keyBytes
      if unsafe !key.starts(with: prefix) { return }
      guard key.count == 8 else { throw damaged(active) }
      let start = unsafe Int(key.bytes.bigEndian(UInt32.self, at: 4))
      let run = unsafe cursor.valueBytes
      let (count, size) = try unsafe Self.shape(run.bytes, damaged(active))
      let bytes = unsafe run.bytes
      for index in 0..<count where start + index >= first {
        body(Self.record(bytes, index, size, position: start + index))
      }
      found = try cursor.next()
    }
  }

  /// How many records a run has, and the bytes of each.
  private static func shape(
    _ run: RawSpan, _ damaged: StoreError
  ) throws(StoreError) -> (count: Int, size: Int) {
    guard run.byteCount > 0 else { throw damaged }
    let size = run.unsafeByte(0) == 0 ? IDRecord.bytes : IDRecord.timedBytes
    guard (run.byteCount - 1) % size == 0 else { throw damaged }
    return ((run.byteCount - 1) / size, size)
  }

  private static func record(
    _ run: RawSpan, _ index: Int, _ size: Int, position: Int
  ) -> IDRecord {
    let offset = 1 + index * size
    return IDRecord(
      hash: hash(run, at: offset), place: IDPlace(run, at: offset + 16),
      time: size == IDRecord.bytes
        ? IDTime.none : run.bigEndian(Int64.self, at: offset + IDRecord.bytes),
      position: Int32(truncatingIfNeeded: position))
  }

  func activePlace(_ transaction: Transaction, _ position: Int) throws(StoreError) -> IDPlace {
    var cursor = try transaction.cursor(active)
    guard try cursor.seek(before: key(position + 1).raw) else { throw damaged(active) }
    let key = unsafe cursor.keyBytes
    let run = unsafe cursor.valueBytes
    guard unsafe key.count == 8 && key.bytes.bigEndian(UInt32.self, at: 0) == scope else {
      throw damaged(active)
    }
    let (count, size) = try unsafe Self.shape(run.bytes, damaged(active))
    let index = unsafe position - Int(key.bytes.bigEndian(UInt32.self, at: 4))
    guard (0..<count).contains(index) else { throw damaged(active) }
    return unsafe Self.record(run.bytes, index, size, position: position).place
  }

  // MARK: Sealed segments

  func loadSegments(_ transaction: Transaction) throws(StoreError) -> [IDSegment] {
    var loaded: [IDSegment] = []
    let prefix = bigEndianBytes(scope)
    var cursor = try transaction.cursor(segments)
    var found = try cursor.seek(prefix.raw)
    while found, case let key = cursor.key, key.starts(with: prefix) {
      guard key.count == 8,
        let segment = IDSegment(
          number: Int(key.raw.bigEndian(UInt32.self, at: 4)), cursor.value)
      else { throw damaged(segments) }
      loaded.append(segment)
      found = try cursor.next()
    }
    return loaded
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
      let key = hashKey(segment.number, records[start].hash, UInt32(page))
      try transaction.put(hashes, key.raw, value.raw)
    }
    for (page, start) in stride(from: 0, to: records.count, by: Self.placesPerPage).enumerated() {
      value.removeAll(keepingCapacity: true)
      for record in records[start..<min(start + Self.placesPerPage, records.count)] {
        record.place.append(to: &value)
      }
      try transaction.put(places, key(segment.number, page).raw, value.raw)
    }
    let ordered = segment.isOrdered ? records.count : 0
    for (page, start) in stride(from: 0, to: ordered, by: Self.ordersPerPage).enumerated() {
      value.removeAll(keepingCapacity: true)
      for record in records[start..<min(start + Self.ordersPerPage, records.count)] {
        value.append(bigEndian: UInt32(truncatingIfNeeded: record.position))
        value.append(bigEndian: record.time)
      }
      try transaction.put(orders, key(segment.number, page).raw, value.raw)
    }
    try transaction.put(segments, key(segment.number).raw, segment.value.raw)
    try transaction.delete(active, prefix: bigEndianBytes(scope))
  }

  func delete(_ transaction: Transaction, segment: Int) throws(StoreError) {
    for table in [hashes, places, orders, segments] {
      try transaction.delete(table, prefix: key(segment))
    }
  }

  /// Calls `body` with all ids of a segment, in the order of their hashes.
  func forEach(
    _ transaction: Transaction, segment: Int, _ body: (Hash128) -> Void
  ) throws(StoreError) {
    let prefix = key(segment)
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

  /// Where the entries of an id lie in a segment, in order of arrival: they may reach over pages.
  func positions(
    _ transaction: Transaction, segment: Int, _ hash: Hash128
  ) throws(StoreError) -> Range<Int> {
    let prefix = key(segment)
    var cursor = try transaction.cursor(hashes)
    // The last page that begins before the hash, else the segment's first.
    let first = hashKey(segment, hash, 0)
    var found = try cursor.seek(before: first.raw)
    if unsafe !found || !cursor.keyBytes.starts(with: prefix) {
      found = try cursor.seek(prefix.raw)
    }
    var range = 0..<0
    while found {
      let key = unsafe cursor.keyBytes
      let page = unsafe cursor.valueBytes
      if unsafe !key.starts(with: prefix) { break }
      guard key.count == 28, page.count % 16 == 0, page.count > 0 else { throw damaged(hashes) }
      let start = unsafe Int(key.bytes.bigEndian(UInt32.self, at: 24)) * Self.hashesPerPage
      let (low, high) = unsafe Self.bounds(page.bytes, hash)
      if low < high {
        range = (range.isEmpty ? start + low : range.lowerBound)..<(start + high)
      }
      // Behind a page that ends before the hash, or with it, the next may hold it.
      if high < page.count / 16 { break }
      found = try cursor.next()
    }
    return range
  }

  /// The places of a hash in a page.
  private static func bounds(_ page: RawSpan, _ hash: Hash128) -> (Int, Int) {
    var low = 0
    var high = page.byteCount / 16
    while low < high {
      let middle = (low + high) / 2
      if Self.hash(page, at: middle * 16) < hash { low = middle + 1 } else { high = middle }
    }
    var end = low
    while end < page.byteCount / 16 && Self.hash(page, at: end * 16) == hash { end += 1 }
    return (low, end)
  }

  func place(
    _ transaction: Transaction, segment: Int, _ position: Int
  ) throws(StoreError) -> IDPlace {
    let offset = position % Self.placesPerPage * IDPlace.bytes
    let page = key(segment, position / Self.placesPerPage)
    guard let page = try transaction.value(places, page.raw), offset + IDPlace.bytes <= page.count
    else { throw damaged(places) }
    return IDPlace(page.raw, at: offset)
  }

  /// Position in order of arrival, and time, of an entry of an ordered segment.
  func order(
    _ transaction: Transaction, segment: Int, _ position: Int
  ) throws(StoreError) -> (position: Int64, time: Int64) {
    let offset = position % Self.ordersPerPage * Self.orderBytes
    let page = key(segment, position / Self.ordersPerPage)
    guard let page = try transaction.value(orders, page.raw),
      offset + Self.orderBytes <= page.count
    else { throw damaged(orders) }
    return (
      Int64(page.raw.bigEndian(UInt32.self, at: offset)),
      page.raw.bigEndian(Int64.self, at: offset + 4)
    )
  }

  static func diskBytes(
    _ transaction: Transaction, _ environment: Environment
  ) throws(StoreError) -> Int {
    var bytes = 0
    for name in ["active", "hashes", "places", "orders"] {
      guard let table = environment.openedTable("ids.\(name)") else { continue }
      bytes += try transaction.bytes(table)
    }
    return bytes
  }
}
