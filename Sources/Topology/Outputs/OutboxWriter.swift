import StateStore
import StreamCore

/// Puts what leaves a task into its outbox, inside the unit.
final class OutboxWriter {
  private let outbox: Outbox
  private let context: RecordContext
  private let topology: String
  /// Kafka's default of `max.message.bytes`, less what a record's frame takes.
  private let recordBytesMax: Int
  private var destinations: [String: Int] = [:]

  init(
    outbox: Outbox, context: RecordContext, topology: String, topics: [String],
    recordBytesMax: Int = 1_000_000
  ) throws(StoreError) {
    self.outbox = outbox
    self.context = context
    self.topology = topology
    self.recordBytesMax = recordBytesMax
    for topic in topics { destinations[topic] = outbox.destination(topic) }
  }

  /// Appends a record for `topic` under a deterministic event id.
  ///
  /// The id derives from topology, operator, the input's id and the emission's ordinal in its unit, so that a
  /// re-emission is recognised downstream.
  ///
  /// - Throws: ``ProcessingFailure`` of the stage `produce` for a record the topic would refuse.
  func emit(
    _ topic: String, key: [UInt8]?, value: [UInt8]?, eventType: String?, schemaVersion: Int,
    from operatorName: String
  ) throws {
    let size = (key?.count ?? 0) + (value?.count ?? 0)
    if size > recordBytesMax {
      throw ProcessingFailure(
        .produce, .produce,
        "a record of \(size) bytes for topic '\(topic)'; at most \(recordBytesMax) are sent",
        operatorName: operatorName)
    }
    let id = Hash128.derived(
      from: context.idHash, "\(topology)/\(operatorName)/\(context.emitted)")
    context.emitted += 1
    var headers = [
      Header("eventId", id.hexadecimal),
      Header("schemaVersion", String(schemaVersion)),
    ]
    let type = eventType ?? context.eventType
    if !type.isEmpty { headers.append(Header("eventType", type)) }
    if let correlation = context.correlationID {
      headers.append(Header("correlationId", correlation))
    }
    let time = context.timestamp.milliseconds == .min ? nil : context.timestamp
    append(
      topic, ProducerRecord(key: key, value: value, headers: headers, timestamp: time))
    context.outcome.applied = true
  }

  func append(_ topic: String, _ record: ProducerRecord) {
    guard let destination = destinations[topic] else {
      preconditionFailure("topic '\(topic)' is no output of this topology")
    }
    let bytes = OutboxRecord(record).encoded()
    _ = outbox.append(destination, bytes.span.bytes)
  }
}

/// A record in the outbox.
struct OutboxRecord {
  let record: ProducerRecord

  init(_ record: ProducerRecord) { self.record = record }

  init(_ bytes: [UInt8]) throws {
    var reader = EntryReader(bytes)
    guard try reader.number() == 1 else { throw SerdeError("an outbox entry of another version") }
    let hasTime = try reader.number() == 1
    let milliseconds = try reader.number()
    record = ProducerRecord(
      key: try reader.part(), value: try reader.part(),
      headers: EncodedHeaders.decode((try reader.part() ?? [])[...]),
      timestamp: hasTime ? Timestamp(milliseconds: milliseconds) : nil)
  }

  func encoded() -> [UInt8] {
    var writer = EntryWriter()
    writer.append(1)
    writer.append(record.timestamp == nil ? 0 : 1)
    writer.append(record.timestamp?.milliseconds ?? 0)
    writer.append(record.key)
    writer.append(record.value)
    writer.append(EncodedHeaders.encode(record.headers))
    return writer.bytes
  }
}
