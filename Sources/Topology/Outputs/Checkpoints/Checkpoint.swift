import StateStore
package import StreamCore

/// How far a task's outputs were sent, as a record of its partition of its journal topic.
///
/// Each start of a task with outputs writes one before anything else, and each transaction that
/// carries outputs another.
package struct Checkpoint: Hashable, Sendable {
  package struct Start: Hashable, Sendable {
    /// Where the state itself stood.
    package var state: Standing
    /// Where it was begun.
    package var begun: [TopicPartition: Offset]
  }

  /// Rises where a state is not the one that wrote the checkpoint before.
  package var generation: Int64
  /// A hash of the sub-topology's operators: outputs are numbered alike only by the same ones.
  package var lineage: Hash128
  /// What a start says beside the rest; `nil` in the checkpoint of a transaction.
  package var start: Start?
  /// The offset of the start it follows; -1 in a start.
  package var startOffset: Offset
  /// The last number sent, by destination: those included that today's topology lacks.
  package var sent: [String: Int64]
  /// The interval that it ends in.
  package var reached: OutputInterval
  /// Whether that was sent whole.
  package var isWhole: Bool
  /// The last interval that was sent whole.
  package var whole: OutputInterval
}

/// Entries of a task's journal, published with the outputs that came of them.
package struct PublishedJournal: Hashable, Sendable {
  package var generation: Int64
  package var entries: [Journal.Entry]
}

/// What a record of a journal topic says.
package enum JournalTopicRecord: Hashable, Sendable {
  case checkpoint(Checkpoint)
  case journal(PublishedJournal)
}

extension JournalTopicRecord {
  /// Begins each of our records; what begins otherwise is somebody else's.
  private static let magic: Int64 = 0x5052_4A43_4845_434B
  private static let version: Int64 = 1

  /// Behind magic, version and a hash: the contents.
  func encoded() -> [UInt8] {
    var contents = EntryWriter()
    switch self {
    case .checkpoint(let checkpoint):
      contents.append(0)
      contents.append(checkpoint)
    case .journal(let journal):
      contents.append(1)
      contents.append(journal.generation)
      contents.append(Int64(journal.entries.count))
      for entry in journal.entries {
        contents.append(entry.number)
        contents.append(entry.bytes)
      }
    }
    var writer = EntryWriter()
    writer.append(Self.magic)
    writer.append(Self.version)
    writer.append(Int64(bitPattern: hash64(contents.bytes.span.bytes)))
    return writer.bytes + contents.bytes
  }

  /// - Returns: `nil` for bytes that are no record of ours.
  /// - Throws: ``StateStore/StoreError`` with `.newer` for one of a later version.
  init?(_ bytes: [UInt8]) throws {
    var head = EntryReader(bytes)
    guard bytes.count >= 24, try head.number() == Self.magic else { return nil }
    let version = try head.number()
    guard version == Self.version else {
      throw StoreError(
        .newer,
        "a checkpoint has version \(version), this program reads \(Self.version); use the version "
          + "that wrote it", store: "journal topic")
    }
    let contents = Array(bytes[24...])
    guard try UInt64(bitPattern: head.number()) == hash64(contents.span.bytes) else { return nil }
    var reader = EntryReader(contents)
    do {
      switch try reader.number() {
      case 0: self = .checkpoint(try reader.checkpoint())
      case 1:
        let generation = try reader.number()
        var entries: [Journal.Entry] = []
        for _ in 0..<(try reader.count()) {
          entries.append(
            Journal.Entry(number: try reader.number(), bytes: try reader.part() ?? []))
        }
        self = .journal(PublishedJournal(generation: generation, entries: entries))
      default: return nil
      }
    } catch is SerdeError {
      // The hash can be had by whoever wants to; what it covers is then theirs too.
      return nil
    }
  }
}

extension EntryWriter {
  mutating func append(_ offsets: [TopicPartition: Offset]) {
    append(Int64(offsets.count))
    for (input, offset) in offsets.sorted(by: { $0.key < $1.key }) {
      append(input.topic)
      append(Int64(input.partition))
      append(offset)
    }
  }

  mutating func append(_ numbers: [String: Int64]) {
    append(Int64(numbers.count))
    for (name, number) in numbers.sorted(by: { $0.key < $1.key }) {
      append(name)
      append(number)
    }
  }

  mutating func append(_ standing: Standing) {
    append(standing.units)
    append(standing.positions)
    append(standing.numbers)
  }

  mutating func append(_ interval: OutputInterval) {
    append(interval.end)
    append(interval.isDue ? 1 : 0)
    append(interval.journalLast)
  }

  fileprivate mutating func append(_ checkpoint: Checkpoint) {
    append(checkpoint.generation)
    append(Int64(bitPattern: checkpoint.lineage.high))
    append(Int64(bitPattern: checkpoint.lineage.low))
    append(checkpoint.startOffset)
    append(checkpoint.sent)
    append(checkpoint.reached)
    append(checkpoint.isWhole ? 1 : 0)
    append(checkpoint.whole)
    guard let start = checkpoint.start else { return append(0) }
    append(1)
    append(start.state)
    append(start.begun)
  }
}

extension EntryReader {
  mutating func count() throws -> Int {
    let count = try number()
    guard (0...Int64(bytesLeft)).contains(count) else { throw SerdeError("a count is impossible") }
    return Int(count)
  }

  mutating func offsets() throws -> [TopicPartition: Offset] {
    var offsets: [TopicPartition: Offset] = [:]
    for _ in 0..<(try count()) {
      let topic = try text()
      guard let partition = Int32(exactly: try number()), partition >= 0 else {
        throw SerdeError("a partition is impossible")
      }
      offsets[TopicPartition(topic, Int(partition))] = try number()
    }
    return offsets
  }

  mutating func numbers() throws -> [String: Int64] {
    var numbers: [String: Int64] = [:]
    for _ in 0..<(try count()) {
      let name = try text()
      numbers[name] = try number()
    }
    return numbers
  }

  mutating func standing() throws -> Standing {
    Standing(units: try number(), positions: try offsets(), numbers: try numbers())
  }

  mutating func interval() throws -> OutputInterval {
    OutputInterval(
      end: try standing(), isDue: try number() == 1, journalLast: try number())
  }

  fileprivate mutating func checkpoint() throws -> Checkpoint {
    var checkpoint = Checkpoint(
      generation: try number(),
      lineage: Hash128(
        high: UInt64(bitPattern: try number()), low: UInt64(bitPattern: try number())),
      start: nil, startOffset: try number(), sent: try numbers(), reached: try interval(),
      isWhole: try number() == 1, whole: try interval())
    if try number() == 1 {
      checkpoint.start = Checkpoint.Start(state: try standing(), begun: try offsets())
    }
    // What counts, counts from here: no number that was read may overflow.
    let counts =
      [checkpoint.reached.end.units, checkpoint.reached.journalLast]
      + checkpoint.sent.values + checkpoint.whole.end.positions.values
    guard (1...1 << 60).contains(checkpoint.generation),
      counts.allSatisfy({ (0...1 << 60).contains($0) })
    else { throw SerdeError("a number of a checkpoint is impossible") }
    return checkpoint
  }
}
