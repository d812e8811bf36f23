import ChildProcesses
import Foundation
import StateStore
import Testing

/// A process that reads a state while another one writes it.
@Suite struct ForeignReaderTests {
  private let directory = TemporaryDirectory()

  /// It lies beside the test bundle, or the test runner.
  static func worker() throws -> String {
    let places = [Bundle.main.bundleURL, Bundle.main.executableURL?.deletingLastPathComponent()]
    for place in places.compactMap({ $0 }) {
      for directory in [place, place.deletingLastPathComponent()] {
        let file = directory.appendingPathComponent("StateWorker")
        if FileManager.default.isExecutableFile(atPath: file.path) { return file.path }
      }
    }
    throw CocoaError(.fileNoSuchFile)
  }

  /// Adds rows, something large, and a table that the reader does not know yet.
  private func grow(_ fixture: StoreFixture, _ interval: Int) throws {
    let environment = fixture.state.environment
    if environment.usedBytes > environment.mapSize / 2 { try environment.grow() }
    _ = try environment.table("another \(interval)")
    try fixture.state.begin()
    for number in 0..<10 {
      try fixture.numbered.put("\(interval)-\(number)", Row(customer: nil, total: number))
      try fixture.audit.append(
        key: "k", sequence: nil, value: [UInt8](repeating: 7, count: 20_000).span.bytes)
      fixture.state.words[fixture.counter] += 1
      fixture.state.commitUnit()
    }
    try fixture.state.commit()
  }

  @Test("a map that another process grows is taken over, whatever is being read")
  func grownMap() throws {
    let fixture = try StoreFixture(directory.path, mapSize: 1 << 19)
    try grow(fixture, 0)
    let intervals = 80
    let reader = try ChildProcess(
      try Self.worker(), ["read", directory.path, "\(intervals * 10)"], output: .captured)
    var sizes: Set<Int> = []
    // The reader sees each commit, so every doubling as well.
    for interval in 1...intervals {
      let line = try #require(try reader.line())
      let fields = line.split(separator: " ").compactMap { Int($0) }
      try #require(fields.count == 2 && fields[0] == interval * 10, "\(line)")
      sizes.insert(fields[1])
      if interval < intervals { try grow(fixture, interval) }
    }
    #expect(try reader.line() == nil)
    #expect(reader.wait() == .exit(0))
    #expect(sizes.count >= 5, "\(sizes)")
    #expect(sizes.max() ?? 0 >= 16 << 20)
  }
}
