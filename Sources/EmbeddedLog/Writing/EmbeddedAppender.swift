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
      let parts = records.parts(ofBytes: Self.partBytes)
      if parts.count == 1 { return try log.append(records, to: topic, keyless: call & .max) }
      // Nothing of a call is appended that can be refused before.
      let known = try log.knownTopic(topic, anew: true)
      for record in records { try EncodedAppend.check(record, known) }
      var results: [AppendResult] = []
      results.reserveCapacity(records.count)
      for part in parts {
        results += try log.append(Array(records[part]), to: topic, keyless: call & .max)
      }
      return results
    }
  }

  /// What one commit takes of a large append; a larger record still goes alone.
  private static let partBytes = 64 << 20

  func close() {}
}
