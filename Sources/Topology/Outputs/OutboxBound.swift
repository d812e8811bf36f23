/// How much may wait in one task's outbox, for the slowest of its readers.
package struct OutboxBound: Hashable, Sendable {
  package var records: Int
  package var bytes: Int

  package init(records: Int = 1_000_000, bytes: Int = 1 << 30) {
    self.records = records
    self.bytes = bytes
  }
}
