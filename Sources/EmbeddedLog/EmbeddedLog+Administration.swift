import StateStore
public import StreamCore

extension EmbeddedLog: TopicAdministration {
  /// Blocks, and other entries, that one commit removes.
  private static let removedAtOnce = 2_000

  /// - Throws: ``LogError`` with `.topicExists`, or `.invalid` for names other than Kafka's and for
  ///   less than 1 or more than 10,000 partitions.
  public func createTopic(
    _ name: String, partitions: Int, retention: TopicRetention
  ) throws(LogError) {
    try Topic.check(name: name)
    guard 1...Topic.partitionsMax ~= partitions else {
      throw LogError(
        .invalid, "a topic has 1 to \(Topic.partitionsMax) partitions, not \(partitions)")
    }
    guard retention.time ?? .zero >= .zero, retention.bytes ?? 0 >= 0 else {
      throw LogError(.invalid, "a retention is not negative; leave it out to keep everything")
    }
    try perform { [tables] transaction in
      let key = Array(name.utf8)
      if try transaction.value(tables.topics, key.raw) != nil {
        throw LogError(.topicExists, "the topic '\(name)' exists already")
      }
    } write: { [self] transaction in
      let topic = Topic(
        number: try nextNumber(transaction), name: name, partitions: partitions,
        retention: retention)
      try transaction.put(tables.topics, Array(name.utf8).raw, topic.bytes().raw)
      for partition in 0..<partitions {
        try PartitionState().write(transaction, tables, topic, partition)
      }
    }
  }

  /// The number of a new topic: one more than any before had.
  private func nextNumber(_ transaction: Transaction) throws -> UInt32 {
    let key = Array("topics".utf8)
    var number: UInt32 = 1
    if let bytes = try transaction.value(tables.log, key.raw) {
      var reader = try ByteReader(sealed: bytes, "the number of topics in \(directory)")
      number = try reader.number()
    }
    var writer = ByteWriter()
    writer.number(number + 1)
    try transaction.put(tables.log, key.raw, writer.sealed().raw)
    return number
  }

  /// Deletes a topic at once, its records in several commits after that; a process that is killed
  /// meanwhile leaves the rest to the next one that opens the log.
  public func deleteTopic(_ name: String) throws(LogError) {
    try logErrors {
      try perform(.everything) { [self] transaction in
        guard try storedTopic(transaction, name) != nil else {
          throw Topic.missing(name, in: url)
        }
      } write: { [self] transaction in
        guard let topic = try storedTopic(transaction, name) else { return }
        try transaction.delete(tables.topics, Array(name.utf8).raw)
        for partition in 0..<topic.partitions {
          try transaction.delete(
            tables.partitions, PartitionState.key(topic.number, partition).raw)
        }
        try transaction.put(
          tables.log, Self.doomedKey(topic.number).raw, ByteWriter().sealed().raw)
      }
      try removeDoomed()
    }
  }

  private static let doomed = Array("doomed ".utf8)

  private static func doomedKey(_ topic: UInt32) -> [UInt8] {
    var writer = ByteWriter()
    writer.raw(doomed)
    writer.key(topic)
    return writer.bytes
  }

  /// Removes what deleted topics left.
  func removeDoomed() throws {
    while let topic = try firstDoomed() {
      // Several processes may be at it: each commit takes what it still finds.
      try perform { _ in
      } write: { [self] transaction in
        var left = Self.removedAtOnce
        for table in [tables.blocks, tables.sequences, tables.groups] where left > 0 {
          try Self.remove(transaction, table, topic, &left)
        }
        guard left > 0 else { return }
        try transaction.delete(tables.log, Self.doomedKey(topic).raw)
      }
    }
  }

  private func firstDoomed() throws -> UInt32? {
    let transaction = try ReadTransaction(environment)
    var cursor = try transaction.operations.cursor(tables.log)
    guard try cursor.seek(Self.doomed.raw) else { return nil }
    let key = cursor.key
    guard key.starts(with: Self.doomed), key.count == Self.doomed.count + 4 else { return nil }
    return key.suffix(4).reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// Deletes entries whose key begins with the topic's number.
  private static func remove(
    _ transaction: Transaction, _ table: Table, _ topic: UInt32, _ left: inout Int
  ) throws {
    var prefix = ByteWriter()
    prefix.key(topic)
    var cursor = try transaction.cursor(table)
    while left > 0, try cursor.seek(prefix.bytes.raw),
      cursor.key.starts(with: prefix.bytes)
    {
      try cursor.delete()
      left -= 1
    }
  }

  /// Applies each topic's retention now, instead of with the next append.
  ///
  /// Whole blocks go, as many as lie wholly beyond a limit; the end never moves.
  public func applyRetention() throws(LogError) {
    try logErrors {
      for description in try topics() where description.retention?.removesRecords == true {
        for partition in 0..<description.partitions {
          var isMore = true
          while isMore {
            let removal = Removal(self, TopicPartition(description.name, partition))
            try commits.perform(removal)
            isMore = removal.isMore
          }
        }
      }
    }
  }

  /// The oldest blocks of one partition beyond its retention.
  private final class Removal: WriteRequest {
    private let log: EmbeddedLog
    private let place: TopicPartition
    private(set) var isMore = false
    var bytes: Int { 0 }
    // Rare, and readers that it leaves behind shall hear of it.
    var change: WakeFile.Change { .everything }

    init(_ log: EmbeddedLog, _ place: TopicPartition) {
      self.log = log
      self.place = place
    }

    func check(_ transaction: Transaction) throws {}

    func write(_ transaction: Transaction) throws {
      isMore = false
      // The topic may have been deleted since it was listed.
      guard let topic = try log.storedTopic(transaction, place.topic),
        place.partition < topic.partitions
      else { return }
      var state = try log.state(transaction, topic, place.partition)
      isMore = try Retention.apply(
        transaction, log.tables, topic, place.partition, &state, log.clock.now())
      try state.write(transaction, log.tables, topic, place.partition)
    }
  }

  /// Runs a check and a write as a request of their own.
  ///
  /// - Parameter change: what it changes for readers.
  func perform(
    _ change: WakeFile.Change = .nothing,
    check: @escaping (Transaction) throws -> Void,
    write: @escaping (Transaction) throws -> Void
  ) throws(LogError) {
    try logErrors { try commits.perform(SmallRequest(change, check, write)) }
  }

  private final class SmallRequest: WriteRequest {
    private let checking: (Transaction) throws -> Void
    private let writing: (Transaction) throws -> Void
    let bytes = 0
    let change: WakeFile.Change

    init(
      _ change: WakeFile.Change,
      _ checking: @escaping (Transaction) throws -> Void,
      _ writing: @escaping (Transaction) throws -> Void
    ) {
      self.change = change
      self.checking = checking
      self.writing = writing
    }

    func check(_ transaction: Transaction) throws { try checking(transaction) }
    func write(_ transaction: Transaction) throws { try writing(transaction) }
  }
}
