/// Entries of one destination that one interval appended, as they are stored.
///
/// Under (destination, last number): the first number (8 bytes, big-endian as all here), the bytes
/// of all entries before it (8), then each entry behind its length (4).
struct OutboxChunk {
  static let headBytes = 16
  /// A chunk is closed at this size; a larger entry has one for itself.
  private static let bytesMax = 64 << 10

  let id: UInt32
  private(set) var last: Int64
  private(set) var bytes: [UInt8] = []

  init(_ id: UInt32, first: Int64, start: Int64) {
    self.id = id
    self.last = first - 1
    bytes.append(bigEndian: first)
    bytes.append(bigEndian: start)
  }

  func hasRoom(for size: Int) -> Bool { bytes.count + 4 + size <= Self.bytesMax }

  mutating func append(_ entry: RawSpan) {
    bytes.append(bigEndian: UInt32(entry.byteCount))
    bytes.append(entry)
    last += 1
  }
}

/// The stored side of an outbox: chunks in one table, and in another the marks of intervals, the
/// entries to be left out, and a note of the owner's.
struct OutboxTables: Sendable {
  private static let noteKey: [UInt8] = [0]
  private static let skipPrefix: UInt8 = 1
  private static let markPrefix: UInt8 = 2

  private let chunks: Table
  private let meta: Table

  init(_ environment: Environment) throws(StoreError) {
    chunks = try environment.table("outbox")
    meta = try environment.table("outbox.meta")
  }

  /// The tables as they are, for readers; `nil` if nobody has made them.
  init?(opened environment: Environment) {
    guard let chunks = environment.openedTable("outbox"),
      let meta = environment.openedTable("outbox.meta")
    else { return nil }
    self.chunks = chunks
    self.meta = meta
  }

  private static func chunkKey(_ id: UInt32, _ number: Int64) -> [UInt8] {
    var key = bigEndianBytes(id)
    key.append(bigEndian: number)
    return key
  }

  private static func skipKey(_ id: UInt32, _ number: Int64) -> [UInt8] {
    [skipPrefix] + chunkKey(id, number)
  }

  private static func markKey(_ number: Int64) -> [UInt8] {
    var key = [markPrefix]
    key.append(bigEndian: number)
    return key
  }

  private func damaged(_ what: String) -> StoreError {
    StoreError(.corrupted, "\(what); restore a snapshot or rebuild", store: chunks.name)
  }

  // MARK: Writing

  func put(_ chunk: OutboxChunk, _ transaction: Transaction) throws(StoreError) {
    try transaction.put(chunks, Self.chunkKey(chunk.id, chunk.last).raw, chunk.bytes.raw)
  }

  func put(skip number: Int64, of id: UInt32, _ transaction: Transaction) throws(StoreError) {
    try transaction.put(meta, Self.skipKey(id, number).raw, RawSpan())
  }

  func put(note: [UInt8], _ transaction: Transaction) throws(StoreError) {
    try transaction.put(meta, Self.noteKey.raw, note.raw)
  }

  func put(
    mark number: Int64, _ numbers: [(id: UInt32, last: Int64)], _ sealed: [UInt8],
    _ transaction: Transaction
  ) throws(StoreError) {
    var value = bigEndianBytes(UInt32(numbers.count))
    for (id, last) in numbers {
      value.append(bigEndian: id)
      value.append(bigEndian: last)
    }
    value += sealed
    try transaction.put(meta, Self.markKey(number).raw, value.raw)
  }

  /// Deletes a destination's chunks that hold nothing beyond `number`, without reading one.
  func trim(_ id: UInt32, upTo number: Int64, _ transaction: Transaction) throws(StoreError) {
    try delete(
      chunks, from: Self.chunkKey(id, 0), through: Self.chunkKey(id, number), transaction)
    try delete(
      meta, from: Self.skipKey(id, 0), through: Self.skipKey(id, number), transaction)
  }

  func trimMarks(upTo number: Int64, _ transaction: Transaction) throws(StoreError) {
    try delete(meta, from: Self.markKey(0), through: Self.markKey(number), transaction)
  }

  private func delete(
    _ table: Table, from: [UInt8], through: [UInt8], _ transaction: Transaction
  ) throws(StoreError) {
    var cursor = try transaction.cursor(table)
    var found = try cursor.seek(from.raw)
    while found, !precedes(through, cursor.key) {
      try cursor.delete()
      found = try cursor.next()
    }
  }

  // MARK: Reading

  func note(_ transaction: Transaction) throws(StoreError) -> [UInt8]? {
    try transaction.value(meta, Self.noteKey.raw)
  }

  /// Bytes of all entries before the first one from `number` on that is stored; `nil` where there is
  /// none.
  func bytes(
    _ id: UInt32, before number: Int64, _ transaction: Transaction
  ) throws(StoreError) -> Int64? {
    var cursor = try transaction.cursor(chunks)
    let key = Self.chunkKey(id, number)
    guard try cursor.seek(key.raw), cursor.key.starts(with: key.prefix(4)) else { return nil }
    let chunk = unsafe cursor.valueBytes
    var bytes: Int64?
    // SAFETY: nothing is written while the chunk is looked at.
    try unsafe forEach(chunk.bytes) { found, start, _ throws(StoreError) in
      bytes = start
      return found < number
    }
    return bytes
  }

