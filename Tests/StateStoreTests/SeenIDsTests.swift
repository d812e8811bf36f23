import StateStore
import StreamCore
import Testing

/// DESIGN, "Seen event ids": a retention is decided by the entry itself at the look-up.
@Suite struct SeenIDsTests {
  private let directory = TemporaryDirectory()

  private func open() throws -> TaskState {
    try TaskState.open(
      directory: directory.path, identity: identity(), options: .init(mapSize: 1 << 30))
  }

  private static func hash(_ id: Int) -> Hash128 { Hash128("id-\(id)".bytes.span.bytes) }

  /// What look-ups should say, in the plainest form: every entry there ever was.
  private struct Model {
    struct Entry {
      let id: Int
      let valueHash: UInt64
      let offset: Int64
      let time: Int64?
    }
    var entries: [Entry] = []

    func look(
      _ id: Int, _ valueHash: UInt64, at now: Int64?, _ retention: SeenIDs.Retention
    ) -> SeenAnswer {
      let firstTime = entries.lazy.compactMap(\.time).first
      let counted = entries.enumerated().filter { position, entry in
        guard entry.id == id else { return false }
        switch retention {
        case .forever: return true
        case .count(let count): return entries.count - position <= count
        case .age(let age):
          guard let now, let time = entry.time ?? firstTime else { return true }
          return Int128(now) - Int128(time) <= Int128(age)
        }
      }.map(\.element)
      func seen(_ entry: Entry) -> SeenID {
        SeenID(offset: entry.offset, valueHash: UInt32(truncatingIfNeeded: entry.valueHash))
      }
      if let same = counted.last(where: { $0.valueHash == valueHash }) {
        return .duplicate(seen(same))
      }
      return counted.last.map { .conflict(seen($0)) } ?? .unseen
    }
  }

  private static let retentions: [SeenIDs.Retention] = [
    .forever, .count(1), .count(40), .count(900), .age(milliseconds: 0),
    .age(milliseconds: 130), .age(milliseconds: 1_000),
  ]

  @Test(
    "every look-up answers as a list of all entries does, wherever commits, spills, aborts and starts fall",
    arguments: UInt64(0)..<2, retentions)
  func exact(seed: UInt64, retention: SeenIDs.Retention) throws {
    var state: TaskState? = try open()
    var schedule = Schedule(
      retention: retention, generator: SeededGenerator(seed), seed: seed,
      now: seed % 2 == 0 ? nil : -50)
    for round in 0..<20 {
      if let state { try schedule.interval(state) }
      if round % 5 == 4 {
        state = nil
        state = try open()
      }
    }
  }

  /// Intervals at random, each look-up compared.
  private struct Schedule {
    let retention: SeenIDs.Retention
    var generator: SeededGenerator
    let seed: UInt64
    var now: Int64?
    var committed = Model()
    var next = 0

    private var time: Timestamp? { now.map(Timestamp.init(milliseconds:)) }

    mutating func interval(_ state: TaskState) throws {
      let ids = try state.seenIDs(scope: "s", retention: retention)
      var model = committed
      let started = now
      try state.begin()
      for _ in 0..<Int.random(in: 0..<80, using: &generator) {
        var unit = model
        for _ in 0..<Int.random(in: 1..<5, using: &generator) { try change(ids, &unit) }
        if Int.random(in: 0..<4, using: &generator) == 0 {
          state.rollbackUnit()
        } else {
          state.commitUnit()
          model = unit
        }
        if Int.random(in: 0..<30, using: &generator) == 0 { try state.spill() }
      }
      if Int.random(in: 0..<4, using: &generator) == 0 {
        state.abort()
        now = started
      } else {
        try state.commit()
        committed = model
      }
      for id in stride(from: 0, to: next, by: 7) {
        let answer = try ids.look(hash(id), valueHash: 1, at: time)
        #expect(answer == committed.look(id, 1, at: now, retention), "\(id), seed \(seed)")
      }
    }

    private mutating func change(_ ids: SeenIDs, _ model: inout Model) throws {
      let id = Bool.random(using: &generator) ? next : Int.random(in: 0...next, using: &generator)
      next += 1
      let valueHash = UInt64.random(in: 0..<3, using: &generator)
      if Int.random(in: 0..<3, using: &generator) == 0 {
        now = (now ?? -20) + Int64.random(in: 0...9, using: &generator)
      }
      let answer = try ids.look(hash(id), valueHash: valueHash, at: time)
      #expect(answer == model.look(id, valueHash, at: now, retention), "\(id), seed \(seed)")
      if case .duplicate = answer { return }
      try ids.insert(hash(id), offset: Int64(next), valueHash: valueHash, streamTime: time)
      model.entries.append(
        Model.Entry(id: id, valueHash: valueHash, offset: Int64(next), time: now))
    }
  }

