import StateStore
import StreamCore
import Testing

@Suite struct SeenIDsTests {
  private let directory = TemporaryDirectory()

  private func open() throws -> TaskState {
    try TaskState.open(
      directory: directory.path, identity: identity(), options: .init(mapSize: 1 << 30))
  }

  private static func hash(_ id: Int) -> Hash128 { Hash128("id-\(id)".bytes.span.bytes) }

  private static func place(_ id: Int) -> SeenID {
    SeenID(
      offset: Int64(id), valueHash: UInt32(truncatingIfNeeded: id &* 7919),
      scope: UInt8(truncatingIfNeeded: id))
  }

  private static func insert(_ id: Int, _ state: TaskState) throws {
    let place = place(id)
    try state.seenIDs.insert(
      hash(id), offset: place.offset ?? -1, valueHash: place.valueHash, scope: place.scope,
      timestamp: Timestamp(milliseconds: Int64(id)))
  }

  @Test(
    "ids are found where they were put, whatever is rolled back, aborted or spilled",
    arguments: UInt64(0)..<6)
  func exact(seed: UInt64) throws {
    var generator = SeededGenerator(seed)
    var state: TaskState? = try open()
    var committed: Set<Int> = []
    var next = 0
    for round in 0..<24 {
      if let current = state { try Self.interval(current, &committed, &next, &generator) }
      if round % 5 == 4 {
        state = nil
        state = try open()
      }
    }
  }

  private static func interval(
    _ current: TaskState, _ committed: inout Set<Int>, _ next: inout Int,
    _ generator: inout SeededGenerator
  ) throws {
    // Segments of about 16 ids and more, none of which is ever old.
    current.seenIDs.retention = .age(milliseconds: 512)
    var seen = committed
    try current.begin()
    for _ in 0..<Int.random(in: 0..<60, using: &generator) {
      var unit = seen
      for _ in 0..<Int.random(in: 1..<5, using: &generator) {
        let id =
          Bool.random(using: &generator) ? next : Int.random(in: 0...next, using: &generator)
        next += 1
        let found = try current.seenIDs.find(hash(id))
        #expect(found == (unit.contains(id) ? place(id) : nil))
        if found != nil { continue }
        let place = place(id)
        try current.seenIDs.insert(
          hash(id), offset: Int64(id), valueHash: place.valueHash, scope: place.scope,
          timestamp: Timestamp(milliseconds: Int64(next % 70)))
        unit.insert(id)
      }
      if Int.random(in: 0..<4, using: &generator) == 0 {
        current.rollbackUnit()
      } else {
        current.commitUnit()
        seen = unit
      }
      if Int.random(in: 0..<30, using: &generator) == 0 { try current.spill() }
    }
    if Int.random(in: 0..<4, using: &generator) == 0 {
      current.abort()
    } else {
      try current.commit()
      committed = seen
    }
    for id in 0..<next {
      let found = try current.seenIDs.find(hash(id))
      #expect(found == (committed.contains(id) ? place(id) : nil))
    }
    #expect(current.seenIDs.count == committed.count)
  }

  @Test("a sealed segment, the active set and a restart find every id and no other")
  func segments() throws {
    let count = 300_000
    func check(_ state: TaskState) throws {
      for id in stride(from: 0, to: count, by: 37) {
        #expect(try state.seenIDs.find(Self.hash(id)) == Self.place(id))
        #expect(try state.seenIDs.find(Self.hash(id + count)) == nil)
      }
      let statistics = try state.seenIDs.statistics()
      #expect(statistics.ids == count)
      // Pages of hashes and of places, and the runs of what is not sealed yet.
      #expect(statistics.diskBytes > count * 26 && statistics.diskBytes < count * 30)
    }
    do {
      let state = try open()
      for start in stride(from: 0, to: count, by: 20_000) {
        try state.begin()
        for id in start..<(start + 20_000) { try Self.insert(id, state) }
        state.commitUnit()
        try state.commit()
      }
      try check(state)
    }
    try check(try open())
  }

