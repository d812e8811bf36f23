import StreamCore
import Testing

@testable import Topology

/// DESIGN, "The engine's parts": a sub-topology is called by the first of its inputs as declared.
@Suite struct TaskNameTests {
  @Test(
    "a task's name is split at its last '-'",
    arguments: [
      ("order-events-3", "order-events", 3), ("a-0", "a", 0), ("a.b_c-1-12", "a.b_c-1", 12),
      ("-1", nil, 0), ("a", nil, 0), ("a-", nil, 0), ("a-b", nil, 0), ("a-03", nil, 0),
      ("a-+3", nil, 0), ("meta.json", nil, 0), ("", nil, 0),
      ("a-99999999999999999999", nil, 0), ("a--1", "a-", 1),
    ] as [(String, String?, Int)])
  func parsing(text: String, subTopology: String?, partition: Int) {
    let expected = subTopology.map { TaskName(subTopology: $0, partition: partition) }
    #expect(TaskName(parsing: text) == expected)
    if let expected { #expect(expected.description == text) }
  }

  @Test(
    "an id of a dead letter is a task's name and a number",
    arguments: [
      ("order-events-3-15", "order-events-3", 15), ("a-0-1", "a-0", 1), ("0-1", nil, 0),
      ("a-0-+1", nil, 0), ("a-0-", nil, 0), ("a-b-1", nil, 0),
    ] as [(String, String?, Int64)])
  func letters(text: String, task: String?, number: Int64) {
    let expected = task.flatMap { TaskName(parsing: $0) }.map {
      DeadLetterID(task: $0, number: number)
    }
    #expect(DeadLetterID(parsing: text) == expected)
    if let expected { #expect(expected.description == text) }
  }

  @Test("what else a topology holds, and in which order, renames no sub-topology")
  func names() throws {
    func names(_ topics: [[String]]) throws -> [String] {
      let builder = StreamsBuilder("t")
      for group in topics {
        let streams = group.map { builder.stream($0, key: StringSerde(), value: StringSerde()) }
        streams.dropFirst().reduce(streams[0]) { $0.merge($1) }
          .groupByKey().count(named: "count-\(group[0])")
      }
      return try builder.build().subTopologies.map(\.name)
    }
    #expect(try names([["orders", "payments"]]) == ["orders"])
    #expect(try names([["a"], ["orders", "b"]]) == ["a", "orders"])
    #expect(try names([["payments", "orders"]]) == ["payments"])
  }
}
