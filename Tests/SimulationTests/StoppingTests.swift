import StreamCore
import Testing
import Topology
import TopologyTesting

/// What is left when a record's policy is to stop.
@Suite("Stopping")
struct StoppingTests {
  @Test("the records before the one that stops the task are committed", arguments: [1, 3, 100])
  func committedBefore(commitEvery: Int) throws {
    let builder = StreamsBuilder("stopping")
    builder.stream(
      "in", key: StringSerde(), value: StringSerde(), policies: SourcePolicies(process: .fail)
    )
    .filter { _, value in
      if value == "bad" { throw SerdeError("a value that is bad") }
      return true
    }
    .groupByKey().count(named: "counts").view()
    let driver = try TopologyTestDriver(try builder.build(), commitEvery: commitEvery)
    let values = ["1", "2", "3", "bad", "5"]
    try driver.append(
      values.map {
        ProducerRecord(key: Array("k".utf8), value: Array($0.utf8), timestamp: .epoch)
      }, to: "in")
    #expect(throws: TaskError.self) { try driver.run() }
    try driver.crash()
    #expect(try driver.rows("counts") == ["k": "3"])
    #expect(driver.counters == ["consumed": 3, "applied": 3])
    // It stands before the record, and stops there again.
    #expect(throws: TaskError.self) { try driver.run() }
  }
}
