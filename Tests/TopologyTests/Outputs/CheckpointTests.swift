import StateStore
import StreamCore
import Testing
import TopologyTesting

@testable import Topology

/// Checkpoints as bytes and as records: what is ours comes back, what is not never traps.
@Suite("Checkpoints")
struct CheckpointTests {
  private static let interval = OutputInterval(
    end: Standing(
      units: 17, positions: [TopicPartition("in", 0): 40, TopicPartition("other", 2): 0],
      numbers: ["out": 9, "dead": 0]), isDue: true, journalLast: 3)

  private static func checkpoint(_ start: Bool = false, generation: Int64 = 2) -> Checkpoint {
    Checkpoint(
      generation: generation, lineage: Hash128(high: 1, low: 2),
      start: start
        ? Checkpoint.Start(state: interval.end, begun: [TopicPartition("in", 0): 5]) : nil,
      startOffset: start ? -1 : 12, sent: ["out": 7, "gone": 3], reached: interval,
      isWhole: false, whole: OutputInterval())
  }

  private static let records: [JournalTopicRecord] = [
    .checkpoint(checkpoint()), .checkpoint(checkpoint(true)),
    .journal(
      PublishedJournal(
        generation: 4,
        entries: [Journal.Entry(number: 1, bytes: []), Journal.Entry(number: 5, bytes: [1, 2])])),
  ]

  @Test("a record comes back as it went", arguments: records)
  func roundTrip(record: JournalTopicRecord) throws {
    #expect(try JournalTopicRecord(record.encoded()) == record)
  }

  @Test("damaged bytes are no record of ours", arguments: records)
  func damaged(record: JournalTopicRecord) throws {
    let bytes = record.encoded()
    for length in 0..<bytes.count {
      #expect(try JournalTopicRecord(Array(bytes.prefix(length))) == nil)
    }
    for position in bytes.indices where !(8..<16).contains(position) {
      var changed = bytes
      changed[position] ^= 0x40
      #expect(try JournalTopicRecord(changed) == nil)
    }
    // One of a later version is none to be passed over.
    var later = bytes
    later[8] = 2
    #expect(throws: StoreError.self) { try JournalTopicRecord(later) }
  }

  /// Whoever writes the hash, too, writes what he wants.
  @Test("crafted numbers are no checkpoint", arguments: [0, -1, Int64.max, Int64.min])
  func crafted(generation: Int64) throws {
    let crafted = JournalTopicRecord.checkpoint(Self.checkpoint(generation: generation))
    #expect(try JournalTopicRecord(crafted.encoded()) == nil)
  }

  @Test("the last checkpoint is found however far back it lies", arguments: [0, 1, 15, 16, 300])
  func last(hidden: Int) throws {
    let log = SimulatedLog(seed: UInt64(hidden))
    try log.administration?.createTopic("t-journal-in", partitions: 1, retention: TopicRetention())
    let place = TopicPartition("t-journal-in", 0)
    let journal = CheckpointLog(log: log, partition: place, report: { _ in })
    #expect(try journal.last()?.offset == nil)
    let appender = try log.makeAppender()
    for generation in 1...3 {
      let record = journal.producerRecord(
        .checkpoint(Self.checkpoint(generation: Int64(generation))))
      _ = try appender.append([record.record], to: record.topic)
    }
    log.insertHidden(place, count: hidden)
    #expect(try journal.last()?.offset == 2)
    #expect(try journal.last()?.checkpoint.generation == 3)
    var seen: [Offset] = []
    try journal.scan(from: 1) { offset, _ in seen.append(offset) }
    #expect(seen == [1, 2])
  }

  @Test("an id of an entry is what it prints", arguments: ["orders-3-17/out", "a-b-0-1/d.e_f-1"])
  func entryIDs(text: String) {
    #expect(OutboxEntryID(parsing: text)?.description == text)
  }

  @Test(
    "other texts name no entry",
    arguments: ["", "orders-3-17", "orders-3-17/", "orders-3-0/out", "orders-17/out", "o-3-x/out"])
  func noEntryIDs(text: String) {
    #expect(OutboxEntryID(parsing: text) == nil)
  }
}
