import StreamCore

/// The writing side of a simulated log, all capabilities in one.
final class SimulatedAppender: RecordAppender, TopicAdministration, GroupOffsets,
  IdempotentAppends, ExpectedSequenceAppends, TransactionalAppends
{
  private let log: SimulatedLog

  init(_ log: SimulatedLog) { self.log = log }

  func append(_ records: [ProducerRecord], to topic: String) throws(LogError) -> [AppendResult] {
    defer { log.changes.signal() }
    return try log.call(.append) { state throws(LogError) in
      try state.append(records.map { (topic, $0) })
    }
  }

  func close() {}

  func createTopic(
    _ name: String, partitions: Int, retention: TopicRetention
  ) throws(LogError) {
    let allowed = name.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "-"):
        true
      default: false
      }
    }
    guard allowed, !["", ".", ".."].contains(name), name.utf8.count <= 249 else {
      throw LogError(.invalid, "'\(name)' is no topic name: letters, digits, '.', '_', '-'")
    }
    guard partitions > 0 else {
      throw LogError(.invalid, "a topic has at least one partition, not \(partitions)")
    }
    try log.call(.topics) { state throws(LogError) in
      guard state.topics[name] == nil else {
        throw LogError(.topicExists, "the topic '\(name)' exists already")
      }
      state.topics[name] = SimulatedLog.Topic(
        retention: retention,
        partitions: Array(repeating: SimulatedPartition(), count: partitions))
    }
  }

  func deleteTopic(_ name: String) throws(LogError) {
    try log.call(.topics) { state throws(LogError) in
      guard state.topics.removeValue(forKey: name) != nil else {
        throw LogError(.topicMissing, "there is no topic '\(name)'")
      }
      state.sequences[name] = nil
      for group in state.groups.keys {
        state.groups[group] = state.groups[group]?.filter { $0.key.topic != name }
      }
    }
    log.changes.signal()
  }

  func committed(
    group: String, _ partitions: [TopicPartition]
  ) throws(LogError) -> [TopicPartition: Offset] {
    try log.call(.groupOffsets) { state throws(LogError) in
      state.groups[group, default: [:]].filter { partitions.contains($0.key) }
    }
  }

  func commit(group: String, _ positions: [TopicPartition: Offset]) throws(LogError) {
    try log.call(.groupOffsets) { state throws(LogError) in
      for place in positions.keys { _ = try state.partition(place) }
      state.groups[group, default: [:]].merge(positions) { _, new in new }
    }
  }

  func delete(group: String, _ partitions: [TopicPartition]) throws(LogError) {
    try log.call(.groupOffsets) { state throws(LogError) in
      for place in partitions { state.groups[group]?[place] = nil }
    }
  }

  func append(
    _ records: [ProducerRecord], to topic: String, producer: String, sequence: Int64
  ) throws(LogError) -> [AppendResult] {
    defer { log.changes.signal() }
    return try log.call(.append) { state throws(LogError) in
      let last = state.producers[producer]
      if let last, last.sequence == sequence { return last.results }
      let next = (last?.sequence ?? -1) + 1
      guard sequence >= next else {
        throw LogError(.fenced, "'\(producer)' is at sequence \(next - 1), not \(sequence)")
      }
      guard sequence == next else {
        throw LogError(
          .sequenceConflict, "the next sequence of '\(producer)' is \(next), not \(sequence)")
      }
      let results = try state.append(records.map { (topic, $0) })
      state.producers[producer] = (sequence, results)
      return results
    }
  }

  func append(
    _ records: [ProducerRecord], to topic: String, expectedSequence: Int64
  ) throws(LogError) -> [AppendResult] {
    defer { log.changes.signal() }
    return try log.call(.append) { state throws(LogError) in
      guard let first = records.first else { return [] }
      guard let key = first.key, records.allSatisfy({ $0.key == key }) else {
        throw LogError(.invalid, "records appended with a sequence have one key, the same")
      }
      let current = state.sequences[topic]?[key] ?? 0
      guard current == expectedSequence else {
        throw LogError(
          .sequenceConflict, "the key's sequence is \(current), not \(expectedSequence)")
      }
      let results = try state.append(records.map { (topic, $0) })
      state.sequences[topic, default: [:]][key] = current + Int64(records.count)
      return results
    }
  }

  func sequence(ofKey key: [UInt8], in topic: String) throws(LogError) -> Int64 {
    try log.call(.offsets) { state throws(LogError) in
      _ = try state.partition(TopicPartition(topic, 0))
      return state.sequences[topic]?[key] ?? 0
    }
  }

  func makeProducer(transactionalID: String) throws(LogError) -> any TransactionalProducer {
    let epoch = try log.call(.transaction) { state throws(LogError) in
      let epoch = state.epochs[transactionalID, default: 0] + 1
      state.epochs[transactionalID] = epoch
      return epoch
    }
    return SimulatedProducer(log, transactionalID, epoch)
  }
}

/// One holder of a transactional id.
final class SimulatedProducer: TransactionalProducer {
  private let log: SimulatedLog
  private let transactionalID: String
  private let epoch: Int

  init(_ log: SimulatedLog, _ transactionalID: String, _ epoch: Int) {
    self.log = log
    self.transactionalID = transactionalID
    self.epoch = epoch
  }

  func commit(
    _ records: [(topic: String, record: ProducerRecord)]
  ) throws(LogError) -> [AppendResult] {
    defer { log.changes.signal() }
    return try log.call(.transaction) { state throws(LogError) in
      guard state.epochs[transactionalID] == epoch else {
        throw LogError(.fenced, "a newer holder of '\(transactionalID)' has taken over")
      }
      return try state.append(records)
    }
  }

  func close() {}
}
