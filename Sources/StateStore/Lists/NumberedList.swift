/// Entries under dense numbers from 1, appended at one end and trimmed at the other: what a journal
/// is.
final class NumberedList {
  private let table: Table
  /// Precedes the number in the key.
  private let prefix: [UInt8]
  private let words: Words
  private let lastWord: Int
  private let trimmedWord: Int
  private let bytesWord: Int
  private var list = ByteList()
  private var committedUnits = 0
  /// The number up to which the interval's flush deletes.
  private var storedTrimmed: Int64

  init(_ name: String, table: Table, prefix: [UInt8], words: Words) {
    self.table = table
    self.prefix = prefix
    self.words = words
    self.lastWord = words.register("\(name).last")
    self.trimmedWord = words.register("\(name).trimmed")
    self.bytesWord = words.register("\(name).bytes")
    self.storedTrimmed = words[trimmedWord]
  }

  var lastNumber: Int64 { words[lastWord] }
  var trimmed: Int64 { words[trimmedWord] }
  var count: Int { Int(words[lastWord] - words[trimmedWord]) }
  var pendingBytes: Int { Int(words[bytesWord]) }
  var cachedBytes: Int { list.bytes }

  private func key(_ number: Int64) -> [UInt8] {
    var key = prefix
    key.append(bigEndian: number)
    return key
  }

  func append(_ bytes: RawSpan) -> Int64 {
    list.append(bytes)
    words[lastWord] += 1
    words[bytesWord] += Int64(bytes.byteCount)
    return words[lastWord]
  }

  /// Marks the entries up to `number` as gone; they are deleted with the interval.
  ///
  /// - Parameter reading: a transaction in which the stored ones among them can be measured.
  func trim(upTo number: Int64, _ reading: Transaction) throws(StoreError) {
    let firstCached = lastNumber - Int64(list.count) + 1
    precondition(number <= lastNumber, "only what was appended is trimmed")
    guard number > trimmed else { return }
    var gone = try storedBytes(from: trimmed + 1, to: min(number, firstCached - 1), reading)
    for cached in max(firstCached, trimmed + 1)..<max(firstCached, number + 1) {
      gone += Int64(list.byteCount(Int(cached - firstCached)))
    }
    words[trimmedWord] = number
    words[bytesWord] -= gone
  }

  /// The bytes of the stored entries of some numbers; their own pages are not looked at.
  private func storedBytes(
    from first: Int64, to last: Int64, _ transaction: Transaction
  ) throws(StoreError) -> Int64 {
    var bytes: Int64 = 0
    try forEach(from: first, to: last, transaction) { cursor throws(StoreError) in
      bytes += Int64(unsafe cursor.valueBytes.count)
    }
    return bytes
  }

  private func forEach(
    from first: Int64, to last: Int64, _ transaction: Transaction,
    _ body: (inout Cursor) throws(StoreError) -> Void
  ) throws(StoreError) {
    var cursor = try transaction.cursor(table)
    var found = try cursor.seek(key(first).raw)
    while found {
      let key = unsafe cursor.keyBytes
      guard key.count == prefix.count + 8, unsafe key.starts(with: prefix),
        unsafe key.bytes.bigEndian(Int64.self, at: prefix.count) <= last
      else { return }
      try body(&cursor)
      found = try cursor.next()
    }
  }

  func read(
    after: Int64, limit: Int, bytesMax: Int, _ transaction: Transaction
  ) throws(StoreError) -> [(number: Int64, bytes: [UInt8])] {
    var entries: [(number: Int64, bytes: [UInt8])] = []
    var bytes = 0
    var cursor = try transaction.cursor(table)
    var found = try cursor.seek(key(max(0, after) + 1).raw)
    while found && entries.count < limit && bytes < bytesMax {
      let key = cursor.key
      guard key.count == prefix.count + 8, key.starts(with: prefix) else { break }
      let value = cursor.value
      entries.append((key.raw.bigEndian(Int64.self, at: prefix.count), value))
      bytes += value.count
      found = try cursor.next()
    }
    return entries
  }

  /// What was appended so far stays.
  func beginUnit() { committedUnits = list.count }

  func rollbackUnit() { list.cut(to: committedUnits) }

  func flush(_ transaction: Transaction) throws(StoreError) {
    let first = lastNumber - Int64(list.count) + 1
    for position in 0..<list.count where first + Int64(position) > trimmed {
      try list.with(position) { bytes throws(StoreError) in
        try transaction.put(table, key(first + Int64(position)).raw, bytes)
      }
    }
    if trimmed > storedTrimmed {
      try forEach(from: storedTrimmed + 1, to: trimmed, transaction) { cursor throws(StoreError) in
        try cursor.delete()
      }
    }
  }

  func dropCache() {
    list.removeAll()
    committedUnits = 0
  }

  func releaseMemory() { list = ByteList() }

  func intervalCommitted() { storedTrimmed = trimmed }
}
