/// A partitioned log of records: Kafka, the embedded log, or one in memory for tests.
///
/// Every call is synchronous and may block; none is made from a Swift task's executor.
public protocol RecordLog: AnyObject, Sendable {
  /// How the log was named, as `kafka://localhost:9092` or `local:data/log`.
  var url: String { get }

  /// The largest record that the log is sure to take, as ``ProducerRecord/byteCount`` counts it; a
  /// topic may have a lower limit of its own.
  var recordBytesMax: Int { get }

  /// The most that one append, or one transaction, is sure to take: the sum of its records'
  /// ``ProducerRecord/byteCount``. Never below ``recordBytesMax``.
  var appendBytesMax: Int { get }

  /// All topics by name.
  ///
  /// - Throws: ``LogError``.
  func topics() throws(LogError) -> [TopicDescription]

  /// - Returns: `nil` where there is no such topic.
  /// - Throws: ``LogError``.
  func topic(_ name: String) throws(LogError) -> TopicDescription?

  /// Of these topics those that there are, with as few questions as the log can do with.
  func topics(
    named names: some Collection<String>
  ) throws(LogError) -> [String: TopicDescription]

  /// First offset that is still there and the read-committed end: the position behind the last
  /// record that a read-committed reader may see.
  ///
  /// - Throws: ``LogError`` with `.topicMissing` or `.partitionMissing`.
  func offsets(of topicPartition: TopicPartition) throws(LogError) -> Range<Offset>

  /// ``offsets(of:)-(TopicPartition)`` of many partitions, with as few questions as the log can do
  /// with.
  ///
  /// - Throws: ``LogError`` with `.topicMissing` or `.partitionMissing`, of any of them.
  func offsets(
    of topicPartitions: [TopicPartition]
  ) throws(LogError) -> [TopicPartition: Range<Offset>]

  /// The offset of the first record at or after `time`; the end where there is none, `nil` where
  /// the backend cannot tell.
  func offset(of topicPartition: TopicPartition, at time: Timestamp) throws(LogError) -> Offset?

  /// A reader with nothing assigned, for one thread.
  func makeReader(_ options: ReaderOptions) throws(LogError) -> any RecordReader

  /// Something that appends; durable when a call returns.
  func makeAppender() throws(LogError) -> any RecordAppender

  // Capabilities: `nil` where the backend has none.
  var administration: (any TopicAdministration)? { get }
  var groupOffsets: (any GroupOffsets)? { get }
  var idempotentAppends: (any IdempotentAppends)? { get }
  var expectedSequenceAppends: (any ExpectedSequenceAppends)? { get }
  var transactions: (any TransactionalAppends)? { get }

  /// Ends what runs behind the log. Readers and appenders are closed before.
  func close()
}

extension RecordLog {
  public func topics(
    named names: some Collection<String>
  ) throws(LogError) -> [String: TopicDescription] {
    var found: [String: TopicDescription] = [:]
    for name in names { found[name] = try topic(name) }
    return found
  }

  public func offsets(
    of topicPartitions: [TopicPartition]
  ) throws(LogError) -> [TopicPartition: Range<Offset>] {
    var found: [TopicPartition: Range<Offset>] = [:]
    for place in topicPartitions { found[place] = try offsets(of: place) }
    return found
  }
}

public struct TopicDescription: Hashable, Sendable {
  public let name: String
  public let partitions: Int
  /// How the topic keeps its records, where the backend says so.
  public let retention: TopicRetention?

  public init(name: String, partitions: Int, retention: TopicRetention? = nil) {
    self.name = name
    self.partitions = partitions
    self.retention = retention
  }
}

/// What a topic removes; the default keeps everything for ever.
public struct TopicRetention: Hashable, Sendable {
  /// Records may go that were appended longer ago than this, by the log's clock.
  public var time: Duration?
  /// The oldest records beyond this size of a partition may go.
  public var bytes: Int?
  /// Of records with one key only the newest is sure to stay.
  public var compacted: Bool

  public init(time: Duration? = nil, bytes: Int? = nil, compacted: Bool = false) {
    self.time = time
    self.bytes = bytes
    self.compacted = compacted
  }
}

public struct ReaderOptions: Hashable, Sendable {
  /// Most records in one batch.
  public var batchRecordsMax: Int
  /// A batch is closed once it holds this many bytes; one larger record still fits alone.
  public var batchBytesMax: Int
  /// One poll returns about this much of all partitions together, which take turns; it may be one
  /// record more.
  public var pollBytesMax: Int
  /// About how much a reader that fetches ahead keeps of all partitions together, paused ones
  /// included.
  public var fetchedBytesMax: Int

  public init(
    batchRecordsMax: Int = 2_000, batchBytesMax: Int = 1 << 20, pollBytesMax: Int = 8 << 20,
    fetchedBytesMax: Int = 32 << 20
  ) {
    self.batchRecordsMax = batchRecordsMax
    self.batchBytesMax = batchBytesMax
    self.pollBytesMax = pollBytesMax
    self.fetchedBytesMax = fetchedBytesMax
  }
}

