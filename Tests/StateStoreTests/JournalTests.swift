import StateStore
import StreamCore
import Testing

/// DESIGN, "The journal": it is kept as long as the state, so who follows it reads it in pages.
@Suite struct JournalTests {
  private let directory = TemporaryDirectory()

  private func open() throws -> TaskState {
    try TaskState.open(
      directory: directory.path, identity: identity(), options: .init(mapSize: 1 << 28))
  }

  private static func entry(_ number: Int) -> [UInt8] {
    [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number % 1_000 == 0 ? 300_000 : 9)
  }

  @Test("a reader follows it from any number, past pages and what is trimmed, and on as it grows")
  func follow() throws {
    let state = try open()
    func append(_ numbers: ClosedRange<Int>) throws {
      try state.begin()
      for number in numbers {
        #expect(state.journal.append(Self.entry(number).span.bytes) == Int64(number))
        state.commitUnit()
      }
      try state.commit()
    }
    try append(1...10_000)
    let states = try StateReader.open(directory.path)
    var followed = JournalReader(states, from: 4_990)
    for number in 4_990...10_000 {
      let entry = try followed.next()
      #expect(entry?.number == Int64(number) && entry?.bytes == Self.entry(number))
    }
    #expect(try followed.next() == nil)
    try append(10_001...10_003)
    #expect(try followed.next()?.number == 10_001)
    try state.begin()
    try state.journal.trim(before: 9_000)
    state.commitUnit()
    try state.commit()
    #expect(state.journal.firstNumber == 9_000)
    var trimmed = JournalReader(states)
    #expect(try trimmed.next()?.number == 9_000)
    let page = try state.journal.read(from: 1, limit: 2_000, bytesMax: 1_000)
    #expect(page.map(\.number) == [9_000])
    #expect(try state.journal.read(from: 9_001, limit: 20).map(\.number) == Array(9_001...9_020))
  }

  @Test("what is trimmed is deleted, be it stored, of this interval, or both", arguments: 0...6)
  func trim(number: Int64) throws {
    let state = try open()
    try state.begin()
    for number in 1...3 { state.journal.append(Self.entry(number).span.bytes) }
    state.commitUnit()
    try state.commit()
    try state.begin()
    for number in 4...5 { state.journal.append(Self.entry(number).span.bytes) }
    try state.journal.trim(before: number)
    state.rollbackUnit()
    for number in 4...6 { state.journal.append(Self.entry(number).span.bytes) }
    try state.journal.trim(before: number)
    state.commitUnit()
    try state.commit()
    let left = try state.journal.read(from: 0, limit: 10).map(\.number)
    #expect(left == Array(max(number, 1)...6))
  }
}
