/// Reads a task's journal as it is committed, from any thread, each call in a read transaction of
/// its own.
package struct CommittedJournal: Sendable {
  let environment: Environment
  let table: Table

  /// Entries with numbers in `after + 1 ... upTo`, oldest first: at most `limit`, and about
  /// `bytesMax`, the first in any case.
  package func entries(
    after: Int64, upTo: Int64, limit: Int, bytesMax: Int
  ) throws(StoreError) -> [Journal.Entry] {
    let read = try ReadTransaction(environment)
    var entries: [Journal.Entry] = []
    var bytes = 0
    var cursor = try read.operations.cursor(table)
    var found = try cursor.seek(bigEndianBytes(after + 1).raw)
    while found, entries.count < limit, entries.isEmpty || bytes < bytesMax {
      let number = cursor.key.raw.bigEndian(Int64.self, at: 0)
      if number > upTo { break }
      entries.append(Journal.Entry(number: number, bytes: cursor.value))
      bytes += entries[entries.count - 1].bytes.count
      found = try cursor.next()
    }
    return entries
  }
}

private func bigEndianBytes(_ value: Int64) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.append(bigEndian: value)
  return bytes
}
