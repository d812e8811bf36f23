import StateStore
import StreamCore
import Testing

/// What an interval appends lies in chunks of a megabyte; units end anywhere in them.
@Suite("Long lists")
struct LongListTests {
  @Test(
    "runs of any size are cut back and kept as units end", arguments: 1...5 as ClosedRange<UInt64>)
  func runs(seed: UInt64) throws {
    var random = SeededGenerator(seed)
    let directory = TemporaryDirectory()
    let fixture = try StoreFixture(directory.path)
    let sizes = [0, 1, 50, 4_000, 400_000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20]
    var kept: [[UInt8]] = []
    for _ in 0..<3 {
      try fixture.state.begin()
      for _ in 0..<12 {
        var unit: [[UInt8]] = []
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          let size = sizes.randomElement(using: &random) ?? 0
          let bytes = [UInt8](
            repeating: UInt8.random(in: 0...255, using: &random), count: size)
          _ = fixture.state.outbox.append(fixture.destination, bytes.span.bytes)
          unit.append(bytes)
        }
        if Bool.random(using: &random) {
          fixture.state.commitUnit()
          kept += unit
        } else {
          fixture.state.rollbackUnit()
        }
      }
      try fixture.state.commit()
      let stored = try fixture.state.outbox.read(fixture.destination, after: 0, limit: .max)
      #expect(stored.map(\.bytes) == kept, "seed \(seed)")
      #expect(
        fixture.state.outbox.pendingBytes(fixture.destination)
          == kept.reduce(0) { $0 + $1.count }, "seed \(seed)")
    }
  }
}
