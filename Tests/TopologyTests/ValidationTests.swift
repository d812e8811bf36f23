import StreamCore
import Testing
import Topology

/// Everything wrong with a topology is told at once, before any I/O.
@Suite("Validation")
struct ValidationTests {
  private static func texts(_ builder: StreamsBuilder, _ topic: String = "in")
    -> KStream<String, String>
  {
    builder.stream(topic, key: StringSerde(), value: StringSerde())
  }

  struct Malformed: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let name: String
    let expected: [String]
    let declare: @Sendable (StreamsBuilder) -> Void

    init(
      _ description: String, name: String = "t", _ expected: [String],
      _ declare: @escaping @Sendable (StreamsBuilder) -> Void
    ) {
      testDescription = description
      self.name = name
      self.expected = expected
      self.declare = declare
    }
  }

  static let malformed: [Malformed] = [
    Malformed("no source", ["it reads no topic; declare a source"]) { _ in },
    Malformed(
      "no name", name: "Orders!",
      ["'Orders!' is no name for a topology: lower-case letters, digits and inner '-'"]
    ) { texts($0).groupByKey().count(named: "c") },
    Malformed("nothing comes of it", ["nothing comes of 'in': add a view, a store or a sink"]) {
      _ = texts($0).filter { _, _ in true }
    },
    Malformed("two operators of one name", ["2 operators are named 'c'; names are unique"]) {
      let stream = texts($0)
      stream.groupByKey().count(named: "c")
      stream.groupByKey().count(named: "c")
    },
    Malformed("a topic read twice", ["topic 'in' is read by 2 sources; share one stream"]) {
      texts($0).groupByKey().count(named: "a")
      texts($0).groupByKey().count(named: "b")
    },
    Malformed("a store nobody declares", ["'p' uses store 'ghost', which is not declared"]) {
      let out: KStream<String, String> = texts($0).process(named: "p", stores: ["ghost"]) { _ in
        Processor { _, _ in }
      }
      out.to("out", key: StringSerde(), value: StringSerde())
    },
    Malformed(
      "a cycle through the log",
      ["topic 'in' is read and written: a cycle; write to another topic"]
    ) { texts($0).to("in", key: StringSerde(), value: StringSerde()) },
    Malformed(
      "a re-keyed stream grouped",
      [
        "'c' groups records that 'select-key-1' may have given another key: equal keys can lie in "
          + "different partitions, and this version has no repartition; group by the record's own "
          + "key"
      ]
    ) { texts($0).selectKey { $1 }.groupByKey().count(named: "c") },
    Malformed("a view published twice", ["view 'c' is published twice"]) {
      texts($0).groupByKey().count(named: "c").view().view()
    },
    Malformed(
      "two indexes of one name", ["view 'c' has 2 indexes named 'i'"]
    ) {
      texts($0).groupByKey().count(named: "c").view(indexes: [
        Index("i", [.ascending("count") { $0 }]), Index("i", [.descending("count") { $0 }]),
      ])
    },
    Malformed(
      "a bad topic", ["'no topic' is no topic: 1 to 249 of letters, digits, '.', '_' and '-'"]
    ) { texts($0).to("no topic", key: StringSerde(), value: StringSerde()) },
    Malformed("a branch nobody has", ["split 's' has no branch 'b'"]) {
      let split = texts($0).split(named: "s").branch("a") { _, _ in true }.noDefaultBranch()
      split["a"].to("out", key: StringSerde(), value: StringSerde())
      _ = split["b"]
    },
    Malformed("two branches of one name", ["split 's' has 2 branches named 'a'"]) {
      let split = texts($0).split(named: "s").branch("a") { _, _ in true }.defaultBranch("a")
      split["a"].to("out", key: StringSerde(), value: StringSerde())
    },
    Malformed(
      "the dead letters' topic is a source", name: "dead",
      [
        "topic 'in' is read and written: a cycle; write to another topic"
      ]
    ) { texts($0).groupByKey().count(named: "c") },
  ]

  @Test("each malformed topology is refused with all its problems", arguments: malformed)
  func refused(_ malformed: Malformed) throws {
    let builder = StreamsBuilder(
      malformed.name, deadLetterTopic: malformed.name == "dead" ? "in" : nil)
    malformed.declare(builder)
    let error = #expect(throws: TopologyError.self) { _ = try builder.build() }
    #expect(error?.problems.map(\.message) == malformed.expected)
    #expect(error?.problems.allSatisfy { $0.location.contains("ValidationTests.swift:") } == true)
  }

  @Test("the description is stable")
  func description() throws {
    let builder = StreamsBuilder("counts", group: "counting", deadLetterTopic: "counts-dead")
    let stream = Self.texts(builder)
    stream.filter(named: "non-empty") { !$1.isEmpty }
      .groupByKey().count(named: "counts")
      .view(indexes: [Index("byCount", [.descending("count") { $0 }])])
    stream.to("copy", key: StringSerde(), value: StringSerde(), named: "copy")
    #expect(
      try builder.build().describe() == """
        Topology: counts (group counting)
          Sub-topology: in
            Source: source-0 (topic: in)
              key: string
              value: string
              seen ids: forever
              decode: deadLetter
              process: deadLetter
              produce: deadLetter
              conflict: warn, deadLetter of a composed id
              keyMismatch: warn
              nullKey: deadLetter
              tombstone: deadLetter
              sequenceGap: warn
              sequenceRegression: warn
              maxAhead: 1d
              --> non-empty, copy
            Processor: non-empty (filter)
              --> counts
              <-- source-0
            Processor: counts (aggregate) (stores: counts)
              --> none
              <-- non-empty
            Sink: copy (topic: copy)
              string
              string
              schemaVersion 1
              <-- source-0
          Stores:
            View: counts (string -> json Int64)
              index byCount (count desc)
          Producer: acks=all, enable.idempotence=true, ids deterministic
          Dead letters: counts-dead

        """)
  }
}
