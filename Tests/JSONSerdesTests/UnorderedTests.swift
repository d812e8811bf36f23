import struct Foundation.UUID
import typealias Foundation.uuid_t
import JSONSerdes
import StreamCore
import Testing

/// DESIGN, promise 2: nothing depends on a hash seed. A dictionary's own order does, and on its
/// capacity, so one that grew to its size stands here for another process.
@Suite("Dictionaries and sets are written in one order")
struct UnorderedTests {
  enum Color: Int, Codable, CaseIterable { case red, green, blue, black }
  enum Status: String, Codable, CodingKeyRepresentable, CaseIterable { case open, paid, shipped }
  struct Place: Codable, Hashable {
    var row: Int
    var tags: Set<Int>
  }
  struct Row: Codable, Equatable {
    var byColor: [Color: Int] = [:]
    var byID: [UUID: String] = [:]
    var byNumber: [Int: String] = [:]
    var bySmallNumber: [Int8: Int] = [:]
    var byStatus: [Status: [Color: Int]] = [:]
    var byPlace: [Place: Set<Color>]?
    var byTime: [Timestamp: Decimal] = [:]
    var nested: [[Color?: Int?]] = []
    var sets: Set<Set<String>> = []
    var boxed: Boxed?
  }
  final class Boxed: Codable, Equatable {
    let flags: [Bool: Set<Double>]
    init(_ flags: [Bool: Set<Double>]) { self.flags = flags }
    static func == (left: Boxed, right: Boxed) -> Bool { left.flags == right.flags }
  }

  /// The same entries in a dictionary of another capacity, inserted in another order.
  private func shuffled<Key, Value>(
    _ dictionary: [Key: Value], _ random: inout SeededRandom
  ) -> [Key: Value] {
    var other = [Key: Value](minimumCapacity: Int.random(in: 0...2_000, using: &random))
    for (key, value) in dictionary.shuffled(using: &random) { other[key] = value }
    return other
  }

  private func shuffled<Element>(
    _ set: Set<Element>, _ random: inout SeededRandom
  ) -> Set<Element> {
    var other = Set<Element>(minimumCapacity: Int.random(in: 0...2_000, using: &random))
    for element in set.shuffled(using: &random) { other.insert(element) }
    return other
  }

  private func shuffled(_ row: Row, _ random: inout SeededRandom) -> Row {
    var other = row
    other.byColor = shuffled(row.byColor, &random)
    other.byID = shuffled(row.byID, &random)
    other.byNumber = shuffled(row.byNumber, &random)
    other.bySmallNumber = shuffled(row.bySmallNumber, &random)
    other.byStatus = shuffled(row.byStatus.mapValues { shuffled($0, &random) }, &random)
    other.byPlace = row.byPlace.map { places in
      var same: [Place: Set<Color>] = [:]
      for (place, colors) in places {
        let place = Place(row: place.row, tags: shuffled(place.tags, &random))
        same[place] = shuffled(colors, &random)
      }
      return shuffled(same, &random)
    }
    other.byTime = shuffled(row.byTime, &random)
    other.nested = row.nested.map { shuffled($0, &random) }
    other.sets = shuffled(Set(row.sets.map { shuffled($0, &random) }), &random)
    other.boxed = row.boxed.map {
      Boxed(shuffled($0.flags.mapValues { shuffled($0, &random) }, &random))
    }
    return other
  }

  private func row(_ random: inout SeededRandom) throws -> Row {
    func some<Value>(_ values: [Value]) -> [Value] {
      Array(
        values.shuffled(using: &random).prefix(Int.random(in: 0...values.count, using: &random)))
    }
    func dictionary<Key: Hashable, Value>(_ keys: [Key], _ value: (Key) throws -> Value) rethrows
      -> [Key: Value]
    {
      Dictionary(uniqueKeysWithValues: try some(keys).map { ($0, try value($0)) })
    }
    let numbers = (0..<40).map { $0 * 37 - 300 }
    var row = Row()
    row.byColor = dictionary(Color.allCases) { $0.rawValue }
    row.byID = dictionary(numbers.map { _ in UUID.random(using: &random) }) { "\($0)" }
    row.byNumber = dictionary(numbers) { "n\($0)" }
    row.bySmallNumber = dictionary((-60..<60).map { Int8($0) }) { Int($0) }
    row.byStatus = dictionary(Status.allCases) { _ in
      Dictionary(uniqueKeysWithValues: Color.allCases.map { ($0, 1) })
    }
    if Bool.random(using: &random) {
      row.byPlace = dictionary(
        numbers.prefix(9).map { Place(row: $0, tags: Set(numbers.prefix(5))) }
      ) {
        _ in Set(Color.allCases)
      }
    }
    row.byTime = try dictionary(numbers.map { Timestamp(milliseconds: Int64($0)) }) {
      try Decimal(parsing: "\($0.milliseconds).5")
    }
    row.nested = [[.red: 1, nil: 2, .blue: nil], [:], [.black: 4, .green: 5]]
    row.sets = [["a", "b", "c"], [], ["d", "\u{e9}", "\u{10000}", "\u{ff5e}"]]
    row.boxed = Boxed([true: [1.5, -2, 3e10], false: []])
    return row
  }

  @Test("whatever the order of insertion and the capacity", arguments: UInt64(1)...20)
  func order(seed: UInt64) throws {
    var random = SeededRandom(seed)
    let serde = JSONSerde<Row>()
    let row = try row(&random)
    var wanted: [UInt8] = []
    try serde.serialize(row, into: &wanted)
    #expect(try serde.deserialize(wanted.span.bytes) == row, "seed \(seed)")
    for _ in 0..<10 {
      var found: [UInt8] = []
      try serde.serialize(shuffled(row, &random), into: &found)
      #expect(
        String(decoding: found, as: UTF8.self) == String(decoding: wanted, as: UTF8.self),
        "seed \(seed)")
    }
  }

  @Test("by the bytes of their keys, in the standard library's shapes")
  func shapes() throws {
    func text(_ value: some Encodable) throws -> String {
      var writer = JSONWriter()
      try writer.value(codable: value)
      return String(decoding: writer.finish(), as: UTF8.self)
    }
    #expect(try text([Color.blue: "b", .red: "r", .green: "g"]) == #"[0,"r",1,"g",2,"b"]"#)
    #expect(
      try text([Status.shipped: 1, .open: 2, .paid: 3]) == #"{"open":2,"paid":3,"shipped":1}"#)
    #expect(try text([10: "a", 9: "b", -1: "c"]) == #"{"-1":"c","10":"a","9":"b"}"#)
    #expect(try text([Int8(10): "a", 9: "b"]) == #"[10,"a",9,"b"]"#)
    #expect(try text(["\"": 1, "a": 2, "B": 3]) == #"{"B":3,"\"":1,"a":2}"#)
    #expect(try text([Color?.none: 1, .red: 2]) == "[0,2,null,1]")
    #expect(try text([[Color: Int]: Int]()) == "[]")
    #expect(try text([String: Int]()) == "{}")
    #expect(try text([[Color.red: 1, .blue: 2]: [Set([3, 1, 2])]]) == "[[0,1,2,2],[[1,2,3]]]")
    #expect(throws: SerdeError.self) { try text([1: Double.nan]) }
  }
}

extension UUID {
  fileprivate static func random(using random: inout SeededRandom) -> UUID {
    let (high, low) = (random.next(), random.next())
    return withUnsafeBytes(of: (high, low)) { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
  }
}
