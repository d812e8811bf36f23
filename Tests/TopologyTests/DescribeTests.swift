import JSONSerdes
import StreamCore
import Testing
import Topology

/// One graph, printed three ways: all of it comes of the operators' values.
@Suite("Describe")
struct DescribeTests {
  private func topology() throws -> Topology {
    let builder = StreamsBuilder("orders", group: "ordering", deadLetterTopic: "orders-dead")
    let events = builder.events(
      "order-events", format: JSONFormat(),
      types: EventTypes<JSONView, String>(unknownType: .ignore)
        .on("PAID") { _, _ in "paid" }
        .on("CREATED", version: 2) { _, _ in "created" }
        .upcast("CREATED", from: 1) { _, _ in },
      envelope: Envelope(
        payload: .path("data.body"), eventID: [.header("id").strippingPrefix("E-"), .position],
        aggregateType: []),
      eventTime: .occurredAt,
      policies: SourcePolicies(
        decode: .fail, process: .parkKey.retrying(3, backoff: .milliseconds(1_500)),
        tombstone: .event("GONE"), sequenceGap: .hold, maxAhead: nil),
      seenIDs: .age(.days(7)), idScope: "shop", compacted: true, idle: .seconds(5))
    let split = events.split(named: "by-state").branch("paid") { _, value in value == "paid" }
      .defaultBranch("rest")
    split["paid"].filter(named: "wanted", version: 2) { _, _ in true }
      .groupByKey().count(named: "paid-by-key", layout: .clustered)
      .view(indexes: [Index("byCount", [.descending("count") { $0 }])])
      .toStreamOnChange().to(
        "Paid_Orders", key: StringSerde(), value: CountSerde(), eventType: "COUNTED")
    split["rest"].project(
      named: "rows", as: StringSerde(), missing: .ignore,
      sequence: SequenceCheck(first: 1) { _ in nil }
    ) { _, event, _ in .put(event) }
    return try builder.build()
  }

