import StateStore
import StreamCore

/// A record kept aside: one that failed, or one that waits.
///
/// It keeps the original bytes and says where they came from and why it is here.
package struct KeptRecord: Hashable, Sendable {
  package enum Why: Hashable, Sendable {
    /// Failed for good; `parks` bars its key: later records of it join a line.
    case failed(reason: String, message: String, parks: Bool)
    /// Waits until each operator that asked for it has a row of its key.
    case missingRow
    /// Waits until the numbers before its own have come.
    case missingNumber
    /// Stands in the line of a barred key.
    case parked
  }

  package var record: ConsumerRecord
  package var why: Why
  /// The operator it failed in, or those whose rows it waits for, separated by commas; empty for
  /// the source.
  package var operatorName: String
  /// The event's id by the rules of its source; text for people.
  package var eventID: String
  /// 64 bits of the value's hash: the same bytes again are a duplicate.
  package var valueHash: UInt64
  /// Tries so far, the first included.
  package var attempts: Int
  /// The key whose order it belongs to: the record's, or its aggregate where the source takes that
  /// for a missing key.
  package var key: [UInt8]
  /// Whether its id is one that others may bear again; not a position.
  package var hasDurableID: Bool
  /// The event's, where its envelope could be read and has one.
  package var sequenceNumber: Int64?
  /// The number of the unit that took it: the order in which the task's records arrived.
  package var arrival: Int64 = 0
  /// Whether its number has come: it is not checked again.
  package var numberHasCome = false
  /// When the log took it, by which its event time is judged again whenever it runs.
  package var logTime: Timestamp?
  /// Whether it runs under its position as id, for somebody decided so of another content under a
  /// known id.
  package var runsByPosition = false

  /// Version 3: numbers as eight little-endian bytes, texts and bytes behind their length.
  package func encoded() -> [UInt8] {
    var writer = EntryWriter()
    writer.append(3)
    switch why {
    case .failed(let reason, let message, let parks):
      writer.append(parks ? 1 : 0)
      writer.append(reason)
      writer.append(message)
    case .missingRow: writer.append(2)
    case .parked: writer.append(3)
    case .missingNumber: writer.append(4)
    }
    writer.append(operatorName)
    writer.append(eventID)
    writer.append(Int64(bitPattern: valueHash))
    writer.append(Int64(attempts))
    writer.append(key)
    writer.append(hasDurableID ? 1 : 0)
    writer.append(sequenceNumber == nil ? 0 : 1)
    writer.append(sequenceNumber ?? 0)
    writer.append(arrival)
    writer.append(numberHasCome ? 1 : 0)
    writer.append(logTime == nil ? 0 : 1)
    writer.append(logTime?.milliseconds ?? 0)
    writer.append(runsByPosition ? 1 : 0)
    writer.append(record)
    return writer.bytes
  }

  /// - Throws: ``StreamCore/SerdeError`` for bytes that are no kept record.
  package init(_ bytes: [UInt8]) throws {
    var reader = EntryReader(bytes)
    guard try reader.number() == 3 else { throw SerdeError("a kept record of another version") }
    switch try reader.number() {
    case let kind where kind == 0 || kind == 1:
      why = .failed(reason: try reader.text(), message: try reader.text(), parks: kind == 1)
    case 2: why = .missingRow
    case 3: why = .parked
    case 4: why = .missingNumber
    default: throw SerdeError("a kept record of a kind that this version does not know")
    }
    operatorName = try reader.text()
    eventID = try reader.text()
    valueHash = UInt64(bitPattern: try reader.number())
    attempts = Int(try reader.number())
    key = try reader.part() ?? []
    hasDurableID = try reader.number() == 1
    let hasNumber = try reader.number() == 1
    let number = try reader.number()
    sequenceNumber = hasNumber ? number : nil
    arrival = try reader.number()
    numberHasCome = try reader.number() == 1
    let hasLogTime = try reader.number() == 1
    let logTime = try reader.number()
    self.logTime = hasLogTime ? Timestamp(milliseconds: logTime) : nil
    runsByPosition = try reader.number() == 1
    record = try reader.record()
  }

  package init(
    record: ConsumerRecord, why: Why, operatorName: String, eventID: String, valueHash: UInt64,
    attempts: Int, key: [UInt8], hasDurableID: Bool, sequenceNumber: Int64? = nil
  ) {
    self.record = record
    self.why = why
    self.operatorName = operatorName
    self.eventID = eventID
    self.valueHash = valueHash
    self.attempts = attempts
    self.key = key
    self.hasDurableID = hasDurableID
    self.sequenceNumber = sequenceNumber
  }

  /// The reason of a timer that failed to fire, unless its handler trapped.
  static let firingReason = "firing"
  /// Where no record of the log lies.
  static let firingOffset: Offset = -1
  var isFiring: Bool { record.offset == Self.firingOffset }

  /// Whether it waits for its number or stands in a line, as whose head it may be.
  var withholdsNumber: Bool { parks || why == .parked || why == .missingNumber }

  /// Why it died; `nil` for one that waits, and for a firing.
  var reason: ProcessingFailure.Reason? {
    if case .failed(let reason, _, _) = why, !isFiring {
      ProcessingFailure.Reason(rawValue: reason)
    } else {
      nil
    }
  }

  /// Whether it bars its key.
  var parks: Bool { if case .failed(_, _, true) = why { true } else { false } }

  var order: KeptKey { KeptKey(topic: record.topicPartition.topic, key: key) }
}

/// Whose order a kept record belongs to: a key of a source topic.
struct KeptKey: Hashable {
  let topic: String
  let key: [UInt8]

  /// Its entries of one kind lie in one group.
  func group(_ kind: Kind) -> [UInt8] { [kind.rawValue] + Array(topic.utf8) + [0] + key }

  enum Kind: UInt8 {
    /// Dead letters that bar nothing.
    case dead = 0x64
    /// The dead letter that bars the key.
    case bar = 0x62
    case line = 0x6c
    /// It waits for rows.
    case waiting = 0x77
    /// It waits for its number.
    case numbered = 0x6e
    /// Sequence numbers that came and that no row has passed.
    case numbers = 0x73
  }
}

/// A kept record and where it lies.
struct KeptEntry {
  let store: EntryStore
  let number: Int64
  let id: Hash128
  /// In its group.
  let place: EntryPlace
  let record: KeptRecord
}
