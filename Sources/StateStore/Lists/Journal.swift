/// Inputs of a task besides its records, under dense numbers from 1.
package final class Journal: StoreParticipant {
  package struct Entry: Hashable, Sendable {
    package let number: Int64
    package let bytes: [UInt8]
  }

  private let interval: Interval
  private let list: NumberedList
  private let index: Int32
  private var lastUnit = -1

  init(_ interval: Interval, index: Int) throws(StoreError) {
    self.interval = interval
    self.index = Int32(index)
    self.list = NumberedList(
      "journal", table: try interval.environment.table("journal"), prefix: [],
      words: interval.words)
  }

  private func beginChange() {
    if interval.isFirstChange(of: index, &lastUnit) { list.beginUnit() }
  }

  /// Appends an entry.
  ///
  /// - Returns: its number.
  @discardableResult
  package func append(_ bytes: RawSpan) -> Int64 {
    beginChange()
    return list.append(bytes)
  }

  /// The last number given out, the interval's included; 0 before the first.
  package var lastNumber: Int64 { list.lastNumber }

  /// Deletes the entries before `number`, with the interval's commit.
  package func trim(before number: Int64) throws(StoreError) {
    beginChange()
    try interval.reading { transaction throws(StoreError) in
      try list.trim(upTo: number - 1, transaction)
    }
  }

  /// Committed entries from `number` on, in a read transaction of its own.
  package func read(from number: Int64, limit: Int) throws(StoreError) -> [Entry] {
    let read = try ReadTransaction(interval.environment)
    return try list.read(
      after: number - 1, limit: limit, bytesMax: .max, read.operations
    ).map { Entry(number: $0.number, bytes: $0.bytes) }
  }

  func rollbackUnit() {
    list.rollbackUnit()
  }

  func flush(_ transaction: Transaction) throws { try list.flush(transaction) }

  func dropCache() {
    list.dropCache()
  }

  func intervalCommitted() { list.intervalCommitted() }

  var dirtyBytes: Int { list.cachedBytes * 2 }
}
