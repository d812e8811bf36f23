import StateStore
import StreamCore
import Testing
import TopologyTesting

@testable import Topology

/// DESIGN, "Lineage": stateful operators by name, stateless ones by kind, version and their place on
/// the way to the store; an operator elsewhere changes no store's lineage.
@Suite("Lineage")
struct LineageTests {
  @Test("lineage says what has meaning, and nothing else")
  func text() throws {
    let builder = StreamsBuilder("t")
    let left = builder.stream(
      "left", key: StringSerde(), value: StringSerde(),
      policies: SourcePolicies(process: .skip.retrying(5)), compacted: true, idle: .seconds(1))
    let right = builder.stream("right", key: StringSerde(), value: StringSerde())
    left.to("copy", key: StringSerde(), value: StringSerde())
    let split = right.split(named: "s").branch("a") { _, _ in true }.defaultBranch("b")
    left.filter(named: "a-name", version: 3) { _, _ in true }.merge(split["b"])
      .groupByKey().count(named: "sums")
      .view(indexes: [Index("byCount", [.ascending("count") { $0 }])])
    #expect(
      try builder.build().lineage(ofStore: "sums") == """
        store
          key: string
          row: json Int64
          layout: rowNumbers
        source left
          key: string
          value: string
          seenIDs: forever
          decode! deadLetter
          process! skip
          produce! deadLetter
          conflict! warn, deadLetter of a composed id
          keyMismatch! warn
          nullKey! deadLetter
          tombstone! deadLetter
          sequenceGap! warn
          sequenceRegression! warn
          maxAhead: 1d
        source right
          key: string
          value: string
          seenIDs: forever
          decode! deadLetter
          process! deadLetter
          produce! deadLetter
          conflict! warn, deadLetter of a composed id
          keyMismatch! warn
          nullKey! deadLetter
          tombstone! deadLetter
          sequenceGap! warn
          sequenceRegression! warn
          maxAhead: 1d
        split
          inputs: 2
          version: 1
          branches: a, b
          hasDefault: true
        filter
          inputs: 1
          version: 3
        merge
          inputs: 4, 3/b
          version: 1
        count sums
          inputs: 5
          version: 1
        """)
  }

  @Test("stores that operators share carry the lineage of all that write them")
  func shared() throws {
    func lineage(version: Int, _ store: String) throws -> String {
      let builder = StreamsBuilder("t")
      let stream = builder.stream("in", key: StringSerde(), value: StringSerde())
      let (a, b) = (
        builder.store(named: "a", key: String.self, as: StringSerde()),
        builder.store(named: "b", key: String.self, as: StringSerde())
      )
      func pass(_ name: String, _ stores: [String], _ version: Int = 1) {
        let _: KStream<String, String> = stream.process(
          named: name, stores: stores, version: version
        ) { _ in Processor { _, _ in } }
      }
      pass("reads-b-writes-a", [a.name, b.name])
      pass("writes-b", [b.name], version)
      return try builder.build().lineage(ofStore: store)
    }
    for store in ["a", "b"] {
      #expect(try lineage(version: 1, store) != lineage(version: 2, store))
      #expect(try lineage(version: 1, store).contains("process writes-b"))
    }
  }

  // MARK: Random graphs

  /// A topology of one source and a few branches, some of which end in a store. What is elsewhere
  /// and what is changed are decided apart from the shape.
  private struct Shape {
    let seed: UInt64
    /// Adds operators, peeks, sinks and indexes on branches of their own.
    var extras: UInt64?
    /// The operator to change, by its place among those declared, and how.
    var change: (place: Int, how: Int)?

    struct Built {
      let lineage: [String: String]
      let operators: Int
      /// Places of the operators above each store.
      let above: [String: Set<Int>]
    }

    func build() throws -> Built {
      var random = SplitMix64(seed: seed)
      var extra = SplitMix64(seed: extras ?? 0)
      let builder = StreamsBuilder("random")
      var place = 0
      var parents: [[Int]] = []
      func declare(_ inputs: [Int]) -> (version: Int, isChanged: Bool) {
        defer { place += 1 }
        parents.append(inputs)
        let isChanged = change?.place == place
        return (isChanged && change?.how == 0 ? 2 : 1, isChanged && change?.how != 0)
      }
      func add(_ stream: KStream<String, String>) {
        guard extras != nil else { return }
        var branch = stream
        for _ in 0..<extra.next(upTo: 4) {
          branch =
            switch extra.next(upTo: 3) {
            case 0: branch.filter { _, _ in true }
            case 1: branch.peek { _, _, _ in }
            default: branch.mapValues { _, value in value }
            }
        }
        let number = builder.operators.count
        if extra.next(upTo: 2) == 0 {
          branch.to("out", key: StringSerde(), value: StringSerde(), named: "sink-\(number)")
        } else {
          branch.groupByKey().count(named: "extra-\(number)")
        }
      }
      let source = declare([])
      // A source's change is of a policy or its value's serde.
      let root = builder.stream(
        "in", key: StringSerde(),
        value: NamedSerde(name: source.isChanged && change?.how == 1 ? "other" : "string"),
        policies: SourcePolicies(
          process: source.version == 2 || (source.isChanged && change?.how == 2)
            ? .skip : .deadLetter))
      var streams = [(root, 0)]
      var above: [String: Set<Int>] = [:]
      func ancestors(_ id: Int) -> Set<Int> {
        parents[id].reduce(into: [id]) { $0.formUnion(ancestors($1)) }
      }
      for number in 0..<(3 + random.next(upTo: 8)) {
        let (stream, parent) = streams[Int(random.next(upTo: UInt64(streams.count)))]
        add(stream)
        let kind = random.next(upTo: 5)
        let (other, otherParent) = streams[Int(random.next(upTo: UInt64(streams.count)))]
        if kind == 3 {
          let (version, isChanged) = declare([parent])
          let table = stream.groupByKey().aggregate(
            into: "", named: "rows-\(number)",
            as: NamedSerde(name: isChanged ? "other" : "string"), version: version
          ) { $0 += $1 }
          if extras != nil {
            table.view(indexes: [Index("byText", [.ascending("text") { $0 }])])
          }
          above["rows-\(number)"] = ancestors(place - 1)
        } else if kind == 4 {
          // A merge has no version: what changes is whether it is there.
          let isChanged = change?.place == place
          _ = declare(isChanged ? [parent] : [parent, otherParent])
          streams.append((isChanged ? stream : stream.merge(other), place - 1))
        } else {
          let (version, isChanged) = declare([parent])
          let next =
            kind == 0 || (isChanged && kind == 1)
            ? stream.filter(version: version) { _, _ in true }
            : kind == 1
              ? stream.filterNot(version: version) { _, _ in false }
              : stream.mapValues(version: version) { _, value in value }
          // Another kind in its place.
          streams.append(
            (isChanged && kind != 1 ? next.filterNot { _, _ in false } : next, place - 1))
        }
      }
      // So that there is one.
      let last = streams[streams.count - 1]
      let (version, isChanged) = declare([last.1])
      last.0.groupByKey().aggregate(
        into: "", named: "last", as: NamedSerde(name: isChanged ? "other" : "string"),
        version: version
      ) { $0 += $1 }
      above["last"] = ancestors(place - 1)
      let topology = try builder.build()
      return Built(
        lineage: Dictionary(
          uniqueKeysWithValues: above.keys.map { ($0, topology.lineage(ofStore: $0)) }),
        operators: place, above: above)
    }
  }

  private struct NamedSerde: Serde {
    let name: String
    func serialize(_ value: String, into bytes: inout [UInt8]) { bytes += Array(value.utf8) }
    func deserialize(_ bytes: RawSpan) throws -> String { try StringSerde().deserialize(bytes) }
  }

  @Test("operators elsewhere change no store's lineage", arguments: UInt64(0)..<60)
  func elsewhere(seed: UInt64) throws {
    let plain = try Shape(seed: seed).build()
    for extras in seed * 3..<seed * 3 + 3 {
      #expect(try Shape(seed: seed, extras: extras).build().lineage == plain.lineage)
    }
  }

  @Test(
    "a change above a store changes the stores below it, and no others", arguments: UInt64(0)..<60)
  func above(seed: UInt64) throws {
    let plain = try Shape(seed: seed).build()
    for place in 0..<plain.operators {
      for how in 0..<3 {
        let changed = try Shape(seed: seed, extras: seed, change: (place, how)).build()
        for (store, above) in plain.above {
          let old = StoreLineage(text: try #require(plain.lineage[store]))
          let new = StoreLineage(text: try #require(changed.lineage[store]))
          #expect((old != new) == above.contains(place), "\(store), operator \(place), \(how)")
          #expect(old.changes(to: new).isEmpty == (old == new))
        }
      }
    }
  }
}