  /// Entries with numbers in `after + 1 ... upTo`, the first of them in any case.
  func entries(
    _ id: UInt32, after: Int64, upTo: Int64, recordsMax: Int, bytesMax: Int,
    _ transaction: Transaction
  ) throws(StoreError) -> [Outbox.Entry] {
    var entries: [Outbox.Entry] = []
    var taken = 0
    var cursor = try transaction.cursor(chunks)
    let prefix = bigEndianBytes(id)
    var found = try cursor.seek(Self.chunkKey(id, after + 1).raw)
    var isFull = false
    while found, !isFull, cursor.key.starts(with: prefix) {
      let chunk = unsafe cursor.valueBytes
      // SAFETY: as above.
      try unsafe forEach(chunk.bytes) { number, start, place throws(StoreError) in
        if number <= after { return true }
        isFull =
          number > upTo || entries.count >= recordsMax
          || !entries.isEmpty && taken + place.count > bytesMax
        if isFull { return false }
        let bytes = unsafe [UInt8](UnsafeRawBufferPointer(rebasing: chunk[place]))
        entries.append(
          Outbox.Entry(number: number, bytes: bytes, end: start &+ Int64(place.count)))
        taken += place.count
        return true
      }
      found = try cursor.next()
    }
    return entries
  }

  /// Calls `body` with each entry's number, the bytes of all before it, and its place.
  private func forEach(
    _ chunk: RawSpan,
    _ body: (_ number: Int64, _ start: Int64, _ place: Range<Int>) throws(StoreError) -> Bool
  ) throws(StoreError) {
    guard chunk.byteCount >= OutboxChunk.headBytes else {
      throw damaged("a chunk of the outbox is cut off")
    }
    var number = chunk.bigEndian(Int64.self, at: 0)
    var start = chunk.bigEndian(Int64.self, at: 8)
    var position = OutboxChunk.headBytes
    while position < chunk.byteCount {
      guard position + 4 <= chunk.byteCount else {
        throw damaged("a chunk of the outbox is cut off")
      }
      let length = Int(chunk.bigEndian(UInt32.self, at: position))
      position += 4
      guard length <= chunk.byteCount - position else {
        throw damaged("a chunk of the outbox is cut off")
      }
      if try !body(number, start, position..<position + length) { return }
      position += length
      start &+= Int64(length)
      number &+= 1
    }
  }

  /// Numbers of a destination that are to be left out, in `after + 1 ... upTo`.
  func skips(
    _ id: UInt32, after: Int64, upTo: Int64, _ transaction: Transaction
  ) throws(StoreError) -> Set<Int64> {
    var skips: Set<Int64> = []
    let end = Self.skipKey(id, upTo)
    var cursor = try transaction.cursor(meta)
    var found = try cursor.seek(Self.skipKey(id, after + 1).raw)
    while found, !precedes(end, cursor.key) {
      skips.insert(cursor.key.raw.bigEndian(Int64.self, at: 5))
      found = try cursor.next()
    }
    return skips
  }

  /// Marks behind `after`, oldest first.
  func marks(
    after: Int64, limit: Int, _ transaction: Transaction
  ) throws(StoreError) -> [(number: Int64, numbers: [(id: UInt32, last: Int64)], sealed: [UInt8])] {
    var marks: [(number: Int64, numbers: [(id: UInt32, last: Int64)], sealed: [UInt8])] = []
    var cursor = try transaction.cursor(meta)
    var found = try cursor.seek(Self.markKey(after + 1).raw)
    while found, marks.count < limit {
      let (key, value) = (cursor.key, cursor.value)
      guard key.count == 9, key[0] == Self.markPrefix else { break }
      let count = value.count < 4 ? 0 : Int(value.raw.bigEndian(UInt32.self, at: 0))
      guard value.count >= 4 + count * 12 else { throw damaged("a mark of the outbox is cut off") }
      var numbers: [(id: UInt32, last: Int64)] = []
      for position in 0..<count {
        numbers.append(
          (
            value.raw.bigEndian(UInt32.self, at: 4 + position * 12),
            value.raw.bigEndian(Int64.self, at: 8 + position * 12)
          ))
      }
      marks.append(
        (key.raw.bigEndian(Int64.self, at: 1), numbers, [UInt8](value[(4 + count * 12)...])))
      found = try cursor.next()
    }
    return marks
  }

  /// The number of the last mark; 0 where there is none.
  func lastMark(_ transaction: Transaction) throws(StoreError) -> Int64 {
    var cursor = try transaction.cursor(meta)
    guard try cursor.seek(before: [Self.markPrefix + 1].raw), cursor.key.count == 9,
      cursor.key[0] == Self.markPrefix
    else { return 0 }
    return cursor.key.raw.bigEndian(Int64.self, at: 1)
  }
}
