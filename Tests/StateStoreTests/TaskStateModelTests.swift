import StateStore
import StreamCore
import Testing

/// What the stores should hold, in the plainest form.
private struct Model: Equatable {
  var orders: [String: Row] = [:]
  var windows: [KeyPair<String, Int>: Row] = [:]
  var audit = 0
  var counter: Int64 = 0
  var outbox: [Int64: [UInt8]] = [:]
  var lastSent: Int64 = 0
  var trimmed: Int64 = 0
  var timers: Set<Timer> = []
  var held: [Int64: EntryStore.Entry] = [:]
  var lastHeld: Int64 = 0
}

@Suite struct TaskStateModelTests {
  private let directory = TemporaryDirectory()

  /// Keys of every kind: UUIDs, short, empty, and long ones with a common beginning.
  private static let keys: [String] =
    ["", "a", "b", "0190163d-8694-739b-aea5-966c26f8ad91", "0190163d-8694-739b-aea5-966c26f8ad92"]
    + (0..<4).map { String(repeating: "k", count: 493 + $0) }
    + (0..<4).map { String(repeating: "k", count: 600) + "\($0)" }

  private static func step(
    _ fixture: StoreFixture, _ model: inout Model, _ generator: inout SeededGenerator
  ) throws {
    let key = keys.randomElement(using: &generator) ?? ""
    let pair = KeyPair(key, Int.random(in: 0..<3, using: &generator))
    let row = Row(
      customer: ["x", "y", nil, String(repeating: "c", count: 550)]
        .randomElement(using: &generator) ?? nil,
      total: Int.random(in: -5...5, using: &generator))
    let state = fixture.state
    switch Int.random(in: 0..<14, using: &generator) {
    case 0...2:
      try fixture.numbered.put(key, row)
      model.orders[key] = row
    case 3:
      #expect(try fixture.numbered.delete(key) == (model.orders.removeValue(forKey: key) != nil))
    case 4, 5:
      try fixture.clustered.put(pair, row)
      model.windows[pair] = row
    case 6:
      #expect(
        try fixture.clustered.delete(pair) == (model.windows.removeValue(forKey: pair) != nil))
    case 7:
      try fixture.audit.append(
        key: key, sequence: Bool.random(using: &generator) ? nil : Int64(row.total),
        value: "v".bytes.span.bytes)
      model.audit += 1
    case 8:
      state.words[fixture.counter] += 1
      model.counter += 1
    case 9:
      let bytes = [UInt8](repeating: 7, count: Int.random(in: 0...20, using: &generator))
      model.lastSent += 1
      #expect(state.outbox.append(fixture.destination, bytes.span.bytes) == model.lastSent)
      model.outbox[model.lastSent] = bytes
    case 10:
      let upTo = Int64.random(in: model.trimmed...model.lastSent, using: &generator)
      try state.outbox.trim(fixture.destination, upTo: upTo)
      model.trimmed = upTo
      model.outbox = model.outbox.filter { $0.key > upTo }
    case 11:
      let timer = Timer(
        time: Timestamp(milliseconds: Int64.random(in: -3...3, using: &generator)),
        operator: "o", key: key.encoded)
      if Bool.random(using: &generator) {
        try state.timers.set(timer)
        model.timers.insert(timer)
      } else {
        try state.timers.delete(timer)
        model.timers.remove(timer)
      }
    case 12:
      let id = Hash128("\(row.total)".bytes.span.bytes)
      model.lastHeld += 1
      let idHash = row.total == 5 ? nil : id
      let valueHash = UInt64.random(in: 0..<3, using: &generator)
      let number = state.held.insert(
        group: key.encoded, idHash: idHash, valueHash: valueHash, "h".bytes.span.bytes)
      #expect(number == model.lastHeld)
      model.held[number] = EntryStore.Entry(
        number: number, group: key.encoded, idHash: idHash, valueHash: valueHash,
        bytes: "h".bytes)
    default:
      guard let number = model.held.keys.sorted().randomElement(using: &generator) else { return }
      #expect(try state.held.delete(number))
      model.held[number] = nil
    }
  }

  private static func check(_ fixture: StoreFixture, _ model: Model) throws {
    let state = fixture.state
    for key in keys {
      #expect(try fixture.numbered.get(key) == model.orders[key])
      let numbers = model.held.values.filter { $0.group == key.encoded }.map(\.number).sorted()
      #expect(try state.held.numbers(group: key.encoded) == numbers)
      #expect(try state.held.count(group: key.encoded, upTo: 3) == min(3, numbers.count))
      #expect(try state.held.isEmpty(group: key.encoded) == numbers.isEmpty)
      let middle = numbers.count / 2
      #expect(
        try state.held.numbers(
          group: key.encoded, from: EntryPlace(rank: 0, number: (numbers.first ?? 0) + 1),
          limit: middle)
          == [Int64](numbers.dropFirst().prefix(middle)))
    }
    #expect(fixture.numbered.count == model.orders.count)
    #expect(fixture.clustered.count == model.windows.count)
    #expect(fixture.audit.count == model.audit)
    var seen: [String] = []
    try fixture.numbered.forEach { key, row in
      #expect(model.orders[key] == row)
      seen.append(key)
      return true
    }
    #expect(
      seen
        == model.orders.keys.sorted { $0.encoded.lexicographicallyPrecedes($1.encoded) })
    var pairs: [KeyPair<String, Int>] = []
    try fixture.clustered.forEach(prefix: keys[10]) { key, row in
      #expect(model.windows[key] == row)
      pairs.append(key)
      return true
    }
    #expect(
      pairs == model.windows.keys.filter { $0.first == keys[10] }.sorted { $0.second < $1.second })
    #expect(state.words[fixture.counter] == model.counter)
    #expect(state.outbox.pendingCount(fixture.destination) == model.outbox.count)
    #expect(
      state.outbox.pendingBytes(fixture.destination)
        == model.outbox.values.reduce(0) { $0 + $1.count })
    #expect(state.timers.count == model.timers.count)
    let due = model.timers.filter { $0.time.milliseconds <= 0 }.min {
      ($0.time.milliseconds, $0.key.hex) < ($1.time.milliseconds, $1.key.hex)
    }
    #expect(try state.timers.next(upTo: .epoch) == due)
    #expect(state.held.count == model.held.count)
    for total in -5...5 {
      let id = Hash128("\(total)".bytes.span.bytes)
      let first = model.held.values.filter { $0.idHash == id }.min { $0.number < $1.number }
      #expect(try state.held.contains(id: id) == (first != nil))
      let entries = model.held.values.filter { $0.idHash == id }
      let other = entries.min { ($0.valueHash, $0.number) < ($1.valueHash, $1.number) }
      for valueHash in UInt64(0)..<3 {
        let same = entries.filter { $0.valueHash == valueHash }.map(\.number).min()
        let answer = try state.held.look(id, valueHash: valueHash)
        #expect(answer == (same.map { .same($0) } ?? other.map { .other($0.number) } ?? .none))
      }
    }
    #expect(
      try state.held.numbers(after: 0, limit: 7) == [Int64](model.held.keys.sorted().prefix(7)))
  }

  @Test(
    "the stores equal a model under rollbacks, aborts, spills, reopening and a growing map",
    arguments: UInt64(0)..<12)
  func model(seed: UInt64) throws {
    var generator = SeededGenerator(seed)
    var committed = Model()
    var fixture: StoreFixture? = try StoreFixture(directory.path, mapSize: 1 << 20)
    for _ in 0..<30 {
      if let current = fixture { try Self.interval(current, &committed, &generator) }
      if Int.random(in: 0..<4, using: &generator) == 0 {
        fixture = nil
        fixture = try StoreFixture(directory.path, mapSize: 1 << 20)
      }
    }
  }

  private static func interval(
    _ current: StoreFixture, _ committed: inout Model, _ generator: inout SeededGenerator
  ) throws {
    var model = committed
    try current.state.begin()
    for _ in 0..<Int.random(in: 0..<20, using: &generator) {
      var unit = model
      for _ in 0..<Int.random(in: 1..<6, using: &generator) {
        try step(current, &unit, &generator)
      }
      if Int.random(in: 0..<4, using: &generator) == 0 {
        current.state.rollbackUnit()
      } else {
        current.state.commitUnit()
        model = unit
      }
      if Int.random(in: 0..<8, using: &generator) == 0 { try current.state.spill() }
      if Int.random(in: 0..<5, using: &generator) == 0 { try check(current, model) }
    }
    try check(current, model)
    if Int.random(in: 0..<4, using: &generator) == 0 {
      current.state.abort()
    } else {
      try current.state.commit()
      committed = model
    }
    let sent = try current.state.outbox.read(current.destination, after: 0, limit: .max)
    #expect(sent.map(\.number) == committed.outbox.keys.sorted())
    #expect(sent.allSatisfy { committed.outbox[$0.number] == $0.bytes })
  }
}

extension [UInt8] {
  /// Text that sorts as the bytes do.
  var hex: String { map { String(Int($0) + 256, radix: 16) }.joined() }
}
