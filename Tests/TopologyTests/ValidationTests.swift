import JSONSerdes
import StreamCore
import Testing
import Topology
import TopologyTesting

/// Everything wrong with a topology is told at once, before any I/O.
@Suite("Validation")
struct ValidationTests {
  private static func texts(_ builder: StreamsBuilder, _ topic: String = "in")
    -> KStream<String, String>
  {
    builder.stream(topic, key: StringSerde(), value: StringSerde())
  }

  private static func events(
    _ builder: StreamsBuilder, _ topic: String, envelope: Envelope = .flat,
    seenIDs: SeenIDRetention = .forever, idScope: String? = nil
  ) -> KStream<String, String> {
    builder.events(
      topic, format: JSONFormat(),
      types: EventTypes<JSONView, String>(unknownType: .ignore).onAny { _, _ in "" },
      envelope: envelope, seenIDs: seenIDs, idScope: idScope)
  }

  /// An envelope that reads this many headers besides the usual four.
  private static func headers(_ count: Int) -> Envelope {
    Envelope(eventID: (0..<count).map { .header("h\($0)") } + [.header("eventId"), .position])
  }

  private static let long = String(repeating: "x", count: 240)

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
    Malformed("two stores of one name", ["2 stores are named 's'; names are unique"]) {
      let store = $0.store(named: "s", key: String.self, as: StringSerde())
      _ = $0.store(named: "s", key: String.self, as: StringSerde())
      let out: KStream<String, String> = texts($0).process(named: "p", stores: [store.name]) { _ in
        Processor { _, _ in }
      }
      out.to("out", key: StringSerde(), value: StringSerde())
    },
    Malformed(
      "ids shared by tasks that cannot know each other's",
      [
        "'a', 'b' share the id scope 'all' and are read by different tasks, which cannot know each "
          + "other's ids; read them together, or give each a scope"
      ]
    ) {
      for topic in ["a", "b"] {
        events($0, topic, idScope: "all").groupByKey().count(named: "count-\(topic)")
      }
    },
    Malformed(
      "a scope that is another source's topic",
      [
        "'a', 'b' share the id scope 'b' and are read by different tasks, which cannot know each "
          + "other's ids; read them together, or give each a scope"
      ]
    ) {
      events($0, "a", idScope: "b").groupByKey().count(named: "count-a")
      texts($0, "b").groupByKey().count(named: "count-b")
    },
    Malformed(
      "two retentions in one scope",
      [
        "'a', 'b' share the id scope 'all' and declare different retentions of seen ids; a scope "
          + "has one: declare one"
      ]
    ) {
      events($0, "a", seenIDs: .count(1), idScope: "all")
        .merge(events($0, "b", seenIDs: .count(2), idScope: "all"))
        .groupByKey().count(named: "c")
    },
    Malformed(
      "a journal topic that is too long",
      [
        "the journal topic of '\(long)' would be called t-journal-\(long), which is longer than the "
          + "249 characters of a topic; shorten the topology's name"
      ]
    ) { texts($0, long).to("out", key: StringSerde(), value: StringSerde()) },
    Malformed(
      "a topic that holds what was sent",
      [
        "topic 't-journal-in' is where this topology keeps what 'in' has sent; read or write another"
      ]
    ) { texts($0).to("t-journal-in", key: StringSerde(), value: StringSerde()) },
    Malformed(
      "a source that holds what was sent",
      [
        "topic 't-journal-in' is where this topology keeps what 'in' has sent; read or write another"
      ]
    ) {
      texts($0).merge(texts($0, "t-journal-in")).to(
        "out", key: StringSerde(), value: StringSerde())
    },
    Malformed(
      "hidden directories",
      [
        "'.in' would give its tasks hidden directories; declare another source of its sub-topology "
          + "first, or name the topic otherwise"
      ]
    ) { texts($0, ".in").groupByKey().count(named: "c") },
    Malformed(
      "a view behind a filter that does not say what becomes of updates",
      [
        "view 'v' lies behind 'wanted', which may drop the record that creates a row: its updates "
          + "would be held for ever; write `missing:`"
      ]
    ) {
      texts($0).filter(named: "wanted") { _, _ in true }.peek { _, _, _ in }
        .project(named: "v", as: StringSerde()) { _, value, _ in .put(value) }
      // Both of these are right.
      texts($0, "b").project(named: "all", as: StringSerde()) { _, value, _ in .put(value) }
      texts($0, "c").filter { _, _ in true }
        .project(named: "some", as: StringSerde(), missing: .ignore) { _, value, _ in .put(value) }
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

  @Test("what is just within the limits is built")
  func withinLimits() throws {
    let builder = StreamsBuilder("t")
    let long = String(Self.long.dropLast())
    Self.events(
      builder, "in", envelope: Self.headers(40), seenIDs: .count(3), idScope: "all"
    )
    .merge(Self.events(builder, "other", seenIDs: .count(3), idScope: "all"))
    .groupByKey().count(named: "c")
    Self.texts(builder, long).to("out", key: StringSerde(), value: StringSerde())
    _ = try TopologyTestDriver(try builder.build())
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
              seenIDs: forever
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
            Processor: counts (count) (stores: counts)
              --> none
              <-- non-empty
            Sink: copy (topic: copy)
              key: string
              value: string
              schemaVersion: 1
              <-- source-0
          Stores:
            View: counts (string -> json Int64)
              layout: rowNumbers
              index byCount (count desc)
          Producer: acks=all, enable.idempotence=true, ids deterministic
          Dead letters: counts-dead

        """)
  }
}
