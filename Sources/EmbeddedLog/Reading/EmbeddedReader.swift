import StateStore
import StreamCore
import Synchronization

/// Reads an embedded log: each poll is one short read transaction that copies whole runs of
/// records out of LMDB's map.
final class EmbeddedReader: RecordReader {
  private struct Assignment {
    let topic: Topic
    let place: TopicPartition
    var position: Offset
    var isPaused = false
    /// Whether it has said that it is at its end since it was last elsewhere.
    var saidEnd = false
  }

  private let log: EmbeddedLog
  private let options: ReaderOptions
  /// In the order of topics and partitions.
  private var assignments: [Assignment] = []
  private let isWoken = Atomic(false)

  init(_ log: EmbeddedLog, _ options: ReaderOptions) {
    self.log = log
    self.options = options
  }

  func assign(_ positions: [TopicPartition: Offset]) throws(LogError) {
    assignments = try logErrors {
      let transaction = try ReadTransaction(log.environment)
      return try positions.sorted { $0.key < $1.key }.map { place, position in
        Assignment(
          topic: try log.resolve(transaction.operations, place), place: place, position: position)
      }
    }
  }

  func pause(_ topicPartition: TopicPartition) { setPaused(topicPartition, true) }
  func resume(_ topicPartition: TopicPartition) { setPaused(topicPartition, false) }

  private func setPaused(_ place: TopicPartition, _ isPaused: Bool) {
    guard let index = assignments.firstIndex(where: { $0.place == place }) else { return }
    assignments[index].isPaused = isPaused
  }

  func poll(timeout: Duration) throws(LogError) -> [RecordBatch] {
    // Counted before looking: a commit after our look then ends the wait at once.
    var seen = log.wake.count
    if isWoken.exchange(false, ordering: .acquiring) { return [] }
    let batches = try logErrors { try fetch() }
    if !batches.isEmpty || timeout <= .zero { return batches }
    let deadline = ContinuousClock.now + timeout
    while true {
      let left = deadline - ContinuousClock.now
      guard left > .zero else { return [] }
      log.wake.wait(while: seen, atMost: left)
      seen = log.wake.count
      if isWoken.exchange(false, ordering: .acquiring) { return [] }
      let batches = try logErrors { try fetch() }
      if !batches.isEmpty { return batches }
    }
  }

  private func fetch() throws -> [RecordBatch] {
    let transaction = try ReadTransaction(log.environment)
    var states: [PartitionState?] = []
    for assignment in assignments {
      // Checked for all first: an error then leaves every position as it was.
      states.append(assignment.isPaused ? nil : try state(transaction.operations, assignment))
    }
    var batches: [RecordBatch] = []
    for (index, state) in states.enumerated() {
      guard let state else { continue }
      let assignment = assignments[index]
      guard assignment.position < state.end || !assignment.saidEnd else { continue }
      var batch = RecordBatch(
        assignment.place, nextOffset: assignment.position, endOffset: state.end)
      if assignment.position < state.end {
        try read(transaction.operations, assignment, state, &batch)
      }
      batches.append(batch)
    }
    for batch in batches {
      guard let index = assignments.firstIndex(where: { $0.place == batch.topicPartition })
      else { continue }
      assignments[index].position = batch.nextOffset
      assignments[index].saidEnd = batch.nextOffset == batch.endOffset
    }
    return batches
  }

  private func state(
    _ transaction: Transaction, _ assignment: Assignment
  ) throws -> PartitionState {
    let state = try log.state(transaction, assignment.topic, assignment.place.partition)
    guard (state.start...state.end).contains(assignment.position) else {
      throw LogError(
        .offsetOutOfRange,
        "the position \(assignment.position) of \(assignment.place) is outside the log's offsets "
          + "\(state.start)..<\(state.end)")
    }
    return state
  }

  private func read(
    _ transaction: Transaction, _ assignment: Assignment, _ state: PartitionState,
    _ batch: inout RecordBatch
  ) throws {
    let topic = assignment.topic.number
    let partition = assignment.place.partition
    let prefix = PartitionState.key(topic, partition)
    var cursor = try transaction.cursor(log.tables.blocks)
    let behind = Block.key(topic, partition, batch.nextOffset + 1)
    var found = try cursor.seek(before: behind.raw)
    // Room for what will come by the partition's mean, so that the batch grows once.
    let records = min(Int(clamping: state.end - batch.nextOffset), options.batchRecordsMax)
    let mean = Int(clamping: state.bytes / (state.end - state.start)) + 1
    let bytes = records.multipliedReportingOverflow(by: mean + mean / 16)
    batch.reserve(
      records: records,
      bytes: bytes.overflow ? options.batchBytesMax : min(bytes.partialValue, options.batchBytesMax)
    )
    while batch.nextOffset < state.end {
      guard found else { throw Block.corrupt("\(assignment.place)", batch.nextOffset) }
      let isWhole = try cursor.withEntry { key, block in
        guard let first = Block.offset(inKey: key, of: prefix) else {
          throw Block.corrupt("\(assignment.place)", batch.nextOffset)
        }
        let header = try BlockHeader(block, at: first, "\(assignment.place)")
        guard first <= batch.nextOffset, header.end > batch.nextOffset, header.end <= state.end
        else { throw Block.corrupt("\(assignment.place)", batch.nextOffset) }
        return try header.copy(block, to: &batch, options)
      }
      guard
        isWhole && batch.count < options.batchRecordsMax
          && batch.bytes.count < options.batchBytesMax
      else { return }
      // A search in the page at hand; across pages LMDB checks what it finds, where a step to the
      // next one would trap on a damaged page.
      found = try cursor.seek(Block.key(topic, partition, batch.nextOffset).raw)
    }
  }

  func wake() {
    isWoken.store(true, ordering: .releasing)
    log.wake.advance()
  }

  func close() { assignments = [] }
}
