import Glibc
import StateStore
import StreamCore
import Synchronization

/// Reads an embedded log: each poll is one short read transaction that copies whole runs of
/// records out of LMDB's map.
///
/// It looks at the partitions that may have something: those it has not read to their end, and
/// those that commits were announced for; at all of them once a second.
final class EmbeddedReader: RecordReader {
  private struct Assignment {
    let topic: Topic
    let place: TopicPartition
    var position: Offset
    var isPaused = false
    /// Whether it has said that it is at its end since it was last elsewhere.
    var saidEnd = false
    /// Whether it is in the queue.
    var isQueued = true
    /// Where its appends are announced, and what was found there before it was last looked at.
    let slot: Int
    var announced: UInt32 = 0
  }

  private let log: EmbeddedLog
  private let options: ReaderOptions
  /// In the order of topics and partitions.
  private var assignments: [Assignment] = []
  private var indices: [TopicPartition: Int] = [:]
  /// Those for which the log may have something, in the order in which they are asked: each has its
  /// turn where a poll's bytes do not suffice for all.
  private var queue: [Int] = []
  /// The log's count of commits when announcements were last looked through.
  private var noted: UInt32?
  private var everythingAnnounced: UInt32 = 0
  private var looksAtAllAt = ContinuousClock.now
  private let isWoken = Atomic(false)
  /// How this reader is woken and no other.
  private let sleeper: UInt32

  private static let sleepers = Atomic(UInt32(truncatingIfNeeded: getpid()) &* 7)

  init(_ log: EmbeddedLog, _ options: ReaderOptions) {
    self.log = log
    self.options = options
    sleeper = Self.sleepers.wrappingAdd(1, ordering: .relaxed).newValue
  }

  func assign(_ positions: [TopicPartition: Offset]) throws(LogError) {
    assignments = try logErrors {
      let transaction = try ReadTransaction(log.environment)
      var topics: [String: Topic] = [:]
      return try positions.sorted { $0.key < $1.key }.map { place, position in
        let topic = try topics[place.topic] ?? log.resolve(transaction.operations, place)
        topics[place.topic] = topic
        guard 0..<topic.partitions ~= place.partition else { throw topic.missing(place.partition) }
        return Assignment(
          topic: topic, place: place, position: position,
          slot: WakeFile.slot(topic.number, place.partition))
      }
    }
    indices = [:]
    for (index, assignment) in assignments.enumerated() { indices[assignment.place] = index }
    queue = Array(assignments.indices)
    noted = nil
  }

  func pause(_ topicPartition: TopicPartition) { setPaused(topicPartition, true) }
  func resume(_ topicPartition: TopicPartition) { setPaused(topicPartition, false) }

  private func setPaused(_ place: TopicPartition, _ isPaused: Bool) {
    guard let index = indices[place] else { return }
    assignments[index].isPaused = isPaused
  }

  func poll(timeout: Duration) throws(LogError) -> [RecordBatch] {
    let deadline = ContinuousClock.now + timeout
    while true {
      // Counted before looking: a commit after our look then ends the wait at once.
      let seen = log.wake.count
      if isWoken.exchange(false, ordering: .acquiring) { return [] }
      noteAnnounced(seen)
      let batches = try logErrors { try fetch() }
      if !batches.isEmpty { return batches }
      let left = deadline - ContinuousClock.now
      guard timeout > .zero, left > .zero else { return [] }
      log.wake.wait(while: seen, atMost: left, as: sleeper)
    }
  }

  /// Queues what has to be looked at, before the look.
  private func noteAnnounced(_ count: UInt32) {
    let now = ContinuousClock.now
    guard count != noted || now >= looksAtAllAt else { return }
    noted = count
    let everything = log.wake.everythingValue
    let looksAtAll = everything != everythingAnnounced || now >= looksAtAllAt
    if looksAtAll {
      everythingAnnounced = everything
      looksAtAllAt = now + WakeFile.looksAgainAfter
    }
    for index in assignments.indices {
      let value = log.wake.value(ofSlot: assignments[index].slot)
      guard looksAtAll || value != assignments[index].announced else { continue }
      assignments[index].announced = value
      guard !assignments[index].isQueued else { continue }
      assignments[index].isQueued = true
      queue.append(index)
    }
  }

  /// The batches of queued partitions in turn, until they hold the bytes of one poll; those not
  /// read to their end then stand behind the others.
  ///
  /// An error of one partition waits until what was read of others before it is returned; its
  /// position stays.
  private func fetch() throws -> [RecordBatch] {
    guard !queue.isEmpty else { return [] }
    let transaction = try ReadTransaction(log.environment)
    var batches: [RecordBatch] = []
    var bytes = 0
    var waiting: [Int] = []
    var again: [Int] = []
    var next = 0
    defer { queue = waiting + queue[next...] + again }
    while next < queue.count {
      let index = queue[next]
      if assignments[index].isPaused {
        waiting.append(index)
        next += 1
        continue
      }
      guard batches.isEmpty || bytes < options.pollBytesMax else { return batches }
      let batch: RecordBatch
      do {
        batch = try self.batch(
          transaction.operations, assignments[index], bytesMax: options.pollBytesMax - bytes)
      } catch {
        guard batches.isEmpty else { return batches }
        throw error
      }
      next += 1
      let isAtEnd = batch.nextOffset == batch.endOffset
      if batch.nextOffset > assignments[index].position || !assignments[index].saidEnd {
        batches.append(batch)
        bytes += batch.bytes.count
      }
      assignments[index].position = batch.nextOffset
      assignments[index].saidEnd = isAtEnd
      assignments[index].isQueued = !isAtEnd
      if !isAtEnd { again.append(index) }
    }
    return batches
  }

  private func batch(
    _ transaction: Transaction, _ assignment: Assignment, bytesMax: Int
  ) throws -> RecordBatch {
    let state = try state(transaction, assignment)
    var batch = RecordBatch(
      assignment.place, nextOffset: assignment.position, endOffset: state.end)
    if assignment.position < state.end {
      var limits = options
      limits.batchBytesMax = min(options.batchBytesMax, max(bytesMax, 1))
      try read(transaction, assignment, state, limits, &batch)
    }
    return batch
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
    _ limits: ReaderOptions, _ batch: inout RecordBatch
  ) throws {
    let topic = assignment.topic.number
    let partition = assignment.place.partition
    let prefix = PartitionState.key(topic, partition)
    var cursor = try transaction.cursor(log.tables.blocks)
    let behind = Block.key(topic, partition, batch.nextOffset + 1)
    var found = try cursor.seek(before: behind.raw)
    // Room for what will come by the partition's mean, so that the batch grows once.
    let records = min(Int(clamping: state.end - batch.nextOffset), limits.batchRecordsMax)
    let mean = Int(clamping: state.bytes / (state.end - state.start)) + 1
    let bytes = records.multipliedReportingOverflow(by: mean + mean / 16)
    batch.reserve(
      records: records,
      bytes: bytes.overflow ? limits.batchBytesMax : min(bytes.partialValue, limits.batchBytesMax)
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
        return try header.copy(block, to: &batch, limits)
      }
      guard
        isWhole && batch.count < limits.batchRecordsMax && batch.bytes.count < limits.batchBytesMax
      else { return }
      // A search in the page at hand; across pages LMDB checks what it finds, where a step to the
      // next one would trap on a damaged page.
      found = try cursor.seek(Block.key(topic, partition, batch.nextOffset).raw)
    }
  }

  func wake() {
    isWoken.store(true, ordering: .releasing)
    log.wake.wake(sleeper)
  }

  func close() {
    assignments = []
    indices = [:]
    queue = []
  }
}
