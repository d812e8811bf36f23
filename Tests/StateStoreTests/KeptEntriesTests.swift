import StateStore
import StreamCore
import Testing

/// DESIGN, "Waiting and parking": kept records lie on disk and have no limit, as dead letters have
/// none.
@Suite struct KeptEntriesTests {
  private let directory = TemporaryDirectory()

  private func open() throws -> TaskState {
    try TaskState.open(
      directory: directory.path, identity: identity(), options: .init(mapSize: 1 << 30))
  }

  private static func id(_ number: Int) -> Hash128 { Hash128("e\(number)".bytes.span.bytes) }

  /// Entries of a few groups, one of them with most.
  private static func fill(_ state: TaskState, _ count: Int, perCommit: Int = 20_000) throws {
    for start in stride(from: 0, to: count, by: perCommit) {
      try state.begin()
      for number in start..<min(count, start + perCommit) {
        state.deadLetters.insert(
          group: (number % 3 == 0 ? "k\(number)" : "k").bytes, idHash: id(number),
          valueHash: UInt64(number), "bytes of \(number)".bytes.span.bytes)
        state.commitUnit()
      }
      try state.commit()
    }
  }

  @Test("a start reads no entry, and answers before its filters are filled")
  func start() throws {
    let count = 60_000
    try Self.fill(try open(), count)
    let state = try open()
    let letters = state.deadLetters
    #expect(letters.memoryBytes == 0)
    #expect(letters.count == count)
    for interval in 0..<30 {
      try state.begin()
      for number in stride(from: interval, to: count, by: 5_003) {
        #expect(
          try letters.look(Self.id(number), valueHash: UInt64(number)) == .same(Int64(number + 1)))
        #expect(try letters.look(Self.id(number), valueHash: .max) == .other(Int64(number + 1)))
        #expect(try letters.look(Self.id(count + number), valueHash: 7) == .none)
        #expect(try letters.isEmpty(group: "k\(number)".bytes) == (number % 3 != 0))
      }
      try state.commit()
    }
    // Twelve bits a group and id, in layers of which each is at most twice what is before it.
    #expect(letters.memoryBytes > 0 && letters.memoryBytes < count * 2 * 12 / 8 * 3)
    #expect(letters.isFilled)
  }

  @Test("the entries of a group come one by one, whatever is deleted on the way")
  func group() throws {
    let state = try open()
    let count = 30_000
    try Self.fill(state, count)
    var taken: [Int64] = []
    // A line run from its head: each first one is taken out, in intervals and units of their own.
    try state.begin()
    while let first = try state.deadLetters.first(group: "k".bytes) {
      taken.append(first.number)
      #expect(try state.deadLetters.delete(first.number))
      if first.number % 7 == 0 {
        state.rollbackUnit()
        #expect(try state.deadLetters.next(group: "k".bytes) == first.number)
        #expect(try state.deadLetters.delete(first.number))
      }
      state.commitUnit()
      if taken.count % 4_001 == 0 {
        try state.commit()
        try state.begin()
      }
    }
    try state.commit()
    let expected: [Int64] = (0..<Int64(count)).filter { $0 % 3 != 0 }.map { $0 + 1 }
    #expect(taken == expected)
    #expect(try state.deadLetters.isEmpty(group: "k".bytes))
    #expect(state.deadLetters.count == count / 3)
    #expect(
      try state.deadLetters.numbers(after: 10, limit: 4) == [13, 16, 19, 22])
  }

  @Test("filters begin anew where no entry is left")
  func emptied() throws {
    let state = try open()
    try Self.fill(state, 5_000)
    #expect(state.deadLetters.memoryBytes > 0)
    try state.begin()
    for number in try state.deadLetters.numbers(after: 0, limit: .max) {
      try state.deadLetters.delete(number)
    }
    state.commitUnit()
    try state.commit()
    #expect(state.deadLetters.memoryBytes == 0)
    try Self.fill(state, 10)
    #expect(try state.deadLetters.look(Self.id(3), valueHash: 3) == .same(5_004))
    #expect(try state.deadLetters.look(Self.id(3), valueHash: 3, except: 5_004) == .none)
  }
}
