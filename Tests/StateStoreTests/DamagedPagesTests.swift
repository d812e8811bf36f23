import ChildProcesses
import Foundation
import StateStore
import StreamCore
import Testing

/// Files whose pages are damaged, read and copied in processes of their own: whatever is wrong, the
/// process ends by itself.
@Suite struct DamagedPagesTests {
  private let directory = TemporaryDirectory()
  private static let pageSize = 4_096

  /// The bytes of a state with all kinds of pages: branches, leaves, large values, free ones.
  private func makeState() throws -> [UInt8] {
    let path = directory.path + "/whole"
    do {
      let fixture = try StoreFixture(path)
      let state = fixture.state
      for interval in 0..<4 {
        try state.begin()
        for number in 0..<400 {
          try fixture.numbered.put(
            "k\(number * (interval + 1))", Row(customer: "c\(number % 9)", total: number))
          try fixture.clustered.put(
            KeyPair("k\(number)", interval), Row(customer: "c", total: number))
          try fixture.ids.insert(
            Hash128("\(interval) \(number)".bytes.span.bytes), offset: Int64(number), valueHash: 1,
            streamTime: Timestamp(milliseconds: Int64(number)))
          let value = [UInt8](repeating: 7, count: number % 50 == 0 ? 20_000 : 100)
          try fixture.audit.append(key: "k\(number % 7)", sequence: nil, value: value.span.bytes)
          if number % 20 == 0 {
            _ = state.held.insert(
              group: "k".encoded, idHash: Hash128("\(number)".bytes.span.bytes), value.span.bytes)
            state.journal.append(value.span.bytes)
          }
          state.commitUnit()
        }
        try state.commit()
      }
    }
    return Array(try Data(contentsOf: URL(filePath: path + "/data.mdb")))
  }

  private static func damage(_ bytes: inout [UInt8], _ random: inout SeededGenerator) -> String {
    let pages = bytes.count / pageSize
    let number = Int.random(in: 2..<pages, using: &random)
    let page = number * pageSize..<(number + 1) * pageSize
    func scatter(_ range: Range<Int>, _ count: Int) {
      for _ in 0..<count {
        bytes[Int.random(in: range, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
    }
    switch Int.random(in: 0..<6, using: &random) {
    case 0:
      scatter(page, pageSize)
      return "page \(number) overwritten"
    case 1:
      scatter(page, Int.random(in: 1...10, using: &random))
      return "bytes of page \(number)"
    case 2:
      scatter(page.lowerBound..<page.lowerBound + 64, Int.random(in: 1...4, using: &random))
      return "the head of page \(number)"
    case 3:
      for index in page { bytes[index] = 0 }
      return "page \(number) zeroed"
    case 4:
      let other = Int.random(in: 2..<pages, using: &random) * pageSize
      for index in 0..<pageSize { bytes.swapAt(page.lowerBound + index, other + index) }
      return "page \(number) for another"
    default:
      bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random))
      return "cut to \(bytes.count) bytes"
    }
  }

  private func run(_ arguments: String...) throws -> (line: String, ending: ChildProcess.Ending) {
    let file = directory.path + "/errors"
    let process = try ChildProcess(
      try ForeignReaderTests.worker(), arguments, environment: ["SWIFT_BACKTRACE": "enable=no"],
      output: .captured, errors: .file(file))
    let said = String(decoding: try process.output(), as: UTF8.self)
    return (said + (try String(contentsOfFile: file, encoding: .utf8)), process.wait())
  }

  @Test("a damaged page is an error, never a trap", arguments: UInt64(0)..<8)
  func damagedPages(part: UInt64) throws {
    let whole = try makeState()
    #expect(try run("walk", directory.path + "/whole").line.hasPrefix("whole "))
    var refused = 0
    for seed in part * 25..<(part + 1) * 25 {
      var random = SeededGenerator(seed)
      var bytes = whole
      let what = Self.damage(&bytes, &random)
      let damaged = directory.path + "/damaged-\(seed)"
      try FileManager.default.createDirectory(
        atPath: damaged, withIntermediateDirectories: true)
      try Data(bytes).write(to: URL(filePath: damaged + "/data.mdb"))
      let copy = try run("copy", damaged, damaged + "-copy")
      let read = try run("walk", damaged)
      for (line, ending) in [copy, read] where ending != .exit(0) {
        #expect(
          ending == .exit(1) || ending == .exit(5), "seed \(seed), \(what): \(ending) \(line)")
        #expect(line.hasPrefix("error: "), "seed \(seed), \(what): \(line)")
      }
      if copy.ending != .exit(0) { refused += 1 }
      try FileManager.default.removeItem(atPath: damaged)
    }
    #expect(refused > 3)
  }
}
