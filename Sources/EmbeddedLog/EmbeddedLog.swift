import StateStore
public import StreamCore
import Synchronization

/// A durable log in a directory, on LMDB: for one machine, with no server.
///
/// Several processes may have it open; appends of all are serialised, and a call that returned is
/// on disk, data and meta page. Reads take no lock and see what is durable only. A transaction is
/// one commit of LMDB, so readers see all of it or nothing, and no offset is ever skipped.
///
/// A topic that says it is compacted keeps everything: compaction is what may happen, not what
/// must. Its directory holds `data.mdb`, `lock.mdb` and `wake`, and must be writable and local
/// (LMDB and futexes do not work over a network's file system).
public final class EmbeddedLog: RecordLog {
  public let url: String
  /// Of `local:DIR` what follows the colon.
  public let directory: String
  let environment: Environment
  let tables: LogTables
  let wake: WakeFile
  let commits: GroupCommit
  /// What tells when a record is appended, and how old one is.
  let clock: any WallClock
  private let known = Mutex<[String: Topic]>([:])

  /// Opens the log in a directory.
  ///
  /// - Parameters:
  ///   - url: `local:DIR`, or the directory's path.
  ///   - create: whether a missing or empty directory becomes a log.
  /// - Throws: ``LogError``: `.unreachable` where there is none and `create` is false, or it cannot
  ///   be written; `.corrupt` for a damaged one, one of a newer format, or something else's files.
  public static func open(_ url: String, create: Bool) throws(LogError) -> EmbeddedLog {
    try open(url, create: create, mapSize: 16 << 30)
  }

  /// - Parameters:
  ///   - mapSize: bytes of address space to begin with; doubled when it is full.
  ///   - patience: how long another process may take to open it.
  package static func open(
    _ url: String, create: Bool, mapSize: Int = 16 << 30, clock: any WallClock = LogClock(),
    patience: Duration = FileLock.patience
  ) throws(LogError) -> EmbeddedLog {
    let options = Environment.Options(
      mapSize: mapSize, create: create, syncsMeta: true, readsInOrder: true, openTimeout: patience)
    return try logErrors { try EmbeddedLog(url, options, clock) }
  }

  private init(_ url: String, _ options: Environment.Options, _ clock: any WallClock) throws {
    self.clock = clock
    let directory = String(url.hasPrefix("local:") ? url.dropFirst("local:".count) : url[...])
    guard !directory.isEmpty, !directory.utf8.contains(0) else {
      throw LogError(.invalid, "'\(url)' names no directory; write local:DIR")
    }
    self.directory = directory
    self.url = "local:\(directory)"
    let exists = try DataFile(directory, patience: options.openTimeout).check()
    guard exists || options.create else {
      throw LogError(
        .unreachable, "there is no log in \(directory); name another directory or create it")
    }
    environment = try Environment.open(directory, options)
    tables = try LogTables(environment, create: options.create)
    wake = try WakeFile(directory)
    commits = GroupCommit(environment) { [wake] in wake.announce($0) }
    try environment.clearStaleReaders()
    try checkEnds()
    try removeDoomed()
  }

  /// Reads the last block of each partition: a truncated or overwritten file shows there first.
  private func checkEnds() throws {
    let transaction = try ReadTransaction(environment)
    for topic in try allTopics(transaction.operations) {
      for partition in 0..<topic.partitions {
        let state = try state(transaction.operations, topic, partition)
        guard state.end > state.start else { continue }
        let end = try withBlock(transaction.operations, topic, partition, at: state.end - 1) {
          header, _ in header.end
        }
        guard end == state.end else {
          throw Block.corrupt("\(topic.name)-\(partition)", end)
        }
      }
    }
  }

  public var recordBytesMax: Int { EncodedAppend.recordBytesMax }
  public var appendBytesMax: Int { EncodedAppend.bytesMax }

  // MARK: Topics

  public func topics() throws(LogError) -> [TopicDescription] {
    try logErrors {
      let transaction = try ReadTransaction(environment)
      return try allTopics(transaction.operations).map { $0.description }
    }
  }

  public func topic(_ name: String) throws(LogError) -> TopicDescription? {
    try logErrors {
      let transaction = try ReadTransaction(environment)
      return try storedTopic(transaction.operations, name)?.description
    }
  }

  private func allTopics(_ transaction: Transaction) throws -> [Topic] {
    var topics: [Topic] = []
    var cursor = try transaction.cursor(tables.topics)
    var found = try cursor.first()
    while found {
      topics.append(try Topic(name: String(decoding: cursor.key, as: UTF8.self), cursor.value))
      found = try cursor.next()
    }
    return topics
  }

  func storedTopic(_ transaction: Transaction, _ name: String) throws -> Topic? {
    let key = Array(name.utf8)
    // LMDB takes no empty key, and none beyond 511 bytes.
    guard 1...249 ~= key.count else { return nil }
    return try transaction.value(tables.topics, key.raw).map { try Topic(name: name, $0) }
  }

  /// The topic as this process last saw it: who relies on it looks at its partition's entry, which
  /// goes with the topic, and asks anew if that is gone.
  ///
  /// - Throws: ``LogError`` with `.topicMissing`.
  func knownTopic(_ name: String, anew: Bool = false) throws -> Topic {
    if !anew, let topic = known.withLock({ $0[name] }) { return topic }
    let transaction = try ReadTransaction(environment)
    let topic = try storedTopic(transaction.operations, name)
    known.withLock { $0[name] = topic }
    guard let topic else { throw Topic.missing(name, in: url) }
    return topic
  }

