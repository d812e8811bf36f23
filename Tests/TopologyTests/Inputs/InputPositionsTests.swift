import StreamCore
import Testing
import Topology
import TopologyTesting

@testable import StateStore

/// DESIGN, "InputPort": positions live in a table of their own, one entry an input, written when they
/// change.
@Suite("Positions of inputs")
struct InputPositionsTests {
  private static func driver(inputs: Int) throws -> TopologyTestDriver {
    let builder = StreamsBuilder("inputs")
    let streams = (0..<inputs).map {
      builder.stream("in-\($0)", key: StringSerde(), value: StringSerde())
    }
    streams.dropFirst().reduce(streams[0]) { $0.merge($1) }
      .groupByKey().count(named: "counts").view()
    return try TopologyTestDriver(try builder.build())
  }

  private static func reader(_ driver: TopologyTestDriver) throws -> StateReader {
    try StateReader.open(
      StateDirectory(root: driver.directory, topology: "inputs")
        .task(1, TaskName(subTopology: "in-0", partition: 0)))
  }

  @Test("a commit writes as little with 200 inputs as with one, where one of them moved")
  func writesWhatMoved() throws {
    func written(inputs: Int) throws -> (pages: [Int], words: Int) {
      let driver = try Self.driver(inputs: inputs)
      try driver.send("x", key: "k", at: .epoch, to: "in-0")
      let environment = try Self.reader(driver).environment
      var pages: [Int] = []
      // Pages that are freed are used again two commits later, so the first few take new ones.
      for number in 1...3 {
        let before = environment.usedBytes
        try driver.send(
          "x", key: "k", at: Timestamp(milliseconds: Int64(number)), to: "in-\(inputs - 1)")
        pages.append((environment.usedBytes - before) / environment.pageSize)
      }
      let words = try Self.reader(driver).read { try $0.words().keys }
      // Each topic has ids of its own.
      return (pages, words.count { !$0.hasPrefix("ids.") })
    }
    let (one, many) = (try written(inputs: 1), try written(inputs: 200))
    #expect(many.words == one.words)
    let (few, more) = (one.pages.reduce(0, +), many.pages.reduce(0, +))
    // A branch page above the leaf of the one that moved, and the words of the ids a page.
    #expect(more <= few + 4, "\(one.pages) \(many.pages)")
  }

  @Test("each input has its place, and keeps it over starts")
  func places() throws {
    let driver = try Self.driver(inputs: 3)
    for (number, topic) in [0, 2, 2].enumerated() {
      try driver.send(
        "\(number)", key: "k", at: Timestamp(milliseconds: Int64(number)), to: "in-\(topic)")
      try driver.crash()
    }
    let positions = try Self.reader(driver).read { try $0.positions() }
    #expect(positions.mapValues(\.position) == ["in-0-0": 1, "in-1-0": 0, "in-2-0": 2])
    #expect(positions.mapValues(\.lastOffset) == ["in-0-0": 0, "in-1-0": -1, "in-2-0": 1])
    #expect(positions.mapValues(\.lastTimestamp) == ["in-0-0": 0, "in-1-0": .min, "in-2-0": 2])
    #expect(positions.mapValues(\.lastUnit) == ["in-0-0": 0, "in-1-0": -1, "in-2-0": 2])
  }
}
