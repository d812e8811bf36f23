import StateStore
import StreamCore
import Testing

/// One log a task, read by destination: numbers, chunks, marks, and what becomes of them when a
/// unit, an interval or the process ends.
@Suite struct OutboxTests {
  private let directory = TemporaryDirectory()

  private func open() throws -> TaskState {
    let state = try TaskState.open(directory: directory.path, identity: identity())
    for name in ["a", "b", "c"] { _ = state.outbox.destination(name) }
    return state
  }

  private func interval(_ state: TaskState, _ body: () throws -> Void) throws {
    try state.begin()
    try body()
    state.commitUnit()
    try state.commit()
  }

  private static func entry(_ number: Int, size: Int = 0) -> [UInt8] {
    Array("entry \(number)".utf8) + [UInt8](repeating: 7, count: size)
  }

  @Test(
    "what a model of lists holds is read by destination", arguments: 1...8 as ClosedRange<UInt64>)
  func model(seed: UInt64) throws {
    var random = SeededGenerator(seed)
    var state = try open()
    let names = ["a", "b", "c"]
    var kept: [[(number: Int64, bytes: [UInt8])]] = [[], [], []]
    var last: [Int64] = [0, 0, 0]
    for _ in 0..<30 {
      var (wantedKept, wantedLast) = (kept, last)
      try state.begin()
      for _ in 0..<Int.random(in: 0...6, using: &random) {
        var (unitKept, unitLast) = (wantedKept, wantedLast)
        for _ in 0..<Int.random(in: 0...5, using: &random) {
          let to = Int.random(in: 0..<3, using: &random)
          let size = [0, 10, 3_000, 70_000].randomElement(using: &random) ?? 0
          unitLast[to] += 1
          let bytes = Self.entry(Int(unitLast[to]), size: size)
          let slot = state.outbox.destination(names[to])
          #expect(state.outbox.append(slot, bytes.span.bytes) == unitLast[to])
          unitKept[to].append((unitLast[to], bytes))
        }
        if Bool.random(using: &random) {
          let to = Int.random(in: 0..<3, using: &random)
          let number = Int64.random(in: 0...unitLast[to], using: &random)
          try state.outbox.trim(state.outbox.destination(names[to]), upTo: number)
          unitKept[to].removeAll { $0.number <= number }
        }
        if Int.random(in: 0..<4, using: &random) == 0 {
          state.rollbackUnit()
        } else {
          state.commitUnit()
          (wantedKept, wantedLast) = (unitKept, unitLast)
        }
        if Int.random(in: 0..<6, using: &random) == 0 { try state.spill() }
      }
      if Int.random(in: 0..<5, using: &random) == 0 {
        state.abort()
      } else {
        try state.commit()
        (kept, last) = (wantedKept, wantedLast)
      }
      if Int.random(in: 0..<6, using: &random) == 0 {
        withExtendedLifetime(state) {}
        state = try reopened(&state)
      }
      for (to, name) in names.enumerated() {
        let slot = state.outbox.destination(name)
        let read = try state.outbox.read(slot, after: 0, limit: .max)
        #expect(read.map(\.number) == kept[to].map(\.number), "seed \(seed)")
        #expect(read.map(\.bytes) == kept[to].map(\.bytes), "seed \(seed)")
        #expect(state.outbox.pendingCount(slot) == kept[to].count)
        #expect(state.outbox.pendingBytes(slot) == kept[to].reduce(0) { $0 + $1.bytes.count })
      }
    }
  }

  private func reopened(_ state: inout TaskState) throws -> TaskState {
    // The lock goes with the last reference.
    state = try TaskState.open(
      directory: TemporaryDirectory().path, identity: identity())
    return try open()
  }

  /// A reader takes intervals in order and none that a spill began and an abort dropped.
  @Test("an interval that appended something ends with a mark that says how far it came")
  func marks() throws {
    let state = try open()
    let (a, b) = (state.outbox.destination("a"), state.outbox.destination("b"))
    try interval(state) {
      #expect(!state.outbox.hasAppended)
      state.outbox.append(a, Self.entry(1).span.bytes)
      #expect(state.outbox.hasAppended)
      state.outbox.seal([1])
    }
    let other = state.words.register("other")
    try interval(state) { state.words[other] += 1 }
    try state.begin()
    state.outbox.append(b, Self.entry(1).span.bytes)
    state.commitUnit()
    try state.spill()
    #expect(state.outbox.hasAppended)
    state.abort()
    #expect(!state.outbox.hasAppended)
    try interval(state) {
      state.outbox.append(b, Self.entry(1).span.bytes)
      state.outbox.append(a, Self.entry(2).span.bytes)
      state.outbox.seal([2])
    }
    let reader = state.outbox.reader
    let marks = try reader.marks(after: 0, limit: 10)
    #expect(marks.map(\.number) == [1, 2])
    #expect(marks.map(\.numbers) == [["a": 1], ["a": 2, "b": 1]])
    #expect(marks.map(\.sealed) == [[1], [2]])
    #expect(try reader.lastMark() == 2)
    try interval(state) { state.outbox.trimMarks(upTo: 1) }
    #expect(try reader.marks(after: 0, limit: 10).map(\.number) == [2])
  }

