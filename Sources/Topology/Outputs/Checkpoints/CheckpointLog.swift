import StateStore
import StreamCore

/// A task's own partition of its journal topic, as it is read.
package struct CheckpointLog {
  struct Found {
    let offset: Offset
    let checkpoint: Checkpoint
  }

  /// How long an answer is waited for before the log counts as unreachable.
  private static let patience = Duration.seconds(30)

  let log: any RecordLog
  let partition: TopicPartition
  /// Told of records that are none of ours.
  let report: @Sendable (String) -> Void

  /// The topic that holds the checkpoints of a sub-topology, a partition a task.
  package static func topic(of topology: String, _ subTopology: String) -> String {
    "\(topology)-journal-\(subTopology)"
  }

  /// - Returns: empty where there is no such topic.
  private func offsets() throws -> Range<Offset> {
    let topic = try log.topic(partition.topic)
    guard let topic, partition.partition < topic.partitions else { return 0..<0 }
    return try log.offsets(of: partition)
  }

  /// Where the next record goes, or a later one.
  func end() throws -> Offset { try offsets().upperBound }

  /// The newest checkpoint.
  ///
  /// - Throws: ``StreamCore/LogError``; ``StateStore/StoreError`` with `.newer`.
  func last() throws -> Found? {
    let offsets = try offsets()
    // The last offsets may be those of control records, of aborted transactions, or somebody
    // else's records: look further back until there is one of ours.
    var distance: Offset = 16
    var end = offsets.upperBound
    while end > offsets.lowerBound {
      let start = max(offsets.lowerBound, offsets.upperBound - distance)
      var found: Found?
      try read(from: start, to: end) { offset, record in
        if case .checkpoint(let checkpoint) = record {
          found = Found(offset: offset, checkpoint: checkpoint)
        }
      }
      if let found { return found }
      (end, distance) = (start, distance * 16)
    }
    return nil
  }

  /// All records from an offset on, in order.
  ///
  /// - Throws: as ``last()``, and what `body` throws.
  func scan(from start: Offset, _ body: (Offset, JournalTopicRecord) throws -> Void) throws {
    let offsets = try offsets()
    try read(from: max(start, offsets.lowerBound), to: offsets.upperBound, body)
  }

  private func read(
    from start: Offset, to end: Offset, _ body: (Offset, JournalTopicRecord) throws -> Void
  ) throws {
    guard start < end else { return }
    let reader = try log.makeReader(ReaderOptions())
    defer { reader.close() }
    try reader.assign([partition: start])
    var deadline = ContinuousClock.now + Self.patience
    while ContinuousClock.now < deadline {
      for batch in try reader.poll(timeout: .milliseconds(200)) {
        for entry in batch.entries where entry.offset < end {
          if let record = try decode(entry, of: batch) { try body(entry.offset, record) }
        }
        if batch.nextOffset >= end { return }
        deadline = ContinuousClock.now + Self.patience
      }
    }
    throw LogError(
      .unreachable,
      "\(partition) could not be read up to offset \(end) within \(Self.patience): "
        + (reader.trouble ?? "the log gives no records"))
  }

  private func decode(
    _ entry: RecordBatch.Entry, of batch: RecordBatch
  ) throws -> JournalTopicRecord? {
    if let value = entry.value,
      let record = try JournalTopicRecord(Array(batch.bytes[value]))
    {
      return record
    }
    report(
      "the record at \(partition)@\(entry.offset) is no checkpoint and is passed over; see who "
        + "else writes to that topic")
    return nil
  }
}
