import StreamCore

/// A dead letter as a record of the dead-letter topic: key, value and headers as they came, and
/// headers that say where from and why.
enum DeadLetterRecord {
  static func make(_ kept: KeptRecord) -> ProducerRecord {
    var headers = kept.record.headers
    func add(_ name: String, _ text: String) { headers.append(Header(name, text)) }
    if case .failed(let reason, let message, _) = kept.why {
      add("deadLetterReason", reason)
      add("deadLetterMessage", message)
    }
    add("deadLetterOperator", kept.operatorName)
    add("deadLetterTopic", kept.record.topicPartition.topic)
    add("deadLetterPartition", String(kept.record.topicPartition.partition))
    add("deadLetterOffset", String(kept.record.offset))
    if !headers.contains(where: { $0.name == "eventId" }) { add("eventId", kept.eventID) }
    return ProducerRecord(
      key: kept.record.key, value: kept.record.value, headers: headers,
      timestamp: kept.record.timestamp)
  }
}
