import StateStore
public import StreamCore

extension EmbeddedLog {
  /// Appends records to one topic.
  func append(
    _ records: [ProducerRecord], to name: String, keyless: Int = 0,
    condition: ((Transaction) throws -> Void)? = nil,
    consequence: ((Transaction, EncodedAppend) throws -> Void)? = nil
  ) throws -> [AppendResult] {
    try perform(records.count, keyless, condition, consequence) { append, topic in
      let topic = try topic(name)
      for record in records {
        try append.add(record, to: topic)
        try append.checkSize(records)
      }
    }
  }

  /// Appends records to several topics, all or nothing.
  func append(
    _ records: [(topic: String, record: ProducerRecord)], keyless: Int,
    condition: @escaping (Transaction) throws -> Void
  ) throws -> [AppendResult] {
    try perform(records.count, keyless, condition, nil) { append, topic in
      var last: Topic?
      for (name, record) in records {
        let topic = try last?.name == name ? last ?? topic(name) : topic(name)
        try append.add(record, to: topic)
        try append.checkSize(records.lazy.map { $0.record })
        last = topic
      }
    }
  }

  /// Lays out and appends records, once more if a topic was made anew meanwhile.
  private func perform(
    _ count: Int, _ keyless: Int, _ condition: ((Transaction) throws -> Void)?,
    _ consequence: ((Transaction, EncodedAppend) throws -> Void)?,
    _ fill: (inout EncodedAppend, (String) throws -> Topic) throws -> Void
  ) throws -> [AppendResult] {
    var isRepeated = false
    while true {
      var append = EncodedAppend(records: count, keyless: keyless, now: clock.now())
      try fill(&append) { name in try knownTopic(name, anew: isRepeated) }
      append.finish()
      let request = AppendRequest(
        self, append, condition: condition, consequence: consequence)
      do {
        try commits.perform(request)
        return request.append.results
      } catch  where request.isOutdated && !isRepeated {
        isRepeated = true
      }
    }
  }

  /// The key of what is kept by a name that callers choose.
  static func nameKey(_ name: String, _ what: String) throws(LogError) -> [UInt8] {
    let key = Array(name.utf8)
    guard 1...255 ~= key.count else {
      throw LogError(.invalid, "\(what) has 1 to 255 bytes, not \(key.count)")
    }
    return key
  }
}

extension EmbeddedLog: IdempotentAppends {
  public func append(
    _ records: [ProducerRecord], to topic: String, producer: String, sequence: Int64
  ) throws(LogError) -> [AppendResult] {
    try logErrors {
      let key = try Self.nameKey(producer, "a producer's name")
      let last = LastBatch()
      do {
        return try append(
          records, to: topic,
          condition: { [tables] transaction in
            let stored = try transaction.value(tables.producers, key.raw)
            try last.check(stored, producer, sequence)
          },
          consequence: { [tables] transaction, append in
            let bytes = LastBatch.bytes(sequence, append.results)
            try transaction.put(tables.producers, key.raw, bytes.raw)
          })
      } catch let error as LogError {
        if let results = last.results { return results }
        // A repeat must be answered even where the topic has been deleted since.
        guard error.code == .topicMissing else { throw error }
        let transaction = try ReadTransaction(environment)
        let stored = try transaction.operations.value(tables.producers, key.raw)
        do throws(LogError) { try last.check(stored, producer, sequence) } catch {
          if let results = last.results { return results }
        }
        throw error
      }
    }
  }
}

/// What a producer's last batch was, and where it went.
private final class LastBatch {
  /// Set where the batch in question is the last one again.
  private(set) var results: [AppendResult]?

  /// - Throws: ``LogError`` if the batch is not the next one; ``results`` tells a repeat.
  func check(_ stored: [UInt8]?, _ producer: String, _ sequence: Int64) throws(LogError) {
    results = nil
    var last: Int64 = -1
    if let stored {
      var reader = try ByteReader(sealed: stored, "the entry of the producer '\(producer)'")
      last = try reader.number()
      if last == sequence { results = try Self.results(&reader) }
    }
    let next = last + 1
    guard sequence >= next else {
      throw LogError(
        .fenced,
        "the producer '\(producer)' has come to sequence \(last), beyond \(sequence): another one "
          + "uses its name")
    }
    guard sequence == next else {
      throw LogError(
        .sequenceConflict,
        "the next sequence of the producer '\(producer)' is \(next), not \(sequence)")
    }
  }

  /// Results as runs of one partition with rising offsets.
  static func bytes(_ sequence: Int64, _ results: [AppendResult]) -> [UInt8] {
    var writer = ByteWriter()
    writer.number(sequence)
    var index = 0
    while index < results.count {
      let first = results[index]
      var count = 1
      while index + count < results.count,
        results[index + count].topicPartition == first.topicPartition,
        results[index + count].offset == first.offset + Offset(count)
      { count += 1 }
      writer.number(UInt32(count))
      writer.text(first.topicPartition.topic)
      writer.number(UInt32(first.topicPartition.partition))
      writer.number(first.offset)
      index += count
    }
    writer.number(UInt32(0))
    return writer.sealed()
  }

