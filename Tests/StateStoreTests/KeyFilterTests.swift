import StateStore
import Testing

/// What a task knows of its keys without asking the tree, through states that are opened anew.
@Suite("Key filter")
struct KeyFilterTests {
  private static func key(_ number: Int) -> String {
    number % 97 == 0 ? String(repeating: "k", count: 600) + "\(number)" : "key-\(number)"
  }

  /// Every key that was put is found, and no other, whatever part of the tree the filter has.
  @Test("no stored key is taken for a new one", arguments: 1...6 as ClosedRange<UInt64>)
  func nothingIsMissed(seed: UInt64) throws {
    var random = SeededGenerator(seed)
    let directory = TemporaryDirectory()
    var stored: [Int: Int] = [:]
    var next = 0
    for _ in 0..<4 {
      let fixture = try StoreFixture(directory.path)
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        try fixture.state.begin()
        var written: [Int: Int] = [:]
        for _ in 0..<Int.random(in: 1...3_000, using: &random) {
          let isNew = next == 0 || Int.random(in: 0..<3, using: &random) > 0
          let number = isNew ? next : Int.random(in: 0..<next, using: &random)
          if isNew { next += 1 }
          let known = written[number] ?? stored[number]
          #expect(try fixture.numbered.get(Self.key(number))?.total == known, "seed \(seed)")
          try fixture.numbered.put(Self.key(number), Row(total: number + (known ?? 0)))
          if Int.random(in: 0..<5, using: &random) == 0 {
            fixture.state.rollbackUnit()
          } else {
            fixture.state.commitUnit()
            written[number] = number + (known ?? 0)
          }
        }
        if Int.random(in: 0..<4, using: &random) == 0 {
          fixture.state.abort()
        } else {
          try fixture.state.commit()
          stored.merge(written) { $1 }
        }
      }
    }
    let fixture = try StoreFixture(directory.path)
    try fixture.state.begin()
    #expect(fixture.numbered.count == stored.count, "seed \(seed)")
    for (number, total) in stored {
      #expect(try fixture.numbered.get(Self.key(number))?.total == total, "seed \(seed)")
    }
  }
}
