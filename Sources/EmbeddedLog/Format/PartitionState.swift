import StateStore
import StreamCore

/// Where a partition begins and ends, and what it holds.
struct PartitionState {
  var start: Offset = 0
  var end: Offset = 0
  /// Of its blocks.
  var bytes: Int64 = 0
  /// The highest time ever appended; `Int64.min` before the first.
  var newest: Int64 = .min

  static func key(_ topic: UInt32, _ partition: Int) -> [UInt8] {
    var writer = ByteWriter()
    writer.key(topic)
    writer.key(UInt32(partition))
    return writer.bytes
  }

  /// - Returns: `nil` where the topic was deleted.
  static func read(
    _ transaction: Transaction, _ tables: LogTables, _ topic: Topic, _ partition: Int
  ) throws -> PartitionState? {
    let key = key(topic.number, partition)
    guard let bytes = try transaction.value(tables.partitions, key.raw) else { return nil }
    var reader = try ByteReader(sealed: bytes, "the entry of \(topic.name)-\(partition)")
    var state = PartitionState()
    state.start = try reader.number()
    state.end = try reader.number()
    state.bytes = try reader.number()
    state.newest = try reader.number()
    guard state.start >= 0, state.start <= state.end else {
      throw ByteReader.corrupt("the entry of \(topic.name)-\(partition)")
    }
    return state
  }

  func write(
    _ transaction: Transaction, _ tables: LogTables, _ topic: Topic, _ partition: Int
  ) throws {
    var writer = ByteWriter()
    writer.number(start)
    writer.number(end)
    writer.number(bytes)
    writer.number(newest)
    try transaction.put(
      tables.partitions, Self.key(topic.number, partition).raw, writer.sealed().raw)
  }
}
