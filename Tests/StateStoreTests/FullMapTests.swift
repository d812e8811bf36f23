import StateStore
import StreamCore
import Testing

/// A map that is full in the middle of a flush is doubled and the flush repeated: what is stored is
/// what a map with room would hold, to the byte.
@Suite struct FullMapTests {
  private let tiny = TemporaryDirectory()
  private let large = TemporaryDirectory()

  private static let tables =
    [
      "meta", "catalog", "words", "directory", "rows orders", "index orders byCustomer",
      "count orders byCustomer", "index orders byTotal", "count orders byTotal", "rows windows",
      "index windows byCustomer", "count windows byCustomer", "rows audit", "tree audit",
    ] + ["outbox", "journal", "timers", "held", "held.groups", "held.ids", "deadLetters"]
    + ["deadLetters.groups", "deadLetters.ids"]
    + ["ids.active", "ids.hashes", "ids.places", "ids.orders", "ids.segments", "ids.scopes"]

  private struct Entry: Equatable {
    let table: String
    let key: [UInt8]
    let value: [UInt8]
  }

  /// Everything that is committed.
  private static func contents(_ fixture: StoreFixture) throws -> [Entry] {
    let environment = fixture.state.environment
    let tables = try Self.tables.map { try #require(try environment.existingTable($0), "\($0)") }
    let read = try ReadTransaction(environment)
    var entries: [Entry] = []
    for table in tables {
      var cursor = try read.operations.cursor(table)
      var found = try cursor.first()
      while found {
        entries.append(Entry(table: table.name, key: cursor.key, value: cursor.value))
        found = try cursor.next()
      }
    }
    return entries
  }

  /// What an interval changes, in every store; the same for the same seed.
  private struct Changes {
    let seed: UInt64
    let units: Int
    /// Spills after so many units; `nil` never does.
    let spillEvery: Int?

    func make(_ fixture: StoreFixture) throws {
      var generator = SeededGenerator(seed)
      for number in 0..<units {
        for _ in 0..<Int.random(in: 1...4, using: &generator) { try change(fixture, &generator) }
        if Int.random(in: 0..<8, using: &generator) == 0 {
          fixture.state.rollbackUnit()
        } else {
          fixture.state.commitUnit()
        }
        if let spillEvery, number % spillEvery == spillEvery - 1 { try fixture.state.spill() }
      }
    }

    private func change(_ fixture: StoreFixture, _ generator: inout SeededGenerator) throws {
      let state = fixture.state
      let key = "k\(Int.random(in: 0..<700, using: &generator))"
      let row = Row(
        customer: "customer \(Int.random(in: 0..<40, using: &generator))",
        total: Int.random(in: 0..<1_000, using: &generator))
      let value = [UInt8](repeating: 7, count: Int.random(in: 0..<900, using: &generator))
      let hash = Hash128("\(generator.next())".bytes.span.bytes)
      switch Int.random(in: 0..<12, using: &generator) {
      case 0...2: try fixture.numbered.put(key, row)
      case 3: _ = try fixture.numbered.delete(key)
      case 4: try fixture.clustered.put(KeyPair(key, row.total % 3), row)
      case 5: _ = try fixture.clustered.delete(KeyPair(key, row.total % 3))
      case 6:
        try fixture.audit.append(key: key, sequence: Int64(row.total), value: value.span.bytes)
      case 7:
        if try fixture.ids.look(hash, valueHash: 1, at: nil) == .unseen {
          try fixture.ids.insert(
            hash, offset: Int64(row.total), valueHash: 1,
            streamTime: Timestamp(milliseconds: 1))
        }
      case 8:
        let last = state.outbox.append(fixture.destination, value.span.bytes)
        if last % 9 == 0 { try state.outbox.trim(fixture.destination, upTo: last / 2) }
        state.words[fixture.counter] += 1
      case 9:
        let last = state.journal.append(value.span.bytes)
        if last % 9 == 0 { try state.journal.trim(before: last / 2) }
      case 10:
        try state.timers.set(
          Timer(time: Timestamp(milliseconds: Int64(row.total)), operator: "o", key: key.encoded))
      default:
        let entries = row.total % 2 == 0 ? state.held : state.deadLetters
        let last = entries.insert(group: key.encoded, idHash: hash, value.span.bytes)
        if last % 3 == 0 { _ = try entries.delete(last / 2) }
      }
    }
  }

  /// Commits an interval, repeating one that is lost.
  ///
  /// - Returns: how often it was lost, and whether the map grew in its commit.
  private static func commit(_ changes: Changes, _ fixture: StoreFixture) throws -> (Int, Bool) {
    var lost = 0
    while true {
      try fixture.state.begin()
      let size = fixture.state.environment.mapSize
      do {
        try changes.make(fixture)
        try fixture.state.commit()
        return (lost, fixture.state.environment.mapSize > size)
      } catch let error as StoreError where error.code == .intervalLost {
        fixture.state.abort()
        lost += 1
      }
    }
  }

  private func compare(_ intervals: [Changes]) throws -> (lost: Int, grown: Int) {
    let comparison = try StoreFixture(large.path)
    var fixture: StoreFixture? = try StoreFixture(tiny.path, mapSize: 1 << 19)
    var (lost, grown) = (0, 0)
    for (number, changes) in intervals.enumerated() {
      #expect(try Self.commit(changes, comparison) == (0, false))
      if number % 3 == 2 {
        fixture = nil
        fixture = try StoreFixture(tiny.path, mapSize: 1 << 19)
      }
      let current = try #require(fixture)
      let outcome = try Self.commit(changes, current)
      lost += outcome.0
      grown += outcome.1 ? 1 : 0
      let (found, wanted) = (try Self.contents(current), try Self.contents(comparison))
      // One difference says enough.
      let different = zip(found, wanted).first { $0 != $1 }
      #expect(different == nil, "interval \(number), seed \(changes.seed)")
      #expect(found.count == wanted.count, "interval \(number), seed \(changes.seed)")
      #expect(current.numbered.count == comparison.numbered.count)
      #expect(current.ids.count == comparison.ids.count)
    }
    return (lost, grown)
  }

  @Test("a flush that is repeated changes nothing", arguments: UInt64(0)..<5)
  func repeatedFlush(seed: UInt64) throws {
    var generator = SeededGenerator(seed)
    let intervals = (0..<6).map { number in
      Changes(
        seed: seed &* 100 &+ UInt64(number), units: Int.random(in: 50..<1_500, using: &generator),
        spillEvery: nil)
    }
    let (lost, grown) = try compare(intervals)
    #expect(lost == 0 && grown > 0, "seed \(seed)")
  }

  @Test(
    "an interval that is lost after a spill is repeated, and changes nothing",
    arguments: UInt64(0)..<5)
  func lostInterval(seed: UInt64) throws {
    var generator = SeededGenerator(seed)
    let intervals = (0..<6).map { number in
      Changes(
        seed: seed &* 100 &+ UInt64(number), units: Int.random(in: 600..<1_500, using: &generator),
        spillEvery: Int.random(in: 40..<300, using: &generator))
    }
    #expect(try compare(intervals).lost > 0, "seed \(seed)")
  }

  @Test("ids are sealed once, however often the flush that seals them is repeated")
  func sealedIDs() throws {
    let comparison = try StoreFixture(large.path)
    let fixture = try StoreFixture(tiny.path, mapSize: 1 << 20)
    // A segment holds 262,144 ids: the second interval seals one.
    for interval in 0..<3 {
      for current in [comparison, fixture] {
        try current.state.begin()
        let size = current.state.environment.mapSize
        for number in 0..<140_000 {
          try current.ids.insert(
            Hash128("\(interval) \(number)".bytes.span.bytes), offset: Int64(number), valueHash: 1,
            streamTime: Timestamp(milliseconds: Int64(number)))
          current.state.commitUnit()
        }
        try current.state.commit()
        let isRepeated = current.state.environment.mapSize > size
        #expect(isRepeated == (current.state === fixture.state) || interval != 1)
      }
      #expect(try Self.contents(fixture) == Self.contents(comparison))
    }
    #expect(fixture.ids.count == 420_000)
    try fixture.state.begin()
    for number in stride(from: 0, to: 140_000, by: 997) {
      for interval in 0..<3 {
        let hash = Hash128("\(interval) \(number)".bytes.span.bytes)
        #expect(
          try fixture.ids.look(hash, valueHash: 1, at: nil)
            == .duplicate(SeenID(offset: Int64(number), valueHash: 1)))
      }
    }
    fixture.state.abort()
  }
}
