import CRdKafka
package import StreamCore

/// Reads assigned partitions of a ``KafkaLog``.
///
/// A read-committed end is known in two ways. Librdkafka says so when an answer is empty; and
/// where the position reaches the log's end as of the last answer, no record, open transaction
/// or marker lies behind it, so the read-committed end is there as well, without waiting for an
/// empty answer.
@safe package final class KafkaReader: RecordReader {
  private let log: KafkaLog
  private let options: ReaderOptions
  private let queue: ConsumerQueue
  private var inboxes: [TopicPartition: PartitionInbox] = [:]
  /// The inboxes in the order in which they are asked: each has its turn where a poll's bytes do
  /// not suffice for all.
  private var turns: [PartitionInbox] = []
  /// What a message took lately, on average.
  private var messageBytes = PartitionInbox.messageBytes
  /// Inboxes by librdkafka's topic handle and partition, so that a message needs no name.
  private var routes: [UnsafeRawPointer: [Int32: PartitionInbox]] = unsafe [:]
  private var scratch: [UInt8] = []
  private var nextLook = ContinuousClock.now

  /// Records that came before their partition's position and were not handed out.
  package private(set) var droppedRecords = 0

  init(_ log: KafkaLog, _ options: ReaderOptions) throws(LogError) {
    precondition(options.batchRecordsMax > 0, "a batch holds at least one record")
    self.log = log
    self.options = options
    queue = try ConsumerQueue(
      log.settings, capacity: max(options.batchRecordsMax, 1_000),
      fetchedBytesMax: options.fetchedBytesMax)
  }

  package func assign(_ positions: [TopicPartition: Offset]) throws(LogError) {
    try log.check(positions.keys)
    // Negative positions mean "end" and the like to librdkafka.
    let valid = positions.filter { $0.value >= 0 }
    forget()
    try queue.assign(valid)
    for (partition, position) in positions {
      let inbox = PartitionInbox(partition, position: position)
      if position < 0 { inbox.failure = outOfRange(inbox) }
      inboxes[partition] = inbox
    }
    turns = inboxes.sorted { $0.key < $1.key }.map { $0.value }
  }

  private func forget() {
    inboxes = [:]
    turns = []
    unsafe routes = [:]
  }

  package func pause(_ topicPartition: TopicPartition) {
    inboxes[topicPartition]?.isPaused = true
  }

  package func resume(_ topicPartition: TopicPartition) {
    inboxes[topicPartition]?.isPaused = false
  }

  /// Has librdkafka fetch nothing more for paused partitions with more than their share, while all
  /// inboxes together hold too much; what is not paused goes on.
  ///
  /// Whenever librdkafka pauses a partition it throws away what it has fetched ahead, and what is
  /// under way: done for each pause of ours, the log was read three times.
  private func holdBack() {
    var total = 0
    for inbox in turns { total += inbox.byteCount }
    let share = inboxesBytesMax / max(1, turns.count)
    for inbox in turns {
      if inbox.isHeld {
        guard !inbox.isPaused, inbox.byteCount <= share / 4 else { continue }
        queue.resume(inbox.topicPartition, at: inbox.nextToReceive)
        inbox.isHeld = false
      } else if total > inboxesBytesMax, inbox.isPaused, inbox.byteCount > share {
        queue.pause(inbox.topicPartition)
        inbox.isHeld = true
      }
    }
  }

  private var inboxesBytesMax: Int { options.fetchedBytesMax / 2 }

  package func poll(timeout: Duration) throws(LogError) -> [RecordBatch] {
    let deadline = ContinuousClock.now + timeout
    while true {
      let batches = try nextBatches()
      holdBack()
      // What comes for paused partitions ends no wait.
      if queue.wasWoken() || !batches.isEmpty { return batches }
      let left = deadline - .now
      let count = receive(wait: max(left, .zero))
      guard count == 0 else {
        queue.client.events.brokerAnswered()
        continue
      }
      try lookForBrokers()
      return []
    }
  }

  private func receive(wait: Duration) -> Int {
    // Messages come in runs of one partition.
    var last: (topic: OpaquePointer?, partition: Int32, inbox: PartitionInbox)?
    var bytes = 0
    let limit = max(inboxesBytesMax / 4, 64 << 10) / messageBytes
    let count = unsafe queue.receive(atMost: limit, wait: wait) { message in
      unsafe bytes += PartitionInbox.size(message)
      let topic = unsafe message.pointee.rkt
      let partition = unsafe message.pointee.partition
      if let run = unsafe last, unsafe run.topic == topic, unsafe run.partition == partition {
        unsafe run.inbox.add(message)
      } else if let inbox = unsafe inbox(topic, partition) {
        unsafe inbox.add(message)
        unsafe last = unsafe (topic, partition, inbox)
      } else {
        unsafe note(message)
      }
    }
    if count > 0 { messageBytes = max(bytes / count, PartitionInbox.messageBytes) }
    return count
  }

  private func inbox(_ topic: OpaquePointer?, _ partition: Int32) -> PartitionInbox? {
    guard let topic = unsafe topic else { return nil }
    let key = unsafe UnsafeRawPointer(topic)
    if let known = unsafe routes[key]?[partition] { return known }
    // SAFETY: a message keeps its topic handle alive; handles of assigned topics live on.
    guard let name = unsafe rd_kafka_topic_name(topic),
      let inbox = unsafe inboxes[TopicPartition(String(cString: name), Int(partition))]
    else { return nil }
    unsafe routes[key, default: [:]][partition] = inbox
    return inbox
  }

  /// A message of no assigned partition: a stray of an earlier assignment, or an error of the
  /// client, which librdkafka goes on trying about.
  private func note(_ message: PartitionInbox.Message) {
    if unsafe message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR,
      let words = unsafe rd_kafka_message_errstr(message)
    {
      unsafe queue.client.events.say(String(cString: words))
    }
    unsafe rd_kafka_message_destroy(message)
  }

  /// - Throws: the failure of the first partition that has one; it stays until assigned anew.
  private func nextBatches() throws(LogError) -> [RecordBatch] {
    var batches: [RecordBatch] = []
    var limits = options
    var left = options.pollBytesMax
    for (index, inbox) in turns.enumerated() where !inbox.isPaused && !inbox.isEmpty {
      guard left > 0 || batches.isEmpty else {
        turns = Array(turns[index...] + turns[..<index])
        break
      }
      limits.batchBytesMax = min(options.batchBytesMax, max(left, 1))
      var batch = inbox.nextBatch(
        limits, &scratch, dropped: &droppedRecords, explain: explain)
      left -= batch.bytes.count
      lookForEnd(&batch, inbox)
      guard batch.count > 0 || batch.endOffset != nil || batch.nextOffset > inbox.position else {
        continue
      }
      inbox.position = batch.nextOffset
      if batch.endOffset == batch.nextOffset { inbox.saidEnd = batch.endOffset }
      batches.append(batch)
    }
    guard batches.isEmpty else { return batches }
    for inbox in turns where !inbox.isPaused {
      if let failure = inbox.failure { throw failure }
    }
    return []
  }

  /// The end is told also while it is far: a task that is known to be behind waits for its turn, so
  /// that intervals grow one after the other.
  private func lookForEnd(_ batch: inout RecordBatch, _ inbox: PartitionInbox) {
    guard batch.endOffset == nil, batch.count > 0,
      let end = queue.lastSeenEnd(of: inbox.topicPartition)
    else { return }
    if inbox.isEmpty, end > batch.nextOffset,
      let position = queue.position(of: inbox.topicPartition)
    {
      batch.nextOffset = max(batch.nextOffset, position)
    }
    if end >= batch.nextOffset { batch.endOffset = end }
  }

  private func explain(_ error: rd_kafka_resp_err_t, _ inbox: PartitionInbox, _ words: String)
    -> LogError?
  {
    let code = LogError.Code(error)
    switch code {
    case .offsetOutOfRange:
      return outOfRange(inbox)
    case .topicMissing:
      return .topicMissing(inbox.topicPartition.topic, at: log.url)
    case .partitionMissing, .corrupt, .unsupported:
      return LogError(
        code, "cannot read \(inbox.topicPartition) at \(log.url) from \(inbox.position): \(words)")
    case .unreachable where error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return queue.client.failure(error, "read \(inbox.topicPartition)")
    case _ where error == RD_KAFKA_RESP_ERR__FATAL:
      return LogError(.failed, "librdkafka gave up reading \(inbox.topicPartition): \(words)")
    default:
      // Librdkafka tries again, as it does about a broker that goes away.
      queue.client.events.say(words)
      return nil
    }
  }

  private func outOfRange(_ inbox: PartitionInbox) -> LogError {
    let partition = inbox.topicPartition
    let offsets = try? log.offsets(of: partition)
    let range = offsets.map { "from \($0.lowerBound) to \($0.upperBound)" } ?? "unknown"
    return LogError(
      .offsetOutOfRange,
      "position \(inbox.position) of \(partition) lies outside the log at \(log.url), whose offsets "
        + "are \(range): records are gone, or this is another log than before")
  }

  /// Asks now and then whether brokers that were all down are back: where there is nothing to read
  /// nothing else says so.
  ///
  /// - Throws: ``LogError`` with `.unreachable` where the settings ask for it.
  private func lookForBrokers() throws(LogError) {
    guard let since = queue.client.events.allBrokersDownSince, .now >= nextLook else { return }
    nextLook = .now + .seconds(1)
    guard !queue.client.isConnected(within: .milliseconds(200)) else { return }
    guard let limit = log.settings.unreachableAfter, .now - since >= limit else { return }
    throw queue.client.failure(
      RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "read for \(ContinuousClock.now - since)")
  }

  package var trouble: String? {
    guard queue.client.events.allBrokersDownSince != nil else { return nil }
    let words = queue.client.events.lastWords.map { ": \($0)" } ?? ""
    return "no broker of \(log.url) can be reached\(words)"
  }

  package func wake() { queue.wake() }

  /// Messages go before the queue, and that before librdkafka's threads.
  package func close() {
    forget()
    queue.close()
  }

  deinit { close() }
}
