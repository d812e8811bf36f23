/// What leaves a task, per destination under dense numbers from 1, in the transaction of what
/// caused it. The number is its identity: nothing is sent twice, nothing is skipped.
package final class Outbox: StoreParticipant {
  package struct Entry: Hashable, Sendable {
    package let number: Int64
    package let bytes: [UInt8]
  }

  private let table: Table
  private let interval: Interval
  private var lists: [NumberedList] = []
  package private(set) var destinations: [String] = []
  private let index: Int32
  private var lastUnit = -1

  init(_ interval: Interval, index: Int) throws(StoreError) {
    self.interval = interval
    self.index = Int32(index)
    self.table = try interval.environment.table("outbox")
  }

  /// The destinations that an outbox with these words has.
  package static func destinations(in words: [String: Int64]) -> [String] {
    words.keys.filter { $0.hasPrefix("outbox.") && $0.hasSuffix(".last") }
      .map { String($0.dropFirst("outbox.".count).dropLast(".last".count)) }.sorted()
  }

  /// The slot of a destination, to be asked for outside a unit.
  package func destination(_ name: String) -> Int {
    if let known = destinations.firstIndex(of: name) { return known }
    // The key's prefix is the registered word's number, which stays.
    let id = interval.words.register("outbox.\(name).last")
    lists.append(
      NumberedList(
        "outbox.\(name)", table: table, prefix: bigEndianBytes(UInt32(id)),
        words: interval.words))
    destinations.append(name)
    return destinations.count - 1
  }

  private func beginChange() {
    guard interval.isFirstChange(of: index, &lastUnit) else { return }
    for list in lists { list.beginUnit() }
  }

  /// Appends a record.
  ///
  /// - Returns: its number, one more than the one before it to this destination.
  package func append(_ destination: Int, _ bytes: RawSpan) -> Int64 {
    beginChange()
    return lists[destination].append(bytes)
  }

  /// The last number given out, the interval's included; 0 before the first.
  package func lastNumber(_ destination: Int) -> Int64 { lists[destination].lastNumber }
  /// The number of the oldest record that is still here, or of the next.
  package func firstPending(_ destination: Int) -> Int64 { lists[destination].trimmed + 1 }
  package func pendingCount(_ destination: Int) -> Int { lists[destination].count }
  package func pendingBytes(_ destination: Int) -> Int { lists[destination].pendingBytes }

  /// Deletes the records up to `number`, with the interval's commit.
  package func trim(_ destination: Int, upTo number: Int64) throws(StoreError) {
    beginChange()
    try interval.reading { transaction throws(StoreError) in
      try lists[destination].trim(upTo: number, transaction)
    }
  }

  /// Committed records behind `after`, in a read transaction of its own.
  package func read(
    _ destination: Int, after: Int64, limit: Int, bytesMax: Int = .max
  ) throws(StoreError) -> [Entry] {
    let read = try ReadTransaction(interval.environment)
    return try lists[destination].read(
      after: after, limit: limit, bytesMax: bytesMax, read.operations
    ).map { Entry(number: $0.number, bytes: $0.bytes) }
  }

  func rollbackUnit() {
    for list in lists { list.rollbackUnit() }
  }

  func flush(_ transaction: Transaction) throws {
    for list in lists { try list.flush(transaction) }
  }

  func dropCache() {
    for list in lists { list.dropCache() }
  }

  func releaseMemory() {
    for list in lists { list.releaseMemory() }
  }

  func intervalCommitted() {
    for list in lists { list.intervalCommitted() }
  }

  var dirtyBytes: Int { lists.reduce(0) { $0 + $1.cachedBytes * 2 } }
}