  /// Inserts ids one behind the other, a unit each.
  private static func insert(
    _ ids: Range<Int>, _ seen: SeenIDs, _ state: TaskState, commitEvery: Int,
    time: (Int) -> Int64? = { Int64($0) }
  ) throws {
    for (position, id) in ids.enumerated() {
      if position % commitEvery == 0 { try state.begin() }
      try seen.insert(
        hash(id), offset: Int64(id), valueHash: UInt64(id),
        streamTime: time(id).map(Timestamp.init(milliseconds:)))
      state.commitUnit()
      if position % commitEvery == commitEvery - 1 || id == ids.upperBound - 1 {
        try state.commit()
      }
    }
  }

  @Test(
    "the newest n entries count, however large intervals are",
    arguments: [1, 10, 1_000], [(99, true), (100, false), (101, false)])
  func countBoundary(commitEvery: Int, expected: (behind: Int, isSeen: Bool)) throws {
    let state = try open()
    let ids = try state.seenIDs(scope: "s", retention: .count(100))
    try Self.insert(0..<1_000, ids, state, commitEvery: commitEvery)
    try Self.insert(1_000..<(1_001 + expected.behind), ids, state, commitEvery: commitEvery)
    let answer = try ids.look(Self.hash(1_000), valueHash: 1_000, at: .epoch)
    #expect((answer != .unseen) == expected.isSeen)
  }

  private static let min = Int64.min + 1
  /// Age 60,000 ms; the entry's stream time, then the look-up's.
  @Test(
    "an entry counts up to its age, times far apart or missing included",
    arguments: [1, 1_000],
    [
      (0, 59_999, true), (0, 60_000, true), (0, 60_001, false), (-60_000, 0, true),
      (-60_001, 0, false), (Int64.max, Int64.max, true), (min, Int64.max, false),
      (min, min + 60_000, true), (min, min + 60_001, false), (5, nil, true), (nil, nil, true),
      // Without a time it is as old as the first that had one: here 300.
      (nil, 60_300, true), (nil, 60_301, false),
    ] as [(Int64?, Int64?, Bool)])
  func ageBoundary(commitEvery: Int, expected: (at: Int64?, look: Int64?, isSeen: Bool)) throws {
    let state = try open()
    let ids = try state.seenIDs(scope: "s", retention: .age(milliseconds: 60_000))
    // Enough beside it, of the same time, for a sealed segment.
    try Self.insert(0..<300, ids, state, commitEvery: commitEvery) { _ in expected.at }
    if expected.at == nil, expected.look != nil {
      try Self.insert(300..<301, ids, state, commitEvery: 1) { _ in 300 }
    }
    let answer = try ids.look(
      Self.hash(7), valueHash: 7, at: expected.look.map(Timestamp.init(milliseconds:)))
    #expect((answer != .unseen) == expected.isSeen)
  }