  private static func results(_ reader: inout ByteReader) throws(LogError) -> [AppendResult] {
    var results: [AppendResult] = []
    while true {
      let count = try reader.number(UInt32.self)
      guard count > 0 else { return results }
      let topic = try reader.text()
      let place = TopicPartition(topic, Int(try reader.number(UInt32.self)))
      let first = try reader.number(Int64.self)
      for number in 0..<Offset(count) {
        results.append(AppendResult(topicPartition: place, offset: first + number))
      }
    }
  }
}

extension EmbeddedLog: ExpectedSequenceAppends {
  public func append(
    _ records: [ProducerRecord], to topic: String, expectedSequence: Int64
  ) throws(LogError) -> [AppendResult] {
    guard let first = records.first else { return [] }
    guard let key = first.key, records.allSatisfy({ $0.key == key }) else {
      throw LogError(
        .invalid, "records appended on condition have a key, all the same; append them by key")
    }
    return try logErrors {
      try append(
        records, to: topic,
        condition: { [self] transaction in
          let current = try sequence(transaction, key, topic)
          guard current == expectedSequence else {
            throw LogError(
              .sequenceConflict,
              "the key's sequence in '\(topic)' is \(current), not \(expectedSequence); "
                + "read its records again")
          }
        },
        consequence: { [tables] transaction, append in
          guard let number = append.runs.first?.topic.number else { return }
          var writer = ByteWriter()
          writer.number(expectedSequence + Int64(records.count))
          try transaction.put(
            tables.sequences, Self.sequenceKey(number, key).raw,
            writer.sealed().raw)
        })
    }
  }

  public func sequence(ofKey key: [UInt8], in topic: String) throws(LogError) -> Int64 {
    try logErrors {
      let transaction = try ReadTransaction(environment)
      return try sequence(transaction.operations, key, topic)
    }
  }

  private func sequence(
    _ transaction: Transaction, _ key: [UInt8], _ topic: String
  ) throws -> Int64 {
    guard let topic = try storedTopic(transaction, topic) else {
      throw Topic.missing(topic, in: url)
    }
    let stored = try transaction.value(
      tables.sequences, Self.sequenceKey(topic.number, key).raw)
    guard let stored else { return 0 }
    var reader = try ByteReader(sealed: stored, "a key's sequence in '\(topic.name)'")
    return try reader.number()
  }

  /// A key's own bytes where LMDB takes them, else its 128-bit hash.
  private static func sequenceKey(_ topic: UInt32, _ key: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    writer.key(topic)
    if key.count <= 255 {
      writer.key(UInt8(0))
      writer.raw(key)
    } else {
      let hash = Hash128(key.raw)
      writer.key(UInt8(1))
      writer.key(hash.high)
      writer.key(hash.low)
    }
    return writer.bytes
  }
}

extension EmbeddedLog: TransactionalAppends {
  public func makeProducer(
    transactionalID: String
  ) throws(LogError) -> any TransactionalProducer {
    let key = try Self.nameKey(transactionalID, "a transactional id")
    let taken = Taken()
    try perform { _ in
    } write: { [self] transaction in
      taken.epoch = try epoch(transaction, key, transactionalID) + 1
      var writer = ByteWriter()
      writer.number(taken.epoch)
      try transaction.put(tables.transactions, key.raw, writer.sealed().raw)
    }
    return EmbeddedProducer(self, transactionalID, key, taken.epoch)
  }

  private final class Taken { var epoch: Int64 = 0 }

  fileprivate func epoch(
    _ transaction: Transaction, _ key: [UInt8], _ transactionalID: String
  ) throws -> Int64 {
    guard let stored = try transaction.value(tables.transactions, key.raw) else { return 0 }
    var reader = try ByteReader(
      sealed: stored, "the entry of the transactional id '\(transactionalID)'")
    return try reader.number()
  }
}

/// One holder of a transactional id.
final class EmbeddedProducer: TransactionalProducer {
  private let log: EmbeddedLog
  private let transactionalID: String
  private let key: [UInt8]
  private let epoch: Int64

  init(_ log: EmbeddedLog, _ transactionalID: String, _ key: [UInt8], _ epoch: Int64) {
    self.log = log
    self.transactionalID = transactionalID
    self.key = key
    self.epoch = epoch
  }

  func commit(
    _ records: [(topic: String, record: ProducerRecord)]
  ) throws(LogError) -> [AppendResult] {
    try logErrors {
      try log.append(
        records, keyless: Int(epoch),
        condition: { [self] transaction in
          let current = try log.epoch(transaction, key, transactionalID)
          guard current == epoch else {
            throw LogError(
              .fenced,
              "'\(transactionalID)' was taken over by a newer holder (epoch \(current), ours is "
                + "\(epoch)); stop this one")
          }
        })
    }
  }

  func close() {}
}
