import StateStore
import StreamCore

extension TopicRetention {
  /// Whether records are removed by age or size.
  var removesRecords: Bool { time != nil || bytes != nil }
}

/// Removes the oldest blocks of a partition.
enum Retention {
  /// Most blocks removed at once, so that no append waits long for it.
  private static let blocksMax = 256

  /// Moves the start behind each block at the front that lies wholly beyond a limit: all its
  /// records were appended longer ago than the time, or the rest still has the size.
  ///
  /// The records' own times are not asked: one of the far future would make all others old.
  ///
  /// - Parameter now: by the log's clock.
  /// - Returns: whether it stopped at ``blocksMax``.
  static func apply(
    _ transaction: Transaction, _ tables: LogTables, _ topic: Topic, _ partition: Int,
    _ state: inout PartitionState, _ now: Timestamp
  ) throws -> Bool {
    let retention = topic.retention
    guard retention.removesRecords else { return false }
    let oldest = retention.time.map { limit in
      let (time, overflow) = now.milliseconds.subtractingReportingOverflow(limit.milliseconds)
      return overflow ? Int64.min : time
    }
    let prefix = PartitionState.key(topic.number, partition)
    let place = "\(topic.name)-\(partition)"
    var cursor = try transaction.cursor(tables.blocks)
    for _ in 0..<blocksMax {
      guard state.start < state.end else { return false }
      guard try cursor.seek(Block.key(topic.number, partition, state.start).raw) else {
        throw Block.corrupt(place, state.start)
      }
      let (end, appended, size) = try cursor.withEntry { key, block in
        guard let first = Block.offset(inKey: key, of: prefix), first == state.start else {
          throw Block.corrupt(place, state.start)
        }
        // Not hashed: that would read every page of what is thrown away.
        let header = try BlockHeader(block, at: first, place, verify: false)
        return (header.end, header.appended, Int64(block.byteCount))
      }
      let isOld = oldest.map { appended < $0 } ?? false
      let isBeyond = retention.bytes.map { state.bytes - size >= Int64($0) } ?? false
      guard (isOld || isBeyond) && end <= state.end else { return false }
      try cursor.delete()
      state.start = end
      state.bytes -= size
    }
    return true
  }
}