  @Test("as text")
  func text() throws {
    #expect(
      try topology().describe() == """
        Topology: orders (group ordering)
          Sub-topology: order-events
            Source: source-0 (topic: order-events)
              format: json
              types: CREATED v1 v2, PAID v1
              unknownType: ignore
              unknownVersion: deadLetter
              payload: path data.body
              eventID: header id without 'E-', topic:partition:offset
              eventType: header eventType, path eventType
              schemaVersion: header schemaVersion, path schemaVersion, path version
              aggregateID: path aggregateId, key
              aggregateType: 
              sequenceNumber: path sequenceNumber
              occurredAt: path occurredAt
              correlationID: header correlationId, path metadata.correlationId, path correlationId
              eventTime: occurredAt
              seenIDs: 7d
              idScope: shop
              decode: fail
              process: retry(3, 1500ms) then parkKey
              produce: deadLetter
              conflict: warn, deadLetter of a composed id
              keyMismatch: warn
              nullKey: deadLetter
              tombstone: event GONE
              sequenceGap: hold
              sequenceRegression: warn
              maxAhead: off
              compacted: true
              idle: 5s
              --> by-state
            Processor: by-state (split)
              branches: paid, rest
              hasDefault: true
              --> wanted, rows
              <-- source-0
            Processor: wanted (filter)
              version: 2
              --> paid-by-key
              <-- by-state/paid
            Processor: paid-by-key (count) (stores: paid-by-key)
              --> to-stream-4
              <-- wanted
            Processor: to-stream-4 (toStream)
              emit: onChange
              --> to-paid-orders
              <-- paid-by-key
            Sink: to-paid-orders (topic: Paid_Orders)
              key: string
              value: json Int64
              eventType: COUNTED
              schemaVersion: 1
              <-- to-stream-4
            Processor: rows (project) (stores: rows)
              missingRow: ignore
              sequence: from 1
              --> none
              <-- by-state/rest
          Stores:
            View: paid-by-key (string -> json Int64)
              layout: clustered
              index byCount (count desc)
            Store: rows (string -> string)
              layout: rowNumbers
          Producer: acks=all, enable.idempotence=true, ids deterministic
          Dead letters: orders-dead

        """)
  }

  @Test("as a Mermaid flow chart")
  func mermaid() throws {
    #expect(
      try topology().mermaid() == """
        flowchart LR
          subgraph sub0["sub-topology order-events"]
            n0(["source-0"])
            n1["by-state"]
            n2["wanted"]
            n3["paid-by-key"]
            n4["to-stream-4"]
            n5(["to-paid-orders"])
            n6["rows"]
          end
          s0[("paid-by-key")]
          s1[("rows")]
          n0 --> n1
          n1 -- "paid" --> n2
          n2 --> n3
          n3 --- s0
          n3 --> n4
          n4 --> n5
          n1 -- "rest" --> n6
          n6 --- s1

        """)
  }

  @Test("as JSON")
  func json() throws {
    let expected = """
      {"topology":"orders","group":"ordering","subTopologies":[{"name":"order-events",
      "topics":["order-events"],"stores":["paid-by-key","rows"],"sinks":["Paid_Orders"],
      "operators":[
      {"name":"source-0","kind":"source","topic":"order-events","version":1,"parameters":{
      "format":"json","types":["CREATED v1 v2","PAID v1"],"unknownType":"ignore",
      "unknownVersion":"deadLetter","payload":"path data.body",
      "eventID":["header id without 'E-'","topic:partition:offset"],
      "eventType":["header eventType","path eventType"],
      "schemaVersion":["header schemaVersion","path schemaVersion","path version"],
      "aggregateID":["path aggregateId","key"],"aggregateType":[],
      "sequenceNumber":["path sequenceNumber"],"occurredAt":["path occurredAt"],
      "correlationID":["header correlationId","path metadata.correlationId","path correlationId"],
      "eventTime":"occurredAt","seenIDs":"7d","idScope":"shop","decode":"fail",
      "process":{"action":"parkKey","retries":3,"backoff":"1500ms"},"produce":"deadLetter",
      "conflict":"warn, deadLetter of a composed id","keyMismatch":"warn","nullKey":"deadLetter",
      "tombstone":"event GONE","sequenceGap":"hold","sequenceRegression":"warn","maxAhead":"off",
      "compacted":true,"idle":"5s"},
      "inputs":[],"stores":[]},
      {"name":"by-state","kind":"split","version":1,
      "parameters":{"branches":["paid","rest"],"hasDefault":true},"inputs":["source-0"],"stores":[]},
      {"name":"wanted","kind":"filter","version":2,"parameters":{},"inputs":["by-state/paid"],
      "stores":[]},
      {"name":"paid-by-key","kind":"count","version":1,"parameters":{},"inputs":["wanted"],
      "stores":["paid-by-key"]},
      {"name":"to-stream-4","kind":"toStream","version":1,"parameters":{"emit":"onChange"},
      "inputs":["paid-by-key"],"stores":[]},
      {"name":"to-paid-orders","kind":"sink","topic":"Paid_Orders","version":1,
      "parameters":{"key":"string","value":"json Int64","eventType":"COUNTED","schemaVersion":1},
      "inputs":["to-stream-4"],"stores":[]},
      {"name":"rows","kind":"project","version":1,"parameters":{"missingRow":"ignore",
      "sequence":"from 1"},
      "inputs":["by-state/rest"],"stores":["rows"]}]}],
      "stores":[{"name":"paid-by-key","key":"string","row":"json Int64","layout":"clustered",
      "indexes":["byCount (count desc)"],"published":true},
      {"name":"rows","key":"string","row":"string","layout":"rowNumbers","indexes":[],
      "published":false}],"outputTopics":["Paid_Orders","orders-dead"],
      "deadLetterTopic":"orders-dead","idleAdvance":null}
      """
    #expect(
      try topology().json() == expected.split(separator: "\n").joined())
  }

  @Test("a sink without a name is called after its topic, whatever else is declared")
  func sinkNames() throws {
    func names(_ extra: Int) throws -> [String] {
      let builder = StreamsBuilder("t")
      let stream = builder.stream("in", key: StringSerde(), value: StringSerde())
      for _ in 0..<extra { _ = stream.filter { _, _ in true }.peek { _, _, _ in } }
      for topic in ["out", "Out", "_._"] {
        stream.to(topic, key: StringSerde(), value: StringSerde())
      }
      return try builder.build().operators.map(\.name).filter { $0.hasPrefix("to") }
    }
    for extra in 0..<3 { #expect(try names(extra) == ["to-out", "to-out-2", "to"]) }
  }
}
