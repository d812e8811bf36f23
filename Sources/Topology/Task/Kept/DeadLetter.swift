import StateStore
import StreamCore

/// A record kept aside: one that failed, or one that waits.
///
/// It keeps the original bytes and says where they came from and why it is here.
package struct KeptRecord: Hashable, Sendable {
  package enum Why: Hashable, Sendable {
    /// Failed for good; `parks` lets later records of its key wait behind it.
    case failed(reason: String, message: String, parks: Bool)
    /// Waits until the operator has a row of its key.
    case missingRow
    /// Waits behind a failed record of its key.
    case parked
  }

  package var record: ConsumerRecord
  package var why: Why
  /// The operator it failed in or waits for; empty for the source.
  package var operatorName: String
  /// The event's id by the rules of its source; text for people.
  package var eventID: String
  /// 64 bits of the value's hash: the same bytes again are a duplicate.
  package var valueHash: UInt64
  /// Tries so far, the first included.
  package var attempts: Int
  /// The key that it holds up or waits with: the record's, or its aggregate where the source takes
  /// that for a missing key.
  package var key: [UInt8]

  /// Version 1: numbers as eight little-endian bytes, texts and bytes behind their length.
  package func encoded() -> [UInt8] {
    var writer = EntryWriter()
    writer.append(1)
    switch why {
    case .failed(let reason, let message, let parks):
      writer.append(parks ? 1 : 0)
      writer.append(reason)
      writer.append(message)
    case .missingRow: writer.append(2)
    case .parked: writer.append(3)
    }
    writer.append(operatorName)
    writer.append(eventID)
    writer.append(Int64(bitPattern: valueHash))
    writer.append(Int64(attempts))
    writer.append(key)
    writer.append(record)
    return writer.bytes
  }

  /// - Throws: ``StreamCore/SerdeError`` for bytes that are no kept record.
  package init(_ bytes: [UInt8]) throws {
    var reader = EntryReader(bytes)
    guard try reader.number() == 1 else { throw SerdeError("a kept record of another version") }
    switch try reader.number() {
    case let kind where kind == 0 || kind == 1:
      why = .failed(reason: try reader.text(), message: try reader.text(), parks: kind == 1)
    case 2: why = .missingRow
    default: why = .parked
    }
    operatorName = try reader.text()
    eventID = try reader.text()
    valueHash = UInt64(bitPattern: try reader.number())
    attempts = Int(try reader.number())
    key = try reader.part() ?? []
    record = try reader.record()
  }

  package init(
    record: ConsumerRecord, why: Why, operatorName: String, eventID: String, valueHash: UInt64,
    attempts: Int, key: [UInt8]
  ) {
    self.record = record
    self.why = why
    self.operatorName = operatorName
    self.eventID = eventID
    self.valueHash = valueHash
    self.attempts = attempts
    self.key = key
  }

  /// The reason of a timer that failed to fire.
  static let firingReason = "firing"
  var isFiring: Bool {
    if case .failed(Self.firingReason, _, _) = why { true } else { false }
  }

  /// Whether later records of its key wait behind it.
  var parks: Bool { if case .failed(_, _, true) = why { true } else { false } }

  /// The group under which it waits: an operator and a key, or a parked key.
  static func group(key: [UInt8], waitingFor operatorName: String?) -> [UInt8] {
    Array((operatorName ?? "").utf8) + [0] + key
  }
}
