import StateStore
import StreamCore

/// Reads records with plain serdes, without an event envelope in the value.
final class RecordSource<Key, Value>: SourceOperator {
  let topic: String
  let policies: SourcePolicies
  let seenIDs: SeenIDRetention
  var idScope: String { topic }
  private let key: any Serde<Key>
  private let value: @Sendable (ArraySlice<UInt8>?) throws -> Value
  private var resolver: EnvelopeResolver
  private let next: Forward<Key, Value>

  init(
    topic: String, key: any Serde<Key>,
    value: @escaping @Sendable (ArraySlice<UInt8>?) throws -> Value, resolver: EnvelopeResolver,
    policies: SourcePolicies, seenIDs: SeenIDRetention, next: @escaping Forward<Key, Value>
  ) {
    self.topic = topic
    self.key = key
    self.value = value
    self.resolver = resolver
    self.policies = policies
    self.seenIDs = seenIDs
    self.next = next
  }

  var readsEnvelopeForTime: Bool { false }

  func eventTime(_ batch: RecordBatch, _ index: Int) -> Timestamp? {
    batch.entries[index].timestamp
  }

  func process(_ context: RecordContext, admit: () throws -> Bool) throws {
    let bytes = context.batch.bytes
    let entry = context.entry
    try resolver.resolve(context, bytes.span.bytes, slots: [], text: { _ in "" })
    guard try admit() else { return }
    guard let keyRange = entry.key else {
      throw ProcessingFailure(
        .decode, .nullKey, "the key is null",
        action: policies.nullKey == .fail ? .fail : .deadLetter)
    }
    let decoded: (Key, Value)
    do {
      decoded = (
        try key.deserialize(bytes.span.bytes.extracting(keyRange)),
        try value(entry.value.map { bytes[$0] })
      )
    } catch {
      throw ProcessingFailure(.decode, .decode, "\(error)")
    }
    try next(decoded.0, decoded.1)
  }

  func identify(_ context: RecordContext) throws { try resolver.identify(context) }
}
