import StreamCore
import Synchronization

/// Appends to an embedded log; any number of threads share one.
final class EmbeddedAppender: RecordAppender {
  private let log: EmbeddedLog
  private let calls = Atomic(0)

  init(_ log: EmbeddedLog) { self.log = log }

  func append(_ records: [ProducerRecord], to topic: String) throws(LogError) -> [AppendResult] {
    let call = calls.wrappingAdd(1, ordering: .relaxed).oldValue
    return try logErrors {
      guard !records.isEmpty else {
        _ = try log.knownTopic(topic)
        return []
      }
      return try log.append(records, to: topic, keyless: call & .max)
    }
  }

  func close() {}
}
