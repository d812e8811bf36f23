/// What leaves a task, in the transaction of what caused it: one log, in which each entry names its
/// destination and has a dense number from 1 there. The number is its identity: nothing is sent
/// twice, nothing is skipped.
///
/// Entries lie in chunks by interval and destination (``OutboxTables``), so that a reader reads what
/// is its own and trimming deletes ranges. An interval that appended something ends with a mark that
/// says how far it came.
package final class Outbox: StoreParticipant {
  package struct Entry: Hashable, Sendable {
    package let number: Int64
    package let bytes: [UInt8]
    /// Bytes of all entries of its destination up to it.
    package let end: Int64
  }

  /// Where a destination's numbers stand, and what becomes of its entries.
  private struct Destination: BitwiseCopyable {
    let id: UInt32
    /// Words: the last number, -1 before it begins; bytes of all entries up to it; the number up to
    /// which they are gone; bytes of those.
    let last: Int
    let bytes: Int
    let trimmed: Int
    let trimmedBytes: Int
    /// Entries up to this number are counted and not kept.
    var keepsAfter: Int64 = 0
    /// Its entries are neither counted nor kept.
    var isMuted = false
    /// The interval's flush has something to delete.
    var isTrimmed = false
  }

  private struct Appended: BitwiseCopyable {
    let destination: Int32
    let number: Int64
    /// Bytes of all entries of the destination up to this one.
    let end: Int64
  }

  private struct Skip: BitwiseCopyable {
    let id: UInt32
    let number: Int64
  }

  private let tables: OutboxTables
  private let interval: Interval
  private let words: Words
  private let index: Int32
  private var lastUnit = -1
  private var slots: [Destination] = []
  /// Names of all destinations, those included that an earlier topology had.
  package private(set) var destinations: [String] = []
  private var list = ByteList()
  private var appended: [Appended] = []
  private var skips: [Skip] = []
  /// Lengths of the two before the unit.
  private var unitStart = (appended: 0, skips: 0)
  /// The interval has appended what a spill wrote.
  private var hasSpilled = false
  private let markWord: Int
  private var storedMark: Int64
  private var sealed: [UInt8] = []
  /// Marks up to this number are deleted with the interval.
  private var marksGone: Int64 = 0
  /// What the owner keeps with the task's outputs, as of the last ``setNote(_:)``.
  package private(set) var note: [UInt8]?
  private var isNoteStored = true

  init(_ interval: Interval, index: Int) throws(StoreError) {
    self.interval = interval
    self.words = interval.words
    self.index = Int32(index)
    self.tables = try OutboxTables(interval.environment)
    self.markWord = interval.words.register("outbox.marks")
    self.storedMark = interval.words[markWord]
    let read = try ReadTransaction(interval.environment)
    self.note = try tables.note(read.operations)
    for name in Self.destinations(in: words.names) { _ = destination(name) }
  }

  /// The destinations of a state with these words, in the order in which they were registered.
  package static func destinations(in names: [String]) -> [String] {
    names.filter { $0.hasPrefix("outbox/") && $0.hasSuffix("/last") }
      .map { String($0.dropFirst("outbox/".count).dropLast("/last".count)) }
  }

  static func word(_ name: String, _ what: String) -> String { "outbox/\(name)/\(what)" }

  /// The slot of a destination, to be asked for outside a unit.
  package func destination(_ name: String) -> Int {
    if let known = destinations.firstIndex(of: name) { return known }
    // The key's prefix is the registered word's number, which stays.
    let last = words.register(Self.word(name, "last"), initial: -1)
    slots.append(
      Destination(
        id: UInt32(last), last: last, bytes: words.register(Self.word(name, "bytes")),
        trimmed: words.register(Self.word(name, "trimmed")),
        trimmedBytes: words.register(Self.word(name, "trimmedBytes"))))
    destinations.append(name)
    return destinations.count - 1
  }

  // MARK: Appending

  private func beginChange() {
    guard interval.isFirstChange(of: index, &lastUnit) else { return }
    unitStart = (appended.count, skips.count)
  }

  /// Appends a record.
  ///
  /// - Parameter isOwed: whether it is kept though those around it are not.
  /// - Returns: its number, one more than the one before it to this destination; 0 where the
  ///   destination is muted.
  @discardableResult
  package func append(_ destination: Int, _ bytes: RawSpan, isOwed: Bool = false) -> Int64 {
    let slot = slots[destination]
    if slot.isMuted { return 0 }
    beginChange()
    let number = max(0, words[slot.last]) + 1
    let end = words[slot.bytes] + Int64(bytes.byteCount)
    words[slot.last] = number
    words[slot.bytes] = end
    if number <= slot.keepsAfter, !isOwed {
      // Behind one that is kept it leaves a gap: trimmed is what lies before all that is kept.
      if words[slot.trimmed] == number - 1 {
        words[slot.trimmed] = number
        words[slot.trimmedBytes] = end
        slots[destination].isTrimmed = true
      }
    } else {
      list.append(bytes)
      appended.append(Appended(destination: Int32(destination), number: number, end: end))
    }
    return number
  }

  /// From here on entries up to `number` are counted and not kept: they were sent before.
  package func keep(_ destination: Int, after number: Int64) {
    slots[destination].keepsAfter = number
  }

  /// Entries for this destination are neither counted nor kept until ``begin(_:at:)``.
  package func mute(_ destination: Int) { slots[destination].isMuted = true }

  /// Lets a destination begin behind a number, if it has not begun; outside a unit, inside an
  /// interval.
  package func begin(_ destination: Int, at number: Int64) {
    slots[destination].isMuted = false
    let slot = slots[destination]
    guard words[slot.last] < 0 else { return }
    words[slot.last] = number
    words[slot.trimmed] = number
  }

  /// Lets a destination stand at a number at least, with all entries up to it gone; outside a unit,
  /// inside an interval. One that has not begun stays so.
  package func advance(_ destination: Int, to number: Int64) {
    let slot = slots[destination]
    guard words[slot.last] >= 0, words[slot.last] < number else { return }
    words[slot.last] = number
    words[slot.trimmed] = number
    words[slot.trimmedBytes] = words[slot.bytes]
    slots[destination].isTrimmed = true
  }

  // MARK: How far

  /// The last number given out, the interval's included; `nil` before it begins.
  package func lastNumber(_ destination: Int) -> Int64? {
    let number = words[slots[destination].last]
    return number < 0 ? nil : number
  }
  /// The number up to which entries are gone from here.
  package func trimmed(_ destination: Int) -> Int64 { words[slots[destination].trimmed] }
  package func pendingCount(_ destination: Int) -> Int {
    Int(max(0, words[slots[destination].last]) - words[slots[destination].trimmed])
  }
  package func pendingBytes(_ destination: Int) -> Int {
    Int(words[slots[destination].bytes] - words[slots[destination].trimmedBytes])
  }

  /// What a reader has not taken that has come to an entry, in its order; the running interval's
  /// included, though it is not to be read yet.
  ///
  /// - Parameter taken: its number, and ``Entry/end`` where that is known.
  package func untaken(
    _ destination: Int, after taken: (number: Int64, end: Int64)
  ) -> (records: Int, bytes: Int) {
    let slot = slots[destination]
    let number = max(taken.number, words[slot.trimmed])
    guard words[slot.last] > number else { return (0, 0) }
    let end = max(taken.end, words[slot.trimmedBytes])
    return (Int(words[slot.last] - number), Int(words[slot.bytes] - end))
  }

  /// The last numbers of all destinations that have begun.
  package var numbers: [String: Int64] {
    var numbers: [String: Int64] = [:]
    for (index, name) in destinations.enumerated() {
      if let number = lastNumber(index) { numbers[name] = number }
    }
    return numbers
  }

  /// Deletes the entries up to `number` with the interval's commit: each of their readers has them
  /// durable.
  package func trim(_ destination: Int, upTo number: Int64) throws(StoreError) {
    let slot = slots[destination]
    guard number > words[slot.trimmed] else { return }
    precondition(number <= words[slot.last], "only what was appended is trimmed")
    beginChange()
    words[slot.trimmedBytes] = try bytes(destination, upTo: number)
    words[slot.trimmed] = number
    slots[destination].isTrimmed = true
  }

  /// Bytes of all entries of a destination up to `number`: those before the first one behind it that
  /// is kept.
  private func bytes(_ destination: Int, upTo number: Int64) throws(StoreError) -> Int64 {
    let slot = slots[destination]
    if number == words[slot.last] { return words[slot.bytes] }
    let stored = try interval.reading { transaction throws(StoreError) in
      try tables.bytes(slot.id, before: number + 1, transaction)
    }
    if let stored { return stored }
    for (position, entry) in appended.enumerated()
    where entry.destination == Int32(destination) && entry.number > number {
      return entry.end - Int64(list.byteCount(position))
    }
    return words[slot.bytes]
  }

  /// Leaves an entry out when it comes to be sent: an operator's decision.
  package func skip(_ destination: Int, _ number: Int64) {
    beginChange()
    skips.append(Skip(id: slots[destination].id, number: number))
  }

  // MARK: Marks

  /// Whether the interval has entries to be read, so that it ends with a mark.
  package var hasAppended: Bool { hasSpilled || !appended.isEmpty }

  /// What the interval's mark says besides the numbers: before the commit, if ``hasAppended``.
  package func seal(_ bytes: [UInt8]) { sealed = bytes }

  /// Deletes marks with the next commit.
  package func trimMarks(upTo number: Int64) { marksGone = max(marksGone, number) }

  /// Keeps `note` with the next commit; an aborted interval leaves it to the one after.
  package func setNote(_ note: [UInt8]) {
    self.note = note
    isNoteStored = false
  }

  /// Whether a note waits for a commit.
  package var hasNewNote: Bool { !isNoteStored }

  /// Reads what is committed, from any thread.
  package var reader: OutboxReader {
    OutboxReader(
      environment: interval.environment, tables: tables,
      names: Dictionary(uniqueKeysWithValues: zip(slots.map(\.id), destinations)))
  }

  /// Committed records behind `after`.
  package func read(
    _ destination: Int, after: Int64, limit: Int, bytesMax: Int = .max
  ) throws(StoreError) -> [Entry] {
    try reader.entries(
      to: destinations[destination], after: max(after, trimmed(destination)), upTo: .max,
      recordsMax: limit, bytesMax: bytesMax)
  }

  // MARK: As its task drives it

  func rollbackUnit() {
    list.cut(to: unitStart.appended)
    appended.removeLast(appended.count - unitStart.appended)
    skips.removeLast(skips.count - unitStart.skips)
  }

  func flush(_ transaction: Transaction) throws {
    for slot in slots where slot.isTrimmed {
      try tables.trim(slot.id, upTo: words[slot.trimmed], transaction)
    }
    for skip in skips { try tables.put(skip: skip.number, of: skip.id, transaction) }
    try writeChunks(transaction)
    guard interval.isCommitting else { return }
    if marksGone > 0 { try tables.trimMarks(upTo: marksGone, transaction) }
    if let note, !isNoteStored { try tables.put(note: note, transaction) }
    guard hasAppended else { return }
    var numbers: [(id: UInt32, last: Int64)] = []
    for slot in slots where words[slot.last] >= 0 { numbers.append((slot.id, words[slot.last])) }
    try tables.put(mark: storedMark + 1, numbers, sealed, transaction)
    words[markWord] = storedMark + 1
  }

  private func writeChunks(_ transaction: Transaction) throws(StoreError) {
    guard !appended.isEmpty else { return }
    var open = [OutboxChunk?](repeating: nil, count: slots.count)
    for (position, entry) in appended.enumerated() {
      let index = Int(entry.destination)
      let slot = slots[index]
      if entry.number <= words[slot.trimmed] { continue }
      let size = list.byteCount(position)
      if let chunk = open[index], chunk.last + 1 != entry.number || !chunk.hasRoom(for: size) {
        try tables.put(chunk, transaction)
        open[index] = nil
      }
      if open[index] == nil {
        open[index] = OutboxChunk(slot.id, first: entry.number, start: entry.end - Int64(size))
      }
      try list.with(position) { bytes throws(StoreError) in open[index]?.append(bytes) }
    }
    for case .some(let chunk) in open { try tables.put(chunk, transaction) }
  }

  func dropCache() {
    if !appended.isEmpty { hasSpilled = true }
    list.removeAll()
    appended.empty()
    skips.removeAll()
    unitStart = (0, 0)
  }

  func releaseMemory() {
    list = ByteList()
    appended = []
  }

  func intervalCommitted() {
    storedMark = words[markWord]
    isNoteStored = true
    marksGone = 0
    appended.empty()
    endInterval()
  }

  func intervalAborted() { endInterval() }

  private func endInterval() {
    hasSpilled = false
    sealed = []
    for index in slots.indices { slots[index].isTrimmed = false }
  }

  var intervalBytes: IntervalBytes {
    IntervalBytes(
      cached: list.bytes + appended.count * MemoryLayout<Appended>.stride, pages: list.bytes)
  }
}
