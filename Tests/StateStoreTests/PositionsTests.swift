import StateStore
import StreamCore
import Testing

/// DESIGN, "InputPort": a position is durable with the interval, in a table of its own, one entry an
/// input, written when it changes.
@Suite struct PositionsTests {
  private let directory = TemporaryDirectory()

  private func open() throws -> TaskState {
    try TaskState.open(
      directory: directory.path, identity: identity(), options: .init(mapSize: 1 << 26))
  }

  private static let names =
    (0..<120).map { "orders-\($0)" } + ["", String(repeating: "long", count: 200) + "-3"]

  @Test(
    "positions go with units, commits, aborts, spills and starts", arguments: UInt64(0)..<8)
  func model(seed: UInt64) throws {
    var generator = SeededGenerator(seed)
    var state: TaskState? = try open()
    var committed = [InputPosition](repeating: InputPosition(start: 9), count: Self.names.count)
    for round in 0..<25 {
      if let state { try Self.interval(state, &committed, &generator) }
      guard round % 4 == 3 else { continue }
      state = nil
      state = try open()
    }
  }

  private static func interval(
    _ state: TaskState, _ committed: inout [InputPosition], _ generator: inout SeededGenerator
  ) throws {
    let positions = state.positions
    let slots = try names.map { try positions.register($0, initial: InputPosition(start: 9)) }
    #expect(slots.map { positions[$0] } == committed)
    var model = committed
    try state.begin()
    for _ in 0..<Int.random(in: 0..<30, using: &generator) {
      var unit = model
      for _ in 0..<Int.random(in: 1..<4, using: &generator) {
        let input = Int.random(in: 0..<names.count, using: &generator)
        unit[input].position = Int64.random(in: .min ... .max, using: &generator)
        unit[input].lastHash = generator.next()
        unit[input].lastTimestamp &+= 1
        unit[input].gap = -4
        unit[input].lastUnit += 1
        positions[slots[input]] = unit[input]
      }
      if Bool.random(using: &generator) {
        state.rollbackUnit()
      } else {
        state.commitUnit()
        model = unit
      }
      if Int.random(in: 0..<9, using: &generator) == 0 { try state.spill() }
      #expect(slots.map { positions[$0] } == model)
    }
    if Int.random(in: 0..<3, using: &generator) == 0 {
      state.abort()
      return
    }
    try state.commit()
    committed = model
    let reader = try StateReader.open(state.directory)
    let read = try reader.read { try $0.positions() }
    #expect(read == Dictionary(uniqueKeysWithValues: zip(names, committed)))
    #expect(try reader.read { try $0.position(in: names[7]) } == committed[7])
    #expect(try reader.read { try $0.position(in: "nobody") } == nil)
  }

  @Test("an interval writes the inputs that it changed, and no other")
  func writesWhatChanged() throws {
    let state = try open()
    let slots = try (0..<5_000).map { try state.positions.register("in-\($0)") }
    try state.begin()
    try state.commit()
    func pagesOfCommit(_ change: () -> Void) throws -> Int {
      try state.begin()
      change()
      state.commitUnit()
      let before = state.environment.usedBytes
      try state.commit()
      return (state.environment.usedBytes - before) / state.environment.pageSize
    }
    // Pages that are freed are used again two commits later, so the first few take new ones.
    let few = try (0..<3).map { _ in
      try pagesOfCommit { state.positions[slots[4_000]].position += 1 }
    }
    let all = try pagesOfCommit { for slot in slots { state.positions[slot].position += 1 } }
    #expect(few.reduce(0, +) < 30)
    #expect(all > 60)
  }
}
