import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// The journal's entries, and that a replay follows each of them.
@Suite("Journal")
struct JournalTests {
  private static let record = UnitName.record(TopicPartition("orders", 3), 1 << 40)
  private static let contents: [JournalEntry.Content] = [
    .departure(input: InputID(name: "orders-3"), position: 77, since: 9),
    .absent(input: InputID(name: "orders-3"), since: 0),
    .idleAdvance(to: Timestamp(milliseconds: -5)), .clockAtCut(.latest), .endOfTime,
    .wallClockFiring(operatorName: "every-minute", time: .earliest),
    .decision(Decision(.retry, record)),
    .decision(Decision(.outboxSkip, .derived(Hash128(high: .max, low: 1)))),
    .died(
      record,
      Death(reason: "process", message: "zerstört", operatorName: "o", attempts: 3, parks: true)),
    .trapped(.derived(Hash128(high: 1, low: .max))),
    .retried(record, attempts: 2, succeeded: true),
  ]

  @Test("an entry is read as it was written", arguments: contents)
  func coding(content: JournalEntry.Content) throws {
    for unit in [9, 1 << 50] as [Int64] {
      let entry = JournalEntry(unit, content)
      #expect(try JournalEntry(entry.encoded()) == entry)
    }
  }

  /// A journal topic may hold anything: "a record in that topic that is none of ours is named".
  @Test("bytes that are no entry are an error, never a trap", arguments: UInt64(0)..<8)
  func damaged(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    for content in Self.contents {
      let bytes = JournalEntry(12, content).encoded()
      for count in 0..<bytes.count {
        #expect(throws: SerdeError.self) { try JournalEntry(Array(bytes.prefix(count))) }
      }
      #expect(throws: SerdeError.self) { try JournalEntry(bytes + [0]) }
      #expect(throws: SerdeError.self) { try JournalEntry([0xA0] + bytes.dropFirst()) }
      // What is changed is read as something else or refused.
      for _ in 0..<200 {
        var other = bytes
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          let index = Int.random(in: 1..<other.count, using: &random)
          other[index] =
            [0x00, 0x7f, 0x80, 0xff, UInt8(truncatingIfNeeded: random.next())]
            .randomElement(using: &random) ?? 0
        }
        do { _ = try JournalEntry(other) } catch {}
        do { _ = try OperatorDecisions([0xB1] + other) } catch {}
      }
    }
    // Counts and lengths beyond what is there.
    for huge in [[UInt8](repeating: 0xff, count: 9) + [1], [0xff, 0xff, 0xff, 0xff, 0x0f]] {
      #expect(throws: SerdeError.self) { try JournalEntry([0xA1, 8, 2, 1] + huge) }
      #expect(throws: SerdeError.self) { try JournalEntry([0xA1, 5, 2] + huge) }
    }
  }

  private static func replay(
    _ entries: [JournalEntry], from unit: Int64 = 0, to limit: Int64 = 10
  ) throws -> TaskJournal {
    TaskJournal(
      at: unit,
      replay: try JournalReplay(
        ListedJournal(entries.map { $0.encoded() }), from: unit, to: limit, inputs: ["a", "b"])
    ) { _ in }
  }

  @Test("an entry that its unit does not follow stops the replay")
  func unfollowed() throws {
    let died = JournalEntry.Content.died(
      Self.record, Death(reason: "process", message: "", attempts: 1, parks: false))
    let journal = try Self.replay([JournalEntry(1, died)])
    try journal.endUnit()
    #expect(try journal.replayed() == [died])
    #expect(throws: TaskError.self) { try journal.endUnit() }
    try journal.follow(died)
    try journal.endUnit()
    #expect(journal.unit == 2)
  }

  @Test("a unit that says more than its journal stops the replay")
  func unsaid() throws {
    let journal = try Self.replay([JournalEntry(1, .endOfTime)])
    #expect(throws: TaskError.self) { try journal.follow(.endOfTime) }
  }

  @Test("what is left at the end, or lies beyond it, or out of order, stops the replay")
  func left() throws {
    let journal = try Self.replay([JournalEntry(9, .endOfTime)])
    for _ in 0..<9 { try journal.endUnit() }
    let early = #expect(throws: TaskError.self) { try journal.finishReplay() }
    #expect(early?.code == .diverged)
    try journal.follow(.endOfTime)
    try journal.endUnit()
    try journal.finishReplay()
    #expect(journal.replay == nil)
    #expect(throws: TaskError.self) { try Self.replay([JournalEntry(10, .endOfTime)]) }
    #expect(throws: TaskError.self) {
      try Self.replay([JournalEntry(5, .endOfTime), JournalEntry(4, .endOfTime)])
    }
    #expect(throws: TaskError.self) {
      try Self.replay([JournalEntry(5, .absent(input: InputID(name: "c"), since: 1))])
    }
  }

  /// A decision without its record (FINDINGS S1.8): what is noted is written with its unit alone.
  @Test("what was noted of a unit that is left untaken is not written")
  func dropped() throws {
    var written: [[UInt8]] = []
    let journal = TaskJournal(at: 4, replay: nil) { written.append($0) }
    journal.note(.endOfTime)
    journal.dropUnit()
    #expect(journal.unit == 4)
    journal.note(.trapped(Self.record))
    try journal.endUnit()
    #expect(try written.map(JournalEntry.init) == [JournalEntry(4, .trapped(Self.record))])
  }

  @Test("an abort goes back to what was followed at the last commit")
  func aborted() throws {
    let entries = (0..<8).map { JournalEntry(Int64($0), .decision(Decision(.skip, Self.record))) }
    let journal = try Self.replay(entries, to: 8)
    func follow() throws {
      for content in try journal.replayed() { try journal.follow(content) }
      try journal.endUnit()
    }
    for _ in 0..<3 { try follow() }
    journal.commit()
    for _ in 0..<2 { try follow() }
    journal.restore(at: 3)
    for _ in 0..<5 { try follow() }
    try journal.finishReplay()
  }

  @Test("another lineage inherits what operators decided last, and nothing else")
  func inherited() throws {
    let units = (0..<3).map { UnitName.record(TopicPartition("orders", 0), Int64($0)) }
    let sent = UnitName.derived(Hash128(high: 1, low: 2))
    let entries = [
      JournalEntry(1, .decision(Decision(.retry, units[0]))), JournalEntry(2, .endOfTime),
      JournalEntry(3, .decision(Decision(.release, units[1]))),
      JournalEntry(4, .decision(Decision(.outboxSkip, sent))),
      JournalEntry(5, .decision(Decision(.skip, units[0]))),
    ]
    var decisions = OperatorDecisions()
    try decisions.add(ListedJournal(entries.map { $0.encoded() }))
    #expect(decisions.list == [Decision(.release, units[1]), Decision(.skip, units[0])])
    let read = try OperatorDecisions(decisions.encoded())
    #expect(read.list == decisions.list)
    #expect(read.decision(about: units[0]) == .skip)
    #expect(read.decision(about: units[2]) == nil)
    #expect(read.isRefused(sent))
    #expect(!read.isRefused(units[0]))
  }
}
