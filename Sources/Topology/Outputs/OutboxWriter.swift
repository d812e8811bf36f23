import StateStore
import StreamCore

/// Puts what leaves a task into its outbox, inside the unit.
///
/// What the log would not take is found here, before it enters: size counts key, value, headers and
/// frame as ``StreamCore/ProducerRecord/byteCount`` does.
final class OutboxWriter {
  private let outbox: Outbox
  private let context: RecordContext
  private let topology: String
  /// The largest record that the log takes.
  private let recordBytesMax: Int
  private var destinations: [String: Int] = [:]
  /// What it keeps of what a silent task sends.
  var owed = OwedUnits()
  /// What the running unit was in the generation before.
  private var unitWas: OwedUnits.Kind?
  /// The entry being laid out; kept, so that a record makes no array.
  private var entry: [UInt8] = []

  init(
    outbox: Outbox, context: RecordContext, topology: String, topics: [String],
    recordBytesMax: Int
  ) {
    self.outbox = outbox
    self.context = context
    self.topology = topology
    self.recordBytesMax = recordBytesMax
    for topic in topics { destinations[topic] = outbox.destination(topic) }
  }

  /// Where an operator's records go, and what is the same in all of them.
  func sink(
    _ topic: String, eventType: String?, schemaVersion: Int, named operatorName: String
  ) -> OutboxSink {
    var headers: [UInt8] = []
    EncodedHeaders.append(
      name: "schemaVersion".utf8, value: String(schemaVersion).utf8, to: &headers)
    let seed = Array("\(topology)/\(operatorName)".utf8)
    return OutboxSink(
      topic: topic, destination: destination(topic), operatorName: operatorName,
      seed: Hash128(seed.span.bytes), eventType: eventType, headers: headers)
  }

  func beginUnit(_ unit: @autoclosure () -> UnitName) {
    unitWas = owed.isEmpty ? nil : owed.kind(of: unit())
  }

  private var wasKept: OwedUnits.Kind? {
    unitWas ?? owed.kind(of: context.idHash, valueHash: context.valueHash)
  }

  private func destination(_ topic: String) -> Int {
    guard let destination = destinations[topic] else {
      preconditionFailure("topic '\(topic)' is no output of this topology")
    }
    return destination
  }

  /// Appends a record under a deterministic event id.
  ///
  /// The id derives from topology, operator, the input's id and the emission's ordinal in its unit,
  /// so that a re-emission is recognised downstream.
  ///
  /// - Throws: ``ProcessingFailure`` of the stage `produce` for a record the topic would refuse.
  func emit(_ sink: OutboxSink, key: [UInt8]?, value: [UInt8]?) throws {
    entry.removeAll(keepingCapacity: true)
    OutboxRecord.begin(&entry, key: key, value: value, timestamp: context.knownTime)
    let headersStart = entry.count
    appendID(Hash128.derived(from: context.idHash, by: sink.seed, ordinal: context.emitted))
    entry.append(contentsOf: sink.headers)
    var headers = 2
    let type = sink.eventType ?? context.eventType
    if !type.isEmpty {
      EncodedHeaders.append(name: "eventType".utf8, value: type.utf8, to: &entry)
      headers += 1
    }
    if let correlation = context.correlationID {
      EncodedHeaders.append(name: "correlationId".utf8, value: correlation.utf8, to: &entry)
      headers += 1
    }
    // As `ProducerRecord.byteCount`: a header's own two lengths take six bytes here, twenty there.
    let size =
      100 + (key?.count ?? 0) + (value?.count ?? 0) + (entry.count - headersStart) + headers * 14
    guard size <= recordBytesMax else {
      throw ProcessingFailure(
        .produce, .produce,
        "a record of \(size) bytes for topic '\(sink.topic)'; the log takes at most "
          + "\(recordBytesMax)", operatorName: sink.operatorName)
    }
    context.emitted += 1
    // Another name for the same array, gone before the next entry is laid out.
    let bytes = entry
    outbox.append(sink.destination, bytes.span.bytes, isOwed: wasKept != nil)
    context.outcome.applied = true
  }

  /// The header `eventId`, as 32 hexadecimal digits.
  private func appendID(_ id: Hash128) {
    entry.append(contentsOf: Self.idHead)
    appendDigits(id.high)
    appendDigits(id.low)
  }

  /// The header up to its value: the lengths of name and value, and the name.
  private static let idHead: [UInt8] = {
    var bytes: [UInt8] = []
    EncodedHeaders.append(
      name: "eventId".utf8, value: [UInt8](repeating: 0, count: 32), to: &bytes)
    return bytes.dropLast(32)
  }()

  private func appendDigits(_ word: UInt64) {
    for shift in stride(from: 60, through: 0, by: -4) {
      let digit = UInt8(truncatingIfNeeded: word >> UInt64(shift)) & 15
      entry.append(digit < 10 ? 48 + digit : 87 + digit)
    }
  }

  /// Appends a dead letter for its topic, as much of it as fits.
  func bury(_ kept: KeptRecord, in topic: String) {
    let record = DeadLetterRecord.make(kept, bytesMax: recordBytesMax)
    entry.removeAll(keepingCapacity: true)
    OutboxRecord.begin(
      &entry, key: record.key, value: record.value, timestamp: record.timestamp)
    for header in record.headers {
      EncodedHeaders.append(name: header.name.utf8, value: header.value, to: &entry)
    }
    let destination = destination(topic)
    let bytes = entry
    // One that was dead is so again, and was published.
    outbox.append(destination, bytes.span.bytes, isOwed: wasKept == .held)
  }
}

/// Where the records of an operator go, and what is the same in all of them.
final class OutboxSink {
  let topic: String
  let destination: Int
  let operatorName: String
  /// What the ids of its records derive from, besides their inputs'.
  let seed: Hash128
  /// The header of that name; the input's where it is `nil`.
  let eventType: String?
  /// Encoded.
  let headers: [UInt8]

  init(
    topic: String, destination: Int, operatorName: String, seed: Hash128, eventType: String?,
    headers: [UInt8]
  ) {
    self.topic = topic
    self.destination = destination
    self.operatorName = operatorName
    self.seed = seed
    self.eventType = eventType
    self.headers = headers
  }
}

extension Hash128 {
  /// The id of what an operator emits: of its input's id, the operator, and the ordinal in the unit.
  static func derived(from id: Hash128, by seed: Hash128, ordinal: Int) -> Hash128 {
    let words = (id.high, id.low, seed.high, seed.low, UInt64(ordinal))
    return withUnsafeBytes(of: words) { unsafe Hash128($0.bytes) }
  }
}
