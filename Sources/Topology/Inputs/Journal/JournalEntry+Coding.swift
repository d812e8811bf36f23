package import StreamCore
import StateStore

extension JournalEntry {
  /// The first byte of each entry: another one is of another version, or no entry of ours.
  private static let version: UInt8 = 0xA1

  private enum Kind: UInt8 {
    case departure = 1, idleAdvance, clockAtCut, endOfTime, wallClockFiring, decision
    case died, trapped, retried, absent
  }

  /// Its bytes, in the state's journal and in a published one.
  package func encoded() -> [UInt8] {
    var writer = VarintWriter()
    writer.append(byte: Self.version)
    func begin(_ kind: Kind) {
      writer.append(byte: kind.rawValue)
      writer.append(unit)
    }
    switch content {
    case .departure(let input, let position, let since):
      begin(.departure)
      writer.append(fixed: input.hash)
      writer.append(position)
      writer.append(unit &- since)
    case .absent(let input, let since):
      begin(.absent)
      writer.append(fixed: input.hash)
      writer.append(unit &- since)
    case .idleAdvance(let time):
      begin(.idleAdvance)
      writer.append(time.milliseconds)
    case .clockAtCut(let time):
      begin(.clockAtCut)
      writer.append(time.milliseconds)
    case .endOfTime: begin(.endOfTime)
    case .wallClockFiring(let operatorName, let time):
      begin(.wallClockFiring)
      writer.append(operatorName)
      writer.append(time.milliseconds)
    case .decision(let decision, let entry):
      begin(.decision)
      writer.append(byte: decision.kind.rawValue)
      writer.append(entry)
      writer.append(decision.unit)
    case .died(let name, let death):
      begin(.died)
      writer.append(name)
      writer.append(death.reason)
      writer.append(death.message)
      writer.append(death.operatorName)
      writer.append(Int64(death.attempts))
      writer.append(byte: (death.parks ? 1 : 0) | (death.wasSkipped ? 2 : 0))
    case .trapped(let name):
      begin(.trapped)
      writer.append(name)
    case .retried(let name, let attempts, let succeeded):
      begin(.retried)
      writer.append(name)
      writer.append(Int64(attempts))
      writer.append(byte: succeeded ? 1 : 0)
    }
    return writer.bytes
  }

  /// - Throws: ``StreamCore/SerdeError`` for bytes that are no entry of this version.
  package init(_ bytes: [UInt8]) throws(SerdeError) {
    do throws(SerdeError) {
      var reader = VarintReader(bytes)
      guard try reader.byte() == Self.version else {
        throw SerdeError("it is of another version, or none of ours")
      }
      let kind = Kind(rawValue: try reader.byte())
      let unit = try reader.number()
      guard let kind, unit >= 0 else { throw SerdeError("its kind or unit is unknown") }
      self.init(unit, try Self.content(kind, unit, &reader))
      guard reader.isAtEnd else { throw SerdeError("it is too long") }
    } catch {
      throw SerdeError("a journal entry cannot be read: \(error.description)")
    }
  }

  private static func content(
    _ kind: Kind, _ unit: Int64, _ reader: inout VarintReader
  ) throws(SerdeError) -> Content {
    switch kind {
    case .departure:
      let (input, position) = (InputID(hash: try reader.fixed()), try reader.number())
      return .departure(input: input, position: position, since: try reader.unit(before: unit))
    case .absent:
      let input = InputID(hash: try reader.fixed())
      return .absent(input: input, since: try reader.unit(before: unit))
    case .idleAdvance: return .idleAdvance(to: try reader.time())
    case .clockAtCut: return .clockAtCut(try reader.time())
    case .endOfTime: return .endOfTime
    case .wallClockFiring:
      return .wallClockFiring(operatorName: try reader.text(), time: try reader.time())
    case .decision:
      guard let kind = Decision.Kind(rawValue: try reader.byte()) else {
        throw SerdeError("its decision is unknown")
      }
      let entry = try reader.number()
      return .decision(Decision(kind, try reader.unitName()), entry: entry)
    case .died:
      return .died(try reader.unitName(), try reader.death())
    case .trapped: return .trapped(try reader.unitName())
    case .retried:
      return .retried(
        try reader.unitName(), attempts: try reader.count(), succeeded: try reader.flag())
    }
  }
}

extension VarintWriter {
  mutating func append(_ name: UnitName) {
    switch name {
    case .record(let topicPartition, let offset):
      append(byte: 1)
      append(topicPartition.topic)
      append(Int64(topicPartition.partition))
      append(offset)
    case .derived(let hash):
      append(byte: 2)
      append(fixed: hash.high)
      append(fixed: hash.low)
    }
  }
}

extension VarintReader {
  mutating func unitName() throws(SerdeError) -> UnitName {
    switch try byte() {
    case 1:
      let (topic, partition) = (try text(), try count())
      return .record(TopicPartition(topic, partition), try number())
    case 2: return .derived(Hash128(high: try fixed(), low: try fixed()))
    default: throw SerdeError("its unit has no name of a known kind")
    }
  }

  mutating func time() throws(SerdeError) -> Timestamp { Timestamp(milliseconds: try number()) }

  mutating func count() throws(SerdeError) -> Int {
    let number = try number()
    guard number >= 0, number <= Int64(Int32.max) else { throw SerdeError("a count is impossible") }
    return Int(number)
  }

  mutating func death() throws(SerdeError) -> Death {
    let (reason, message, operatorName) = (try text(), try text(), try text())
    let (attempts, flags) = (try count(), try byte())
    guard flags <= 3 else { throw SerdeError("a death's flags are unknown") }
    return Death(
      reason: reason, message: message, operatorName: operatorName, attempts: attempts,
      parks: flags & 1 != 0, wasSkipped: flags & 2 != 0)
  }

  mutating func flag() throws(SerdeError) -> Bool {
    let byte = try byte()
    guard byte <= 1 else { throw SerdeError("a flag is neither 0 nor 1") }
    return byte == 1
  }

  /// A unit that lies a number of units before another.
  mutating func unit(before unit: Int64) throws(SerdeError) -> Int64 {
    let distance = try number()
    guard distance >= 0, distance <= unit else { throw SerdeError("it names an impossible unit") }
    return unit - distance
  }
}
