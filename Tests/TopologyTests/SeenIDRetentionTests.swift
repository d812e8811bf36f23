import StreamCore
import Testing
import Topology
import TopologyTesting

/// DESIGN, "Seen event ids": a retention is decided by the entry itself at the look-up; scopes have
/// runs and retention of their own.
@Suite("Retention of seen ids")
struct SeenIDRetentionTests {
  private func record(_ id: String, at milliseconds: Int64) -> ProducerRecord {
    ProducerRecord(
      key: Array("k".utf8), value: Array("v".utf8), headers: [Header("eventId", id)],
      timestamp: Timestamp(milliseconds: milliseconds), partition: nil)
  }

  /// Four hundred events, then the first three hundred of them again, in this order: with a hundred
  /// kept, none of them is known any more when it comes. Of the last hundred all are.
  @Test("what is applied again does not depend on commits", arguments: [1, 10, 1_000])
  func commits(commitEvery: Int) throws {
    let builder = StreamsBuilder("retention")
    builder.stream("in", key: StringSerde(), value: StringSerde(), seenIDs: .count(100))
      .groupByKey().count(named: "counts").view()
    let driver = try TopologyTestDriver(try builder.build(), commitEvery: commitEvery)
    let numbers = Array(0..<400) + Array(0..<300) + Array(200..<300)
    try driver.append(
      numbers.enumerated().map { record("e\($1)", at: Int64($0)) }, to: "in")
    try driver.run()
    #expect(driver.counters["applied"] == 700)
    #expect(driver.counters["duplicate"] == 100)
  }

  @Test("times far apart, early and missing ones, are an age like any other")
  func ages() throws {
    let builder = StreamsBuilder("ages")
    builder.stream("in", key: StringSerde(), value: StringSerde(), seenIDs: .age(.seconds(60)))
      .groupByKey().count(named: "counts").view()
    let driver = try TopologyTestDriver(try builder.build(), commitEvery: 1)
    var records = (0..<20).map { record("e\($0)", at: Int64($0)) }
    records += [record("e19", at: 60_019), record("e19", at: 60_020)]
    // Years 0 and 9999.
    records += [record("x", at: -62_167_219_200_000), record("x", at: 0)]
    records.append(record("y", at: 253_402_300_799_999))
    try driver.append(records, to: "in")
    try driver.run()
    #expect(driver.counters["consumed"] == Int64(records.count))
    // e19 is known at an age of 60,000 ms, not a millisecond later; x comes twice at one clock.
    #expect(driver.counters["duplicate"] == 2)
  }

  @Test("two sources of one task keep their ids by retentions of their own")
  func scopes() throws {
    let builder = StreamsBuilder("scopes")
    let kept = builder.stream("kept", key: StringSerde(), value: StringSerde())
    let bounded = builder.stream(
      "bounded", key: StringSerde(), value: StringSerde(), seenIDs: .count(1))
    kept.merge(bounded).groupByKey().count(named: "counts").view()
    let driver = try TopologyTestDriver(try builder.build(), commitEvery: 1)
    for topic in ["kept", "bounded"] {
      for (time, id) in ["a", "b", "a"].enumerated() {
        try driver.append([record(id, at: Int64(time))], to: topic)
        try driver.run()
      }
    }
    #expect(driver.counters["applied"] == 5)
    #expect(driver.counters["duplicate"] == 1)
  }
}