  @Test("retention by count keeps at least the newest and little more, and the file stops growing")
  func retentionByCount() throws {
    let state = try open()
    state.seenIDs.retention = .count(1000)
    var sizes: [Int] = []
    for start in stride(from: 0, to: 40_000, by: 50) {
      try state.begin()
      for id in start..<(start + 50) { try Self.insert(id, state) }
      state.commitUnit()
      try state.commit()
      #expect(state.seenIDs.count <= 1000 + 1000 / 8 + 100)
      for id in max(0, start + 50 - 1000)..<(start + 50) where id % 97 == 0 {
        #expect(try state.seenIDs.find(Self.hash(id)) == Self.place(id))
      }
      sizes.append(state.environment.usedBytes)
    }
    #expect(try state.seenIDs.find(Self.hash(1)) == nil)
    #expect(sizes[400] == sizes[799])
  }

  /// A11: the bound of the set, and that neither it nor the file grows with what comes.
  @Test("a million ids leave no more behind than a hundred thousand did")
  func plateau() throws {
    let state = try open()
    state.seenIDs.retention = .count(1000)
    var (ids, diskBytes, usedBytes): ([Int], [Int], [Int]) = ([], [], [])
    for start in stride(from: 0, to: 1_000_000, by: 5_000) {
      try state.begin()
      for id in start..<(start + 5_000) {
        try Self.insert(id, state)
        state.commitUnit()
      }
      try state.commit()
      ids.append(state.seenIDs.count)
      diskBytes.append(try state.seenIDs.statistics().diskBytes)
      usedBytes.append(state.environment.usedBytes)
    }
    // At least what was asked for, at most one interval's worth beside it.
    #expect(ids.allSatisfy { (1000...6000).contains($0) })
    #expect(ids[20...].max() == ids[..<20].max())
    #expect(diskBytes[20...].max() == diskBytes[..<20].max())
    #expect(usedBytes[199] == usedBytes[20])
    // What is behind the bound is not known any more: it would be applied again.
    #expect(try state.seenIDs.find(Self.hash(999_999)) == Self.place(999_999))
    #expect(try state.seenIDs.find(Self.hash(990_000)) == nil)
  }

  @Test("retention by age goes by event time", arguments: [(10_126, true), (10_127, false)])
  func retentionByAge(newest: Int64, isKept: Bool) throws {
    let state = try open()
    state.seenIDs.retention = .age(milliseconds: 9000)
    func commit(_ id: Int, at milliseconds: Int64) throws {
      try state.begin()
      try state.seenIDs.insert(
        Self.hash(id), offset: 0, valueHash: 0, timestamp: Timestamp(milliseconds: milliseconds))
      state.commitUnit()
      try state.commit()
    }
    // A span of an eighth of the age, 1125, seals a segment: here the times 0 ... 1126.
    for id in 0..<1000 { try commit(id, at: Int64(id * 2)) }
    for id in 1000..<1016 { try commit(id, at: newest) }
    #expect(try state.seenIDs.find(Self.hash(564)) != nil)
    #expect(try (state.seenIDs.find(Self.hash(563)) != nil) == isKept)
  }

  @Test("an offset beyond 40 bits is not kept, the id is")
  func largeOffset() throws {
    let state = try open()
    try state.begin()
    let limit = Int64(1) << 40 - 1
    for offset in [limit - 1, limit] {
      try state.seenIDs.insert(
        Self.hash(Int(offset)), offset: offset, valueHash: 1, scope: 255, timestamp: .epoch)
    }
    state.commitUnit()
    try state.commit()
    #expect(
      try state.seenIDs.find(Self.hash(Int(limit - 1)))
        == SeenID(offset: limit - 1, valueHash: 1, scope: 255))
    #expect(
      try state.seenIDs.find(Self.hash(Int(limit)))
        == SeenID(offset: nil, valueHash: 1, scope: 255))
  }
}