/// Reads assigned partitions in batches, read-committed. One thread uses it, but for ``wake()``.
public protocol RecordReader: AnyObject {
  /// Replaces the assignment: each partition is read from the given position on.
  ///
  /// - Throws: ``LogError`` with `.topicMissing`, `.partitionMissing`; a position that is out of
  ///   range is reported by ``poll(timeout:)``, never silently reset.
  func assign(_ positions: [TopicPartition: Offset]) throws(LogError)

  /// Nothing of a paused partition is delivered until it is resumed; its position stays.
  func pause(_ topicPartition: TopicPartition)
  func resume(_ topicPartition: TopicPartition)

  /// The next batches, at most one a partition. Each partition that is at its end says so once
  /// with a batch (empty, if need be) whose ``RecordBatch/endOffset`` is its
  /// ``RecordBatch/nextOffset``, and again after each time it left its end.
  ///
  /// - Parameter timeout: how long to wait for anything; zero only looks.
  /// - Returns: empty where time ran out or ``wake()`` was called.
  /// - Throws: ``LogError``; with `.offsetOutOfRange` the message names partition, position and
  ///   the log's offsets.
  func poll(timeout: Duration) throws(LogError) -> [RecordBatch]

  /// Ends a running or the next ``poll(timeout:)``; callable from any thread.
  func wake()

  /// What keeps the log from being read, in words, as of the last ``poll(timeout:)``; `nil` where
  /// nothing is known to. The reader waits for its end by itself.
  var trouble: String? { get }

  func close()
}

extension RecordReader {
  public var trouble: String? { nil }
}

/// Where a record went.
public struct AppendResult: Hashable, Sendable {
  public let topicPartition: TopicPartition
  public let offset: Offset

  public init(topicPartition: TopicPartition, offset: Offset) {
    self.topicPartition = topicPartition
    self.offset = offset
  }
}

/// Appends to topics. Callable from any thread.
public protocol RecordAppender: AnyObject, Sendable {
  /// Appends in order and returns when all are durable, with a result for each record.
  ///
  /// - Throws: ``LogError``: `.topicMissing`, `.recordRejected` (nothing of the call is appended
  ///   where the backend can tell before), `.diskFull`, `.unreachable`.
  func append(_ records: [ProducerRecord], to topic: String) throws(LogError) -> [AppendResult]

  /// The owner wants to end: an append that waits for a broker gives up soon, with
  /// `.unreachable`. Callable from any thread.
  func hurry()

  func close()
}

extension RecordAppender {
  public func hurry() {}
}

/// Creates and deletes topics.
public protocol TopicAdministration: Sendable {
  /// - Throws: ``LogError`` with `.topicExists` or `.invalid`.
  func createTopic(_ name: String, partitions: Int, retention: TopicRetention)
    throws(LogError)
  /// - Throws: ``LogError`` with `.topicMissing`.
  func deleteTopic(_ name: String) throws(LogError)
}

/// What consumer groups committed: information for others, never the engine's truth.
public protocol GroupOffsets: Sendable {
  func committed(group: String, _ partitions: [TopicPartition]) throws(LogError)
    -> [TopicPartition: Offset]
  func commit(group: String, _ positions: [TopicPartition: Offset]) throws(LogError)
  /// Forgets what a group committed for these partitions.
  func delete(group: String, _ partitions: [TopicPartition]) throws(LogError)
}

/// Appends that may be repeated: a batch is taken once for its producer id and sequence.
public protocol IdempotentAppends: Sendable {
  /// - Parameters:
  ///   - producer: names the producer across its restarts.
  ///   - sequence: rises by one with each call of a producer; a repeat of the last one answers
  ///     with the first call's results and appends nothing.
  /// - Throws: ``LogError`` with `.fenced` for a sequence behind the last, `.sequenceConflict`
  ///   for one that leaves a gap.
  func append(
    _ records: [ProducerRecord], to topic: String, producer: String, sequence: Int64
  ) throws(LogError) -> [AppendResult]
}

/// Appends on condition: the event store's optimistic lock.
public protocol ExpectedSequenceAppends: Sendable {
  /// Appends `records`, all with the same key, if the key's records so far number `expected`.
  ///
  /// - Throws: ``LogError`` with `.sequenceConflict`, whose message names the current sequence.
  func append(
    _ records: [ProducerRecord], to topic: String, expectedSequence: Int64
  ) throws(LogError) -> [AppendResult]
  /// How many records of this key were appended with a sequence.
  func sequence(ofKey key: [UInt8], in topic: String) throws(LogError) -> Int64
}

/// Atomic appends to several topics under a transactional id.
public protocol TransactionalAppends: Sendable {
  /// Takes over `transactionalID`: older holders are fenced, their open transaction is aborted.
  func makeProducer(transactionalID: String) throws(LogError) -> any TransactionalProducer
}

/// The holder of a transactional id; one thread at a time.
public protocol TransactionalProducer: AnyObject {
  /// Appends all of it atomically: read-committed readers see everything or nothing.
  ///
  /// - Throws: ``LogError`` with `.fenced` once a newer holder took over; nothing was appended.
  func commit(_ records: [(topic: String, record: ProducerRecord)]) throws(LogError)
    -> [AppendResult]
  func close()
}