  @Test("what was sent before is counted and not kept, and a muted destination counts nothing")
  func silence() throws {
    var state = try open()
    let (a, b) = (state.outbox.destination("a"), state.outbox.destination("b"))
    #expect(state.outbox.lastNumber(b) == nil)
    state.outbox.keep(a, after: 2)
    state.outbox.mute(b)
    try interval(state) {
      for number in 1...4 {
        state.outbox.append(a, Self.entry(number).span.bytes)
        #expect(state.outbox.append(b, Self.entry(number).span.bytes) == 0)
      }
    }
    #expect(try state.outbox.read(a, after: 0, limit: 9).map(\.number) == [3, 4])
    #expect(state.outbox.pendingCount(a) == 2)
    try interval(state) {
      state.outbox.begin(b, at: 7)
      state.outbox.append(b, Self.entry(8).span.bytes)
    }
    state = try reopened(&state)
    let slot = state.outbox.destination("b")
    #expect(state.outbox.lastNumber(slot) == 8)
    #expect(try state.outbox.read(slot, after: 0, limit: 9).map(\.number) == [8])
    #expect(state.outbox.numbers == ["a": 4, "b": 8])
  }

  @Test("what is owed is kept among entries that are not, and trimmed by number like any other")
  func owed() throws {
    var state = try open()
    let a = state.outbox.destination("a")
    state.outbox.keep(a, after: .max)
    for start in [1, 6] {
      try interval(state) {
        for number in start..<start + 5 {
          state.outbox.append(
            a, Self.entry(number).span.bytes, isOwed: [3, 5, 7].contains(number))
        }
      }
    }
    func kept() throws -> [Outbox.Entry] { try state.outbox.read(a, after: 0, limit: 9) }
    #expect(try kept().map(\.number) == [3, 5, 7])
    #expect(try kept().map(\.bytes) == [3, 5, 7].map { Self.entry($0) })
    #expect(state.outbox.trimmed(a) == 2)
    for (number, left) in [(Int64(4), [Int64(5), 7]), (6, [7]), (9, []), (10, [])] {
      try interval(state) { try state.outbox.trim(a, upTo: number) }
      #expect(try kept().map(\.number) == left)
    }
    #expect(state.outbox.pendingCount(a) == 0)
    #expect(state.outbox.pendingBytes(a) == 0)
    state = try reopened(&state)
    #expect(state.outbox.lastNumber(state.outbox.destination("a")) == 10)
  }

  @Test("a skipped entry is among the skipped ones until it is trimmed, and a note survives aborts")
  func skipsAndNotes() throws {
    let state = try open()
    let a = state.outbox.destination("a")
    try interval(state) {
      for number in 1...3 { state.outbox.append(a, Self.entry(number).span.bytes) }
    }
    try state.begin()
    state.outbox.skip(a, 1)
    state.rollbackUnit()
    state.outbox.skip(a, 2)
    state.commitUnit()
    try state.commit()
    #expect(try state.outbox.reader.skipped("a", after: 0, upTo: 9) == [2])
    state.outbox.setNote([5])
    try state.begin()
    state.abort()
    #expect(state.outbox.hasNewNote)
    try interval(state) { try state.outbox.trim(a, upTo: 2) }
    #expect(!state.outbox.hasNewNote)
    #expect(try state.outbox.reader.skipped("a", after: 0, upTo: 9) == [])
    let stored = try StateReader.open(directory.path).read { view in
      (try view.outboxNote(), try view.outboxEntries(limit: 9).map(\.entry.number))
    }
    #expect(stored.0 == [5])
    #expect(stored.1 == [3])
  }

  /// Small entries lie together; no page is read to delete them.
  @Test("a chunk goes once its last entry is trimmed")
  func chunks() throws {
    let state = try open()
    let a = state.outbox.destination("a")
    try interval(state) {
      for number in 1...1_000 { state.outbox.append(a, Self.entry(number, size: 90).span.bytes) }
    }
    func chunks() throws -> Int {
      let table = try #require(try state.environment.existingTable("outbox"))
      let read = try ReadTransaction(state.environment)
      return try read.operations.count(table)
    }
    let all = try chunks()
    #expect(all == 2)
    try interval(state) { try state.outbox.trim(a, upTo: 999) }
    #expect(try chunks() == 1)
    #expect(try state.outbox.read(a, after: 0, limit: 9).map(\.number) == [1_000])
    try interval(state) { try state.outbox.trim(a, upTo: 1_000) }
    #expect(try chunks() == 0)
  }
}
