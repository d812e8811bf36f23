import StreamCore
import Synchronization

/// A reader of a simulated log.
final class SimulatedReader: RecordReader {
  private struct Assignment {
    var position: Offset
    var isPaused = false
    /// Whether it has said that it is at its end since it was last elsewhere.
    var saidEnd = false
  }

  private let log: SimulatedLog
  private let options: ReaderOptions
  private var assignments: [TopicPartition: Assignment] = [:]
  /// The partition whose turn it is, or the next one there is.
  private var first = TopicPartition("", 0)
  private let woken = Atomic(false)

  init(_ log: SimulatedLog, _ options: ReaderOptions) {
    self.log = log
    self.options = options
  }

  func assign(_ positions: [TopicPartition: Offset]) throws(LogError) {
    try log.call(.assign) { state throws(LogError) in
      for place in positions.keys { _ = try state.partition(place) }
    }
    assignments = positions.mapValues { Assignment(position: $0) }
  }

  func pause(_ topicPartition: TopicPartition) { assignments[topicPartition]?.isPaused = true }
  func resume(_ topicPartition: TopicPartition) { assignments[topicPartition]?.isPaused = false }

  func poll(timeout: Duration) throws(LogError) -> [RecordBatch] {
    let deadline = ContinuousClock.now + timeout
    while true {
      let seen = log.changes.generation
      if woken.exchange(false, ordering: .acquiring) { return [] }
      let (batches, isStarved) = try fetch()
      if !batches.isEmpty { return batches }
      // The seed gave nothing of what is there; the next draw may, however slow the machine is.
      if isStarved, timeout > .zero { continue }
      let left = deadline - ContinuousClock.now
      guard left > .zero else { return [] }
      log.changes.wait(beyond: seen, atMost: left)
    }
  }

  private func fetch() throws(LogError) -> (batches: [RecordBatch], isStarved: Bool) {
    let assigned = assignments
    let options = options
    let whoseTurn = first
    let (batches, isStarved) = try log.call(.poll) { state throws(LogError) in
      var batches: [RecordBatch] = []
      var isStarved = false
      var bytes = 0
      // Where one poll's bytes do not suffice for all, the next begins with another.
      let places = assigned.sorted(by: { $0.key < $1.key })
      let turn = places.firstIndex { $0.key >= whoseTurn } ?? 0
      for (place, assignment) in places[turn...] + places[..<turn] where !assignment.isPaused {
        guard bytes < options.pollBytesMax else {
          isStarved = true
          break
        }
        let partition = try state.partition(place)
        let position = assignment.position
        guard (partition.start...partition.end).contains(position) else {
          throw LogError(
            .offsetOutOfRange,
            "the position \(position) of \(place) is outside the log's "
              + "\(partition.start)..<\(partition.end)")
        }
        // Nothing, one, four or all of the records.
        let share = state.random?.next(upTo: 4) ?? 3
        let records =
          share == 3 ? options.batchRecordsMax : min(options.batchRecordsMax, Int(share * share))
        let batch = Self.batch(
          place, partition, position, records,
          min(options.batchBytesMax, options.pollBytesMax - bytes))
        bytes += batch.bytes.count
        let isAtEnd = batch.endOffset == batch.nextOffset
        if batch.nextOffset > position || (isAtEnd && !assignment.saidEnd) { batches.append(batch) }
        if share == 0 { isStarved = true }
      }
      return (batches, isStarved)
    }
    if let last = batches.last?.topicPartition {
      first = TopicPartition(last.topic, last.partition + 1)
    }
    for batch in batches {
      assignments[batch.topicPartition]?.position = batch.nextOffset
      assignments[batch.topicPartition]?.saidEnd = batch.endOffset == batch.nextOffset
    }
    return (batches, isStarved)
  }

  private static func batch(
    _ place: TopicPartition, _ partition: SimulatedPartition, _ position: Offset,
    _ recordsMax: Int, _ bytesMax: Int
  ) -> RecordBatch {
    var batch = RecordBatch(place, nextOffset: position)
    let end = min(partition.end, partition.withheldFrom ?? .max)
    while batch.nextOffset < end {
      let slot = partition.slots[Int(batch.nextOffset - partition.start)]
      guard case .record(let record, let taken) = slot else {
        batch.nextOffset += 1
        continue
      }
      guard batch.count < recordsMax else { break }
      let size =
        (record.key?.count ?? 0) + (record.value?.count ?? 0)
        + EncodedHeaders.encode(record.headers).count
      guard batch.count == 0 || batch.bytes.count + size <= bytesMax else { break }
      batch.took(from: record.offset, at: taken)
      batch.append(
        offset: record.offset, timestamp: record.timestamp, key: record.key, value: record.value,
        headers: record.headers)
    }
    batch.endOffset = partition.endIsKnown ? partition.end : nil
    return batch
  }

  func wake() {
    woken.store(true, ordering: .releasing)
    log.changes.signal()
  }

  func close() { assignments = [:] }
}
