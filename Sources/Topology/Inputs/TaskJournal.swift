import StateStore
import StreamCore

/// Inputs of a task besides its records, written with what they decided.
///
/// A replay of the same lineage takes each decision from here instead of deciding again, and writes
/// it again, so that what it makes has a journal too. Places are named by the offset behind the last
/// record taken of each input.
final class TaskJournal {
  enum Entry: Hashable {
    /// From these positions on, the inputs of the set were passed at their ends.
    case absent(UInt64, positions: [Offset])
    /// A record was tried so often, and then succeeded or not.
    case retried(TopicPartition, Offset, attempts: Int, succeeded: Bool)
    /// A kept record was processed again, at these positions.
    case deadLetterRetried(number: Int64, positions: [Offset])
  }

  private let journal: Journal?
  /// Decisions that happened at positions, in order.
  private var decisions: [Entry] = []
  private var next = 0
  private var retries: [RecordPlace: Int] = [:]

  private struct RecordPlace: Hashable {
    let topicPartition: TopicPartition
    let offset: Offset
  }

  /// Follows recorded decisions only.
  let isReplaying: Bool

  /// - Parameters:
  ///   - journal: where decisions are written.
  ///   - replay: decisions to follow instead of deciding; `nil` decides.
  init(_ journal: Journal?, replay: [Entry]?) {
    self.journal = journal
    isReplaying = replay != nil
    for entry in replay ?? [] {
      if case .retried(let topicPartition, let offset, let attempts, _) = entry {
        retries[RecordPlace(topicPartition: topicPartition, offset: offset)] = attempts
      } else {
        decisions.append(entry)
      }
    }
  }

  func record(_ entry: Entry) {
    guard let journal else { return }
    let bytes = Self.encode(entry)
    _ = journal.append(bytes.span.bytes)
  }

  /// The recorded set of passed inputs that begins at the inputs' positions.
  func replayedAbsence(at inputs: [TaskInput]) -> UInt64? {
    guard next < decisions.count, case .absent(let set, let positions) = decisions[next],
      positions == inputs.map(\.recordPosition)
    else { return nil }
    next += 1
    return set
  }

  /// The kept record that was processed again at the inputs' positions.
  func replayedDeadLetter(at inputs: [TaskInput]) -> Int64? {
    guard next < decisions.count,
      case .deadLetterRetried(let number, let positions) = decisions[next],
      positions == inputs.map(\.recordPosition)
    else { return nil }
    next += 1
    return number
  }

  /// How often a record was tried; `nil` where nothing is recorded of it.
  func replayedAttempts(_ topicPartition: TopicPartition, _ offset: Offset) -> Int? {
    guard isReplaying else { return nil }
    return retries[RecordPlace(topicPartition: topicPartition, offset: offset)]
  }

  static func encode(_ entry: Entry) -> [UInt8] {
    var writer = EntryWriter()
    switch entry {
    case .absent(let set, let positions):
      writer.append(1)
      writer.append(Int64(bitPattern: set))
      writer.append(Int64(positions.count))
      for position in positions { writer.append(position) }
    case .retried(let topicPartition, let offset, let attempts, let succeeded):
      writer.append(2)
      writer.append(topicPartition.topic)
      writer.append(Int64(topicPartition.partition))
      writer.append(offset)
      writer.append(Int64(attempts))
      writer.append(succeeded ? 1 : 0)
    case .deadLetterRetried(let number, let positions):
      writer.append(3)
      writer.append(number)
      writer.append(Int64(positions.count))
      for position in positions { writer.append(position) }
    }
    return writer.bytes
  }

  /// - Throws: ``StreamCore/SerdeError`` for bytes that are no entry.
  static func decode(_ bytes: [UInt8]) throws -> Entry {
    var reader = EntryReader(bytes)
    switch try reader.number() {
    case 1:
      let set = UInt64(bitPattern: try reader.number())
      return .absent(set, positions: try positions(&reader))
    case 2:
      return .retried(
        TopicPartition(try reader.text(), Int(try reader.number())), try reader.number(),
        attempts: Int(try reader.number()), succeeded: try reader.number() == 1)
    case 3:
      let number = try reader.number()
      return .deadLetterRetried(number: number, positions: try positions(&reader))
    default: throw SerdeError("a journal entry of a kind this version does not know")
    }
  }

  private static func positions(_ reader: inout EntryReader) throws -> [Offset] {
    var positions: [Offset] = []
    for _ in 0..<(try reader.number()) { positions.append(try reader.number()) }
    return positions
  }
}
