import StreamCore
import Synchronization

/// Appends with acks=all and idempotence, waiting for every delivery report.
final class KafkaAppender: RecordAppender {
  private struct State {
    var producer: Producer?
    /// Partition counts of the topics appended to.
    var partitions: [String: Int] = [:]
    /// When appends give up; `nil` while nobody hurries.
    var patienceEnds: ContinuousClock.Instant?
  }
  private let log: KafkaLog
  private let state: Mutex<State>

  init(_ log: KafkaLog) throws(LogError) {
    self.log = log
    let producer = try Producer(log.settings)
    state = Mutex(State(producer: producer))
  }

  /// Where librdkafka had to repeat a request whose answer was lost, the broker may confirm a
  /// record without its offset: its result then has offset -1.
  func append(_ records: [ProducerRecord], to topic: String) throws(LogError) -> [AppendResult] {
    guard !records.isEmpty else { return [] }
    let producer = try currentProducer()
    try check(records, topic, producer)
    var results: [AppendResult] = []
    results.reserveCapacity(records.count)
    for part in records.parts(ofBytes: Self.partBytes) {
      results += try append(records[part], to: topic, producer)
    }
    return results
  }

  /// What librdkafka is given before its deliveries are awaited: it copies all of it.
  private static let partBytes = 32 << 20

  private func append(
    _ records: ArraySlice<ProducerRecord>, to topic: String, _ producer: Producer
  ) throws(LogError) -> [AppendResult] {
    let deliveries = Deliveries(count: records.count)
    var refused: LogError?
    do throws(LogError) {
      for (index, record) in records.enumerated() {
        try producer.send(record, to: topic, deliveries, index) { hasRunOutOfPatience }
      }
    } catch {
      refused = error
    }
    wait(for: deliveries, producer)
    do throws(LogError) {
      if let refused { throw refused }
      return try producer.results(deliveries, topic)
    } catch {
      if error.code == .topicMissing {
        state.withLock { $0.partitions[topic] = nil }
        throw .topicMissing(topic, at: log.url)
      }
      throw error
    }
  }

  private func wait(for deliveries: Deliveries, _ producer: Producer) {
    while !deliveries.wait(atMost: .milliseconds(100)) {
      // Each record given up gets its report.
      if hasRunOutOfPatience { producer.giveUp() }
    }
  }

  private var hasRunOutOfPatience: Bool {
    state.withLock { $0.patienceEnds }.map { .now >= $0 } ?? false
  }

  func hurry() {
    let limit = ContinuousClock.now + log.settings.requestTimeout
    state.withLock { $0.patienceEnds = $0.patienceEnds ?? limit }
  }

  /// The producer, made anew where librdkafka has given the old one up.
  private func currentProducer() throws(LogError) -> Producer {
    do {
      return try state.withLock { state in
        guard let producer = state.producer else {
          preconditionFailure("append after close")
        }
        guard producer.isFatal else { return producer }
        let fresh = try Producer(log.settings)
        // The old one ends when the last append that uses it has returned.
        state.producer = fresh
        return fresh
      }
    } catch let error as LogError {
      throw error
    } catch {
      throw LogError(.failed, "\(error)")
    }
  }

  /// Asks again where the count that is known is not beyond `highest`: topics grow.
  private func partitionCount(of topic: String, _ producer: Producer, beyond highest: Int)
    throws(LogError) -> Int
  {
    if let known = state.withLock({ $0.partitions[topic] }), known > highest { return known }
    // Asked of the producer's own client, so that it is connected and knows the leaders: left to
    // itself it looks for them once a second.
    guard let asked = try producer.client.cluster().partitions[topic] else {
      throw .topicMissing(topic, at: log.url)
    }
    state.withLock { $0.partitions[topic] = asked }
    return asked
  }

  /// Finds what can be refused before anything is sent.
  private func check(_ records: [ProducerRecord], _ topic: String, _ producer: Producer)
    throws(LogError)
  {
    let highest = records.lazy.compactMap(\.partition).max() ?? 0
    let count = try partitionCount(of: topic, producer, beyond: highest)
    for (index, record) in records.enumerated() {
      for name in record.headers.map(\.name) where name.utf8.count > 65_535 || name.utf8.contains(0)
      {
        throw LogError(
          .recordRejected,
          "record \(index + 1) of \(records.count) for '\(topic)' has a header name of "
            + "\(name.utf8.count) bytes; at most 65535 and no zero byte can be sent")
      }
      if let partition = record.partition, !(0..<count).contains(partition) {
        throw .partitionMissing(TopicPartition(topic, partition), count: count)
      }
      let size = record.sizeInKafka
      guard size <= producer.recordBytesMax else {
        throw LogError(
          .recordRejected,
          "record \(index + 1) of \(records.count) for '\(topic)' has \(size) bytes of key, value and "
            + "headers, and Kafka option 'message.max.bytes' allows \(producer.recordBytesMax)")
      }
    }
  }

  func close() {
    let producer = state.withLock { state in
      defer { state.producer = nil }
      return state.producer
    }
    producer?.close()
  }
}

extension ProducerRecord {
  /// What librdkafka counts against `message.max.bytes`: a header has two lengths of up to ten
  /// bytes each (rd_kafka_headers_serialized_size).
  fileprivate var sizeInKafka: Int {
    var size = (key?.count ?? 0) + (value?.count ?? 0)
    for header in headers { size += 20 + header.name.utf8.count + (header.value?.count ?? 0) }
    if let timestamp, HiddenTime.isNeeded(timestamp) {
      size += 20 + HiddenTime.header.utf8.count + String(timestamp.milliseconds).utf8.count
    }
    return size
  }
}
