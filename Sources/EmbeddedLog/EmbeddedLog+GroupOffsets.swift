import StateStore
public import StreamCore

extension EmbeddedLog: GroupOffsets {
  public func committed(
    group: String, _ partitions: [TopicPartition]
  ) throws(LogError) -> [TopicPartition: Offset] {
    try logErrors {
      let name = try Self.nameKey(group, "a group's name")
      let transaction = try ReadTransaction(environment)
      var offsets: [TopicPartition: Offset] = [:]
      for place in partitions {
        guard let key = try key(transaction.operations, place, name) else { continue }
        let stored = try transaction.operations.value(tables.groups, key.raw)
        guard let stored else { continue }
        var reader = try ByteReader(sealed: stored, "the offset of '\(group)' in \(place)")
        offsets[place] = try reader.number()
      }
      return offsets
    }
  }

  public func commit(
    group: String, _ positions: [TopicPartition: Offset]
  ) throws(LogError) {
    let name = try Self.nameKey(group, "a group's name")
    guard !positions.isEmpty else { return }
    try perform { [self] transaction in
      for place in positions.keys { _ = try resolve(transaction, place) }
    } write: { [self] transaction in
      for (place, offset) in positions {
        guard let key = try key(transaction, place, name) else { continue }
        var writer = ByteWriter()
        writer.number(offset)
        try transaction.put(tables.groups, key.raw, writer.sealed().raw)
      }
    }
  }

  public func delete(group: String, _ partitions: [TopicPartition]) throws(LogError) {
    let name = try Self.nameKey(group, "a group's name")
    guard !partitions.isEmpty else { return }
    try perform { _ in
    } write: { [self] transaction in
      for place in partitions {
        guard let key = try key(transaction, place, name) else { continue }
        try transaction.delete(tables.groups, key.raw)
      }
    }
  }

  /// - Returns: `nil` where there is no such topic.
  private func key(
    _ transaction: Transaction, _ place: TopicPartition, _ group: [UInt8]
  ) throws -> [UInt8]? {
    guard let topic = try storedTopic(transaction, place.topic),
      0..<topic.partitions ~= place.partition
    else { return nil }
    var writer = ByteWriter()
    writer.key(topic.number)
    writer.key(UInt32(place.partition))
    writer.raw(group)
    return writer.bytes
  }
}
