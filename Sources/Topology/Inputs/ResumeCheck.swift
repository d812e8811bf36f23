import StateStore
import StreamCore

/// Compares the log with the state when reading resumes: the state must have been built from this
/// very log.
enum ResumeCheck {
  /// The batch without the record that was only fetched to be compared.
  ///
  /// - Throws: ``TaskError`` with `.diverged`.
  static func verified(
    _ batch: RecordBatch, for input: LogInput, counters: TaskCounters
  ) throws -> RecordBatch {
    guard input.awaitsCheck, let last = input.last else { return batch }
    if let end = batch.endOffset, end < input.position {
      throw diverged(
        input, "the log ends at \(end), before the state's position \(input.position)")
    }
    // Another reader of the partition may have begun before.
    let batch = batch.dropping(before: last.offset)
    guard let first = batch.entries.first else {
      // The record itself was removed, and so was all behind it.
      if batch.nextOffset > last.offset { passOver(input, counters) }
      return batch
    }
    guard first.offset == last.offset else {
      // The record itself was removed by retention or compaction; nothing says it was another. But
      // between it and the position there was none.
      guard first.offset >= input.position else {
        throw diverged(
          input, "the log has a record at offset \(first.offset), where the state found none")
      }
      passOver(input, counters)
      return batch
    }
    input.awaitsCheck = false
    let bytes = batch.bytes
    var hash: UInt64 = 0
    if let value = first.value { hash = hash64(bytes.span.bytes.extracting(value)) }
    guard hash == last.valueHash, first.timestamp ?? .unknown == last.timestamp else {
      throw diverged(
        input, "the record at offset \(last.offset) is not the one the state was built from")
    }
    return batch.dropping(first: 1)
  }

  private static func passOver(_ input: LogInput, _ counters: TaskCounters) {
    counters[.unverified] += 1
    input.awaitsCheck = false
  }

  /// Compares the log's offsets with the state before anything is read.
  ///
  /// - Throws: ``TaskError`` with `.recordsGone` or `.diverged`.
  static func check(
    _ offsets: Range<Offset>, for input: LogInput, isCompacted: Bool, allowTruncated: Bool
  ) throws {
    if offsets.upperBound < input.position {
      throw diverged(
        input,
        "the log ends at \(offsets.upperBound), before the state's position "
          + "\(input.position)")
    }
    guard offsets.lowerBound > input.position, !isCompacted, !allowTruncated else { return }
    throw TaskError(
      .recordsGone, input.topicPartition, input.position,
      "records \(input.position) to \(offsets.lowerBound - 1) are gone: the log's first offset is "
        + "\(offsets.lowerBound); `rewind --to earliest --allow-truncated` goes on without them")
  }

  private static func diverged(_ input: LogInput, _ what: String) -> TaskError {
    TaskError(
      .diverged, input.topicPartition, input.position,
      "log and state diverged: \(what); check --log and --state, or rebuild with "
        + "`rewind --to earliest`")
  }
}
