/// Inputs of a task besides its records, under dense numbers from 1.
package final class Journal: StoreParticipant {
  package struct Entry: Hashable, Sendable {
    package let number: Int64
    package let bytes: [UInt8]

    package init(number: Int64, bytes: [UInt8]) {
      self.number = number
      self.bytes = bytes
    }
  }

  private let interval: Interval
  private let table: Table
  private let list: NumberedList
  private let index: Int32
  private var lastUnit = -1

  init(_ interval: Interval, index: Int) throws(StoreError) {
    self.interval = interval
    self.index = Int32(index)
    self.table = try interval.environment.table("journal")
    self.list = NumberedList("journal", table: table, prefix: [], words: interval.words)
  }

  private func beginChange() {
    if interval.isFirstChange(of: index, &lastUnit) { list.beginUnit() }
  }

  /// Appends an entry, in the unit it belongs to.
  ///
  /// - Returns: its number.
  @discardableResult
  package func append(_ bytes: RawSpan) -> Int64 {
    beginChange()
    return list.append(bytes)
  }

  /// The last number given out, the interval's included; 0 before the first.
  package var lastNumber: Int64 { list.lastNumber }
  /// The number of the oldest entry that is still here, or of the next.
  package var firstNumber: Int64 { list.trimmed + 1 }

  /// Deletes the entries before `number`, with the interval's commit.
  package func trim(before number: Int64) throws(StoreError) {
    beginChange()
    try interval.reading { transaction throws(StoreError) in
      try list.trim(upTo: number - 1, transaction)
    }
  }

  /// Reads what is committed, from any thread.
  package var committed: CommittedJournal {
    CommittedJournal(environment: interval.environment, table: table)
  }

  /// A page of committed entries from `number` on, in a read transaction of its own: at most
  /// `limit`, and no further than the one with which they have `bytesMax` bytes.
  package func read(
    from number: Int64, limit: Int, bytesMax: Int = 1 << 20
  ) throws(StoreError) -> [Entry] {
    let read = try ReadTransaction(interval.environment)
    return try list.read(
      after: number - 1, limit: limit, bytesMax: bytesMax, read.operations
    ).map { Entry(number: $0.number, bytes: $0.bytes) }
  }

  func rollbackUnit() {
    list.rollbackUnit()
  }

  func flush(_ transaction: Transaction) throws { try list.flush(transaction) }

  func dropCache() {
    list.dropCache()
  }

  func releaseMemory() { list.releaseMemory() }

  func intervalCommitted() { list.intervalCommitted() }

  var intervalBytes: IntervalBytes {
    IntervalBytes(cached: list.cachedBytes, pages: list.cachedBytes)
  }
}

extension StateView {
  /// A page of the journal from `number` on, oldest first: at most `limit` entries, and no further
  /// than the one with which they have `bytesMax` bytes.
  package func journal(
    from number: Int64, limit: Int, bytesMax: Int = 1 << 20
  ) throws(StoreError) -> [Journal.Entry] {
    guard let table = environment.openedTable("journal") else { return [] }
    var entries: [Journal.Entry] = []
    var bytes = 0
    var cursor = try transaction.cursor(table)
    var found = try withKey(max(number, 1)) { key throws(StoreError) in try cursor.seek(key) }
    while found && entries.count < limit && bytes < bytesMax {
      let key = cursor.key
      guard key.count == 8 else {
        throw StoreError(.corrupted, "a key of the journal is no number", store: "journal")
      }
      entries.append(
        Journal.Entry(number: key.raw.bigEndian(Int64.self, at: 0), bytes: cursor.value))
      bytes += entries.last?.bytes.count ?? 0
      found = try cursor.next()
    }
    return entries
  }
}

/// Reads the journal of a state from one entry to the next, a page in memory at a time, each page in
/// a read transaction of its own.
package struct JournalReader {
  private static let pageEntries = 4_096

  private let reader: StateReader
  private var page: [Journal.Entry] = []
  private var position = 0
  private var from: Int64

  /// - Parameter number: of the first entry that is wanted.
  package init(_ reader: StateReader, from number: Int64 = 1) {
    self.reader = reader
    self.from = number
  }

  /// The next entry; `nil` behind the last one that is committed, and again that of a later commit.
  package mutating func next() throws -> Journal.Entry? {
    if position == page.count {
      let from = from
      page = try reader.read { try $0.journal(from: from, limit: Self.pageEntries) }
      position = 0
    }
    guard position < page.count else { return nil }
    let entry = page[position]
    position += 1
    from = entry.number + 1
    return entry
  }
}
