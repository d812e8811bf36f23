import StreamCore

/// A dead letter as a record of the dead-letter topic: key, value and headers as they came, and
/// headers that say where from and why.
///
/// One that does not fit goes without its value, and where that is not enough without the headers
/// and the key it came with; headers say so. Its store keeps it whole.
enum DeadLetterRecord {
  /// A longer message is cut off, a longer id left out.
  private static let messageBytesMax = 8 << 10

  /// - Parameter bytesMax: the largest record the topic takes.
  static func make(_ kept: KeptRecord, bytesMax: Int) -> ProducerRecord {
    var record = ProducerRecord(
      key: kept.record.key, value: kept.record.value,
      headers: kept.record.headers + headers(of: kept), timestamp: kept.record.timestamp)
    if record.byteCount > bytesMax, let value = record.value {
      record.value = nil
      record.headers.append(Header("deadLetterValueOmitted", String(value.count)))
    }
    if record.byteCount > bytesMax, !kept.record.headers.isEmpty {
      record.headers = headers(of: kept, alone: true)
      if record.value == nil, let value = kept.record.value {
        record.headers.append(Header("deadLetterValueOmitted", String(value.count)))
      }
      record.headers.append(
        Header("deadLetterHeadersOmitted", String(kept.record.headers.count)))
    }
    if record.byteCount > bytesMax, let key = record.key {
      record.key = nil
      record.headers.append(Header("deadLetterKeyOmitted", String(key.count)))
    }
    return record
  }

  /// - Parameter alone: those the record came with are left out.
  private static func headers(of kept: KeptRecord, alone: Bool = false) -> [Header] {
    var headers: [Header] = []
    func add(_ name: String, _ text: String) { headers.append(Header(name, text)) }
    if case .failed(let reason, let message, _) = kept.why {
      add("deadLetterReason", reason)
      let isLong = message.utf8.count > messageBytesMax
      add(
        "deadLetterMessage",
        isLong ? String(decoding: message.utf8.prefix(messageBytesMax), as: UTF8.self) : message)
    }
    add("deadLetterOperator", kept.operatorName)
    add("deadLetterTopic", kept.record.topicPartition.topic)
    add("deadLetterPartition", String(kept.record.topicPartition.partition))
    add("deadLetterOffset", String(kept.record.offset))
    let isThere = !alone && kept.record.headers.contains { $0.name == "eventId" }
    if !isThere, kept.eventID.utf8.count <= messageBytesMax { add("eventId", kept.eventID) }
    return headers
  }
}
