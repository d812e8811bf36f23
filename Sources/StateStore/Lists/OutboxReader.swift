/// Reads an outbox as it is committed, from any thread, each call in a read transaction of its own.
///
/// It sees what a power cut may still take back: what leaves the process is read up to a mark that
/// was there before a sync (``DurableCommits``).
package struct OutboxReader: Sendable {
  /// The end of an interval that appended something.
  package struct Mark: Sendable {
    /// Rises by one from mark to mark.
    package let number: Int64
    /// The last number of each destination.
    package let numbers: [String: Int64]
    /// What the task said of the interval.
    package let sealed: [UInt8]
  }

  let environment: Environment
  let tables: OutboxTables
  let names: [UInt32: String]

  /// Names of all destinations.
  package var destinations: [String] { names.values.sorted() }

  private func id(_ destination: String) throws(StoreError) -> UInt32 {
    guard let id = names.first(where: { $0.value == destination })?.key else {
      throw StoreError(
        .missing, "the outbox has no destination '\(destination)'", store: environment.directory)
    }
    return id
  }

  /// Marks behind `after`, oldest first.
  package func marks(after: Int64, limit: Int) throws(StoreError) -> [Mark] {
    let read = try ReadTransaction(environment)
    return try tables.marks(after: after, limit: limit, read.operations).map { mark in
      var numbers: [String: Int64] = [:]
      for (id, last) in mark.numbers {
        if let name = names[id] { numbers[name] = last }
      }
      return Mark(number: mark.number, numbers: numbers, sealed: mark.sealed)
    }
  }

  /// The number of the last mark; 0 where there is none.
  package func lastMark() throws(StoreError) -> Int64 {
    let read = try ReadTransaction(environment)
    return try tables.lastMark(read.operations)
  }

  /// Entries with numbers in `after + 1 ... upTo`, at most `recordsMax` and
  /// about `bytesMax`, the first in any case; those that an operator skipped are among them.
  package func entries(
    to destination: String, after: Int64, upTo: Int64, recordsMax: Int, bytesMax: Int
  ) throws(StoreError) -> [Outbox.Entry] {
    let id = try id(destination)
    let read = try ReadTransaction(environment)
    return try tables.entries(
      id, after: after, upTo: upTo, recordsMax: recordsMax, bytesMax: bytesMax, read.operations)
  }

  /// Numbers in `after + 1 ... upTo` that an operator skipped.
  package func skipped(
    _ destination: String, after: Int64, upTo: Int64
  ) throws(StoreError) -> Set<Int64> {
    let id = try id(destination)
    let read = try ReadTransaction(environment)
    return try tables.skips(id, after: after, upTo: upTo, read.operations)
  }
}

extension StateView {
  /// The outbox's note, as the owner keeps it.
  package func outboxNote() throws(StoreError) -> [UInt8]? {
    try OutboxTables(opened: environment)?.note(transaction)
  }

  /// Entries that wait in the outbox, by destination in the order of their numbers: those behind the
  /// numbers in `after`, at most `limit` of each.
  package func outboxEntries(
    after: [String: Int64] = [:], limit: Int
  ) throws(StoreError) -> [(destination: String, entry: Outbox.Entry)] {
    guard let tables = OutboxTables(opened: environment),
      let wordsTable = environment.openedTable("words")
    else { return [] }
    let (names, values) = try Words.load(transaction, wordsTable)
    var found: [(destination: String, entry: Outbox.Entry)] = []
    for name in Outbox.destinations(in: names).sorted() {
      guard let id = names.firstIndex(of: Outbox.word(name, "last")),
        let trimmed = names.firstIndex(of: Outbox.word(name, "trimmed"))
      else { continue }
      let start = max(after[name] ?? 0, values[trimmed])
      let skipped = try tables.skips(UInt32(id), after: start, upTo: .max, transaction)
      for entry in try tables.entries(
        UInt32(id), after: start, upTo: .max, recordsMax: limit, bytesMax: 64 << 20, transaction)
      where !skipped.contains(entry.number) {
        found.append((name, entry))
      }
    }
    return found
  }
}