  @Test("of an id's entries one with the record's bytes makes a duplicate, be they pages of them")
  func contents() throws {
    let state = try open()
    let ids = try state.seenIDs(scope: "s", retention: .count(3_000))
    try Self.insert(0..<200, ids, state, commitEvery: 1_000)
    for round in 0..<2 {
      try state.begin()
      for content in 0..<700 {
        try ids.insert(
          Self.hash(9_999), offset: Int64(content), valueHash: UInt64(content), streamTime: nil)
        state.commitUnit()
      }
      try state.commit()
      for content in [0, 1, 254, 255, 256, 510, 699] {
        #expect(
          try ids.look(Self.hash(9_999), valueHash: UInt64(content), at: nil)
            == .duplicate(SeenID(offset: Int64(content), valueHash: UInt32(content))))
      }
      #expect(
        try ids.look(Self.hash(9_999), valueHash: 700, at: nil)
          == .conflict(SeenID(offset: 699, valueHash: 699)), "round \(round)")
    }
    #expect(try ids.look(Self.hash(9_998), valueHash: 0, at: nil) == .unseen)
  }

  @Test("scopes have runs and retentions of their own")
  func scopes() throws {
    do {
      let state = try open()
      let kept = try state.seenIDs(scope: "kept", retention: .forever)
      let bounded = try state.seenIDs(scope: "", retention: .count(10))
      #expect(try state.seenIDs(scope: "kept") === kept)
      try Self.insert(0..<1_000, kept, state, commitEvery: 300)
      try Self.insert(500..<1_500, bounded, state, commitEvery: 300)
    }
    let state = try open()
    let bounded = try state.seenIDs(scope: "", retention: .count(10))
    let kept = try state.seenIDs(scope: "kept", retention: .forever)
    for (id, isKept, isBounded) in [(0, true, false), (999, true, false), (1_499, false, true)] {
      #expect(try (kept.look(Self.hash(id), valueHash: 0, at: nil) != .unseen) == isKept)
      #expect(try (bounded.look(Self.hash(id), valueHash: 0, at: nil) != .unseen) == isBounded)
    }
    let found = try StateReader.open(directory.path).read { try $0.seenEntries(Self.hash(999)) }
    #expect(found.map(\.scope).contains("kept"))
  }

  @Test("ids kept before a retention was given count as the newest of their segment")
  func retentionGivenLater() throws {
    do {
      let state = try open()
      let ids = try state.seenIDs(scope: "s")
      try Self.insert(0..<300_000, ids, state, commitEvery: 100_000)
    }
    let state = try open()
    let ids = try state.seenIDs(scope: "s", retention: .count(40_000))
    #expect(try ids.look(Self.hash(299_999), valueHash: 299_999, at: nil) != .unseen)
    try Self.insert(300_000..<310_000, ids, state, commitEvery: 5_000)
    #expect(try ids.look(Self.hash(299_999), valueHash: 299_999, at: nil) != .unseen)
    try Self.insert(310_000..<340_000, ids, state, commitEvery: 5_000)
    #expect(try ids.look(Self.hash(299_999), valueHash: 299_999, at: nil) == .unseen)
    #expect(try ids.look(Self.hash(300_000), valueHash: 300_000, at: nil) != .unseen)
  }

  @Test("a sealed segment, the active set and a restart find every id and no other")
  func segments() throws {
    let count = 300_000
    func check(_ state: TaskState) throws {
      let ids = try state.seenIDs(scope: "s")
      for id in stride(from: 0, to: count, by: 37) {
        #expect(
          try ids.look(Self.hash(id), valueHash: UInt64(id), at: .epoch)
            == .duplicate(SeenID(offset: Int64(id), valueHash: UInt32(id))))
        #expect(try ids.look(Self.hash(id + count), valueHash: UInt64(id), at: .epoch) == .unseen)
      }
      let statistics = try state.seenIDStatistics()
      #expect(statistics.ids == count)
      // Pages of hashes and of places, and the runs of what is not sealed yet: 26 bytes an id.
      #expect(statistics.diskBytes > count * 26 && statistics.diskBytes < count * 30)
    }
    do {
      let state = try open()
      try Self.insert(0..<count, try state.seenIDs(scope: "s"), state, commitEvery: 20_000)
      try check(state)
    }
    try check(try open())
  }

  /// The bound of the set, and that neither it nor the file grows with what comes.
  @Test("two hundred thousand ids leave no more behind than twenty thousand did")
  func plateau() throws {
    let state = try open()
    let seen = try state.seenIDs(scope: "s", retention: .count(1000))
    var (ids, diskBytes, usedBytes): ([Int], [Int], [Int]) = ([], [], [])
    for start in stride(from: 0, to: 200_000, by: 1_000) {
      try Self.insert(start..<(start + 1_000), seen, state, commitEvery: 1_000)
      ids.append(seen.count)
      diskBytes.append(try state.seenIDStatistics().diskBytes)
      usedBytes.append(state.environment.usedBytes)
    }
    // At least what was asked for, at most one interval's worth and a segment's beside it.
    #expect(ids[1...].allSatisfy { (1000...2300).contains($0) })
    #expect(diskBytes[20...].max() == diskBytes[..<20].max())
    #expect(usedBytes[199] == usedBytes[20])
  }

  @Test("who waits for an id reads what came since the last look, through a sealing too")
  func search() throws {
    let state = try open()
    let ids = try state.seenIDs(scope: "s")
    let reader = try StateReader.open(directory.path)
    var search = SeenIDSearch(Self.hash(280_500))
    func look() throws -> [Int64?] {
      try reader.read { view in try search.find(in: view).map { $0.1.offset } }
    }
    try Self.insert(0..<1_000, ids, state, commitEvery: 300)
    #expect(try look() == [])
    try Self.insert(1_000..<280_000, ids, state, commitEvery: 100_000)
    #expect(try look() == [])
    try Self.insert(280_000..<281_000, ids, state, commitEvery: 7)
    #expect(try look() == [280_500])
    #expect(try look() == [])
  }

  @Test("an offset beyond 48 bits is not kept, the id is")
  func largeOffset() throws {
    let state = try open()
    let ids = try state.seenIDs(scope: "s")
    try state.begin()
    let limit = Int64(1) << 48 - 1
    for offset in [limit - 1, limit] {
      try ids.insert(Self.hash(Int(offset)), offset: offset, valueHash: 1, streamTime: nil)
    }
    state.commitUnit()
    try state.commit()
    #expect(
      try ids.look(Self.hash(Int(limit - 1)), valueHash: 1, at: nil)
        == .duplicate(SeenID(offset: limit - 1, valueHash: 1)))
    #expect(
      try ids.look(Self.hash(Int(limit)), valueHash: 1, at: nil)
        == .duplicate(SeenID(offset: nil, valueHash: 1)))
  }
}