  // MARK: Offsets

  /// - Throws: ``LogError`` with `.topicMissing` if the topic was deleted.
  func state(
    _ transaction: Transaction, _ topic: Topic, _ partition: Int
  ) throws -> PartitionState {
    guard let state = try PartitionState.read(transaction, tables, topic, partition) else {
      throw Topic.missing(topic.name, in: url)
    }
    return state
  }

  func resolve(_ transaction: Transaction, _ place: TopicPartition) throws -> Topic {
    guard let topic = try storedTopic(transaction, place.topic) else {
      throw Topic.missing(place.topic, in: url)
    }
    guard 0..<topic.partitions ~= place.partition else { throw topic.missing(place.partition) }
    return topic
  }

  public func offsets(of topicPartition: TopicPartition) throws(LogError) -> Range<Offset> {
    try logErrors {
      let transaction = try ReadTransaction(environment)
      let topic = try resolve(transaction.operations, topicPartition)
      let state = try state(transaction.operations, topic, topicPartition.partition)
      return state.start..<state.end
    }
  }

  /// One transaction for all.
  public func offsets(
    of topicPartitions: [TopicPartition]
  ) throws(LogError) -> [TopicPartition: Range<Offset>] {
    try logErrors {
      let transaction = try ReadTransaction(environment)
      var topics: [String: Topic] = [:]
      var offsets: [TopicPartition: Range<Offset>] = [:]
      for place in topicPartitions {
        let topic = try topics[place.topic] ?? resolve(transaction.operations, place)
        topics[place.topic] = topic
        guard 0..<topic.partitions ~= place.partition else { throw topic.missing(place.partition) }
        let state = try state(transaction.operations, topic, place.partition)
        offsets[place] = state.start..<state.end
      }
      return offsets
    }
  }

  public func topics(
    named names: some Collection<String>
  ) throws(LogError) -> [String: TopicDescription] {
    try logErrors {
      let transaction = try ReadTransaction(environment)
      var found: [String: TopicDescription] = [:]
      for name in names {
        found[name] = try storedTopic(transaction.operations, name)?.description
      }
      return found
    }
  }

  /// The offset of the first record at or after `time`, exactly, whatever order times are in; the
  /// end where there is none.
  public func offset(
    of topicPartition: TopicPartition, at time: Timestamp
  ) throws(LogError) -> Offset? {
    try logErrors {
      let transaction = try ReadTransaction(environment)
      let topic = try resolve(transaction.operations, topicPartition)
      return try offset(
        transaction.operations, topic, topicPartition.partition, at: time.milliseconds)
    }
  }

  private func offset(
    _ transaction: Transaction, _ topic: Topic, _ partition: Int, at time: Int64
  ) throws -> Offset {
    let state = try state(transaction, topic, partition)
    // The highest time so far never falls from block to block, so bisecting finds the first block
    // that reaches `time`; only where a removed record did, later blocks must be looked at too.
    var low = state.start
    var high = state.end
    while low < high {
      let middle = low + (high - low) / 2
      let (first, end, reaches) = try withBlock(transaction, topic, partition, at: middle) {
        header, _ in (header.first, header.end, header.newestSoFar >= time)
      }
      if reaches { high = first } else { low = end }
    }
    while low < state.end {
      let (found, end) = try withBlock(transaction, topic, partition, at: low) { header, block in
        (header.newest >= time ? header.offset(block, at: time) : nil, header.end)
      }
      if let found { return found }
      low = end
    }
    return state.end
  }

  /// Lends the block that holds `offset`, which lies within the partition.
  func withBlock<Result>(
    _ transaction: Transaction, _ topic: Topic, _ partition: Int, at offset: Offset,
    _ body: (BlockHeader, RawSpan) throws -> Result
  ) throws -> Result {
    let place = "\(topic.name)-\(partition)"
    let prefix = PartitionState.key(topic.number, partition)
    var cursor = try transaction.cursor(tables.blocks)
    guard try cursor.seek(before: Block.key(topic.number, partition, offset + 1).raw) else {
      throw Block.corrupt(place, offset)
    }
    return try cursor.withEntry { key, block in
      guard let first = Block.offset(inKey: key, of: prefix) else {
        throw Block.corrupt(place, offset)
      }
      let header = try BlockHeader(block, at: first, place)
      guard header.end > offset else { throw Block.corrupt(place, header.end) }
      return try body(header, block)
    }
  }

  // MARK: Readers, appenders, capabilities

  public func makeReader(_ options: ReaderOptions) throws(LogError) -> any RecordReader {
    EmbeddedReader(self, options)
  }

  public func makeAppender() throws(LogError) -> any RecordAppender { EmbeddedAppender(self) }

  public var administration: (any TopicAdministration)? { self }
  public var groupOffsets: (any GroupOffsets)? { self }
  public var idempotentAppends: (any IdempotentAppends)? { self }
  public var expectedSequenceAppends: (any ExpectedSequenceAppends)? { self }
  public var transactions: (any TransactionalAppends)? { self }

  /// Nothing runs behind this log: its files are closed with the last of its readers and appenders.
  public func close() {}
}
