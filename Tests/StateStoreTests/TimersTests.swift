import StateStore
import StreamCore
import Testing

/// What is due goes one after another, each at the same cost however many there are.
@Suite struct TimersTests {
  private let directory = TemporaryDirectory()

  private func open() throws -> TaskState {
    try TaskState.open(
      directory: directory.path, identity: identity(), options: .init(mapSize: 1 << 30))
  }

  private static func timer(_ number: Int, at time: Int64 = 1_000) -> Timer {
    Timer(
      time: Timestamp(milliseconds: time), operator: "o",
      key: "\(1_000_000 + number)".bytes)
  }

  /// At a cost that grew with those before it, this would take ten minutes.
  @Test("sixty thousand timers due at once fire in order", .timeLimit(.minutes(5)))
  func manyDue() throws {
    let state = try open()
    let count = 60_000
    try state.begin()
    for number in 0..<count { try state.timers.set(Self.timer(number)) }
    state.commitUnit()
    try state.commit()
    try state.begin()
    var fired = 0
    while let timer = try state.timers.next(upTo: Timestamp(milliseconds: 1_000)) {
      guard timer == Self.timer(fired) else {
        Issue.record("\(fired)")
        return
      }
      try state.timers.delete(timer)
      // Every third one fails once.
      if fired % 3 == 0 {
        state.rollbackUnit()
        try state.timers.delete(timer)
      }
      state.commitUnit()
      fired += 1
      if fired == 20_000 { try state.spill() }
      if fired == 40_000 {
        try state.commit()
        try state.begin()
      }
    }
    try state.commit()
    #expect(fired == count)
    #expect(state.timers.count == 0)
  }

  @Test(
    "taking timers equals a sorted set under rollbacks, spills, aborts and timers set on the way",
    arguments: UInt64(0)..<10)
  func model(seed: UInt64) throws {
    var generator = SeededGenerator(seed)
    let state = try open()
    var committed: Set<Int> = []
    func timer(_ number: Int) -> Timer { Self.timer(number / 4, at: Int64(number % 4)) }
    func precedes(_ left: Int, _ right: Int) -> Bool {
      (left % 4, left / 4) < (right % 4, right / 4)
    }
    for _ in 0..<25 {
      var model = committed
      try state.begin()
      for _ in 0..<Int.random(in: 0..<60, using: &generator) {
        var unit = model
        for _ in 0..<Int.random(in: 1..<5, using: &generator) {
          let number = Int.random(in: 0..<900, using: &generator)
          switch Int.random(in: 0..<5, using: &generator) {
          case 0, 1:
            try state.timers.set(timer(number))
            unit.insert(number)
          case 2:
            try state.timers.delete(timer(number))
            unit.remove(number)
          default:
            let upTo = Int64.random(in: 0..<4, using: &generator)
            let next = try state.timers.next(upTo: Timestamp(milliseconds: upTo))
            let expected = unit.filter { $0 % 4 <= upTo }.min(by: precedes)
            #expect(next == expected.map(timer), "seed \(seed)")
            if let next, let expected {
              try state.timers.delete(next)
              unit.remove(expected)
            }
          }
        }
        if Int.random(in: 0..<3, using: &generator) == 0 {
          state.rollbackUnit()
        } else {
          state.commitUnit()
          model = unit
        }
        if Int.random(in: 0..<25, using: &generator) == 0 { try state.spill() }
      }
      if Int.random(in: 0..<4, using: &generator) == 0 {
        state.abort()
      } else {
        try state.commit()
        committed = model
      }
      #expect(state.timers.count == committed.count)
    }
  }

  @Test("timers that stay set are never due, survive, count, and go by cancelling alone")
  func staying() throws {
    func due(_ state: TaskState) throws -> Timer? {
      try state.timers.next(upTo: Timestamp(milliseconds: .max))
    }
    do {
      let state = try open()
      try state.begin()
      try state.timers.set(Self.timer(1, at: 10))
      // One timer, whoever sets it again.
      try state.timers.set(Self.timer(1, at: 10), staysSet: true)
      try state.timers.set(Self.timer(2, at: 5), staysSet: true)
      try state.timers.set(Self.timer(2, at: 5), staysSet: true)
      state.commitUnit()
      #expect(try due(state) == Self.timer(1, at: 10))
      #expect(state.timers.count == 2)
      try state.commit()
    }
    let state = try open()
    try state.begin()
    try state.timers.delete(Self.timer(1, at: 10), mayStay: true)
    #expect(try due(state) == nil)
    #expect(state.timers.count == 1)
    try state.timers.delete(Self.timer(2, at: 5))
    #expect(state.timers.count == 1)
    try state.timers.delete(Self.timer(2, at: 5), mayStay: true)
    #expect(state.timers.count == 0)
    state.commitUnit()
    try state.commit()
  }
}
