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
        #expect(try state.deadLetters.next(group: "k".bytes)?.number == first.number)
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

  /// Entries as a plain list has them.
  private struct Listed {
    var group: String
    var rank: Int64
    var text: String
  }

  @Test(
    "a group lies by rank, then number; one that is replaced keeps its number and id",
    arguments: UInt64(0)..<8)
  func ranks(seed: UInt64) throws {
    var random = SeededGenerator(seed)
    let state = try open()
    var (all, kept): ([Int64: Listed], [Int64: Listed]) = ([:], [:])
    try state.begin()
    for step in 0..<300 {
      let (before, number) = (all, all.keys.sorted().randomElement(using: &random))
      let new = Listed(
        group: "g\(Int.random(in: 0..<3, using: &random))",
        rank: Int64.random(in: -2...2, using: &random), text: "\(step)")
      switch (Int.random(in: 0..<5, using: &random), number) {
      case (0, let number?):
        #expect(try state.held.delete(number))
        all[number] = nil
      case (1, let number?), (2, let number?):
        #expect(
          try state.held.replace(
            number, group: new.group.bytes, rank: new.rank, new.text.bytes.span.bytes))
        all[number] = new
      default:
        let number = state.held.insert(
          group: new.group.bytes, rank: new.rank, idHash: Self.id(step), valueHash: 1,
          new.text.bytes.span.bytes)
        #expect(all[number] == nil)
        all[number] = new
      }
      if Int.random(in: 0..<4, using: &random) == 0 {
        state.rollbackUnit()
        all = before
      }
      state.commitUnit()
      try check(state.held, all)
      switch Int.random(in: 0..<20, using: &random) {
      case 0:
        try state.commit()
        kept = all
        try state.begin()
      case 1:
        state.abort()
        all = kept
        try state.begin()
      default: break
      }
    }
    state.abort()
    try state.begin()
    try check(state.held, kept)
  }

  private func check(_ entries: EntryStore, _ all: [Int64: Listed]) throws {
    #expect(entries.count == all.count)
    #expect(entries.bytes == all.values.reduce(0) { $0 + $1.text.utf8.count })
    #expect(try entries.numbers(after: 0, limit: .max) == all.keys.sorted())
    for group in ["g0", "g1", "g2"] {
      let places = all.filter { $0.value.group == group }
        .map { EntryPlace(rank: $0.value.rank, number: $0.key) }.sorted()
      #expect(try entries.numbers(group: group.bytes) == places.map(\.number))
      let middle = places.isEmpty ? EntryPlace.first : places[places.count / 2]
      #expect(
        try entries.next(group: group.bytes, from: middle)
          == places.dropFirst(places.count / 2).first)
    }
    for (number, listed) in all {
      let entry = try entries.entry(number)
      #expect(entry?.bytes == listed.text.bytes)
      #expect(entry?.place == EntryPlace(rank: listed.rank, number: number))
      if let id = entry?.idHash { #expect(try entries.look(id, valueHash: 1) == .same(number)) }
    }
  }
}
