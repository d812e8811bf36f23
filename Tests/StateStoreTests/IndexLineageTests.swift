import StateStore
import StreamCore
import Testing

/// DESIGN, "Lineage": an index is no lineage; one that the state lacks is built from its rows before
/// the start goes on, a changed one anew. And entries are computed from the bytes as stored.
@Suite struct IndexLineageTests {
  private let directory = TemporaryDirectory()
  private let comparison = TemporaryDirectory()

  private static let byCustomer = Index<Row>(
    "byCustomer", [.ascending("customer") { $0.customer }, .descending("total") { $0.total }])
  private static let byTotal = Index<Row>("byTotal", [.descending("total") { $0.total }])
  /// Of the same name, in another order.
  private static let byTotalRising = Index<Row>("byTotal", [.ascending("total") { $0.total }])

  /// Stores of both layouts with these indexes, in one task.
  private struct Stores {
    let state: TaskState
    let numbered: KeyValueStore<String, Row>
    let clustered: KeyValueStore<String, Row>
    let plain: KeyValueStore<String, Row>

    init(_ directory: String, _ indexes: [Index<Row>], isPublished: Bool = false) throws {
      state = try TaskState.open(
        directory: directory, identity: identity(), options: .init(mapSize: 1 << 20))
      numbered = try state.keyValue(
        "orders", serde: RowSerde(), layout: .rowNumbers, indexes: indexes, published: isPublished)
      clustered = try state.keyValue(
        "windows", serde: RowSerde(), layout: .clustered, indexes: indexes)
      // Its keys lie in the same directory, without a row of the others.
      plain = try state.keyValue("plain", serde: RowSerde(), layout: .rowNumbers)
    }

    func fill(_ count: Int) throws {
      try state.begin()
      for number in 0..<count {
        let row = Row(
          customer: number % 5 == 0 ? nil : "c\(number % 40)", total: number % 7)
        let key = number % 50 == 0 ? String(repeating: "k", count: 600) + "\(number)" : "k\(number)"
        try numbered.put(key, row)
        try clustered.put(key, row)
        try plain.put("p\(number)", row)
        state.commitUnit()
      }
      try state.commit()
    }

    func contents(_ indexes: [Index<Row>]) throws -> [[UInt8]] {
      let environment = state.environment
      let tables = try ["orders", "windows"].flatMap { store in
        try indexes.flatMap { index in
          try ["index", "count"].compactMap {
            try environment.existingTable("\($0) \(store) \(index.name)")
          }
        }
      }
      let read = try ReadTransaction(environment)
      var entries: [[UInt8]] = []
      for table in tables {
        entries.append(Array(table.name.utf8))
        var cursor = try read.operations.cursor(table)
        var found = try cursor.first()
        while found {
          entries.append(cursor.key + [0, 0] + cursor.value)
          found = try cursor.next()
        }
      }
      return entries
    }
  }

  private static let sets: [[Index<Row>]] = [
    [], [byTotal], [byTotalRising], [byCustomer, byTotal], [byTotal, byCustomer],
  ]

  @Test(
    "indexes that were added, changed or taken away are what they would be had they always been",
    arguments: 0..<5, 0..<5)
  func changed(before: Int, after: Int) throws {
    let indexes = Self.sets[after]
    do {
      let stores = try Stores(directory.path, Self.sets[before])
      try stores.fill(900)
    }
    let stores = try Stores(directory.path, indexes)
    let always = try Stores(comparison.path, indexes)
    try always.fill(900)
    #expect(try stores.contents(indexes) == always.contents(indexes))
    // And they go on with the rows.
    for current in [stores, always] {
      try current.state.begin()
      try current.numbered.put("k1", Row(customer: "new", total: 3))
      try current.numbered.delete("k2")
      try current.clustered.delete("k3")
      current.state.commitUnit()
      try current.state.commit()
    }
    #expect(try stores.contents(indexes) == always.contents(indexes))
    let gone = Self.sets[before].filter { old in !indexes.contains { $0.name == old.name } }
    #expect(
      try stores.contents(gone).allSatisfy {
        $0.starts(with: "index".bytes) || $0.starts(with: "count".bytes)
      })
    let described = try StateReader.open(directory.path).read { try $0.store("orders").indexes }
    #expect(described.map(\.name) == indexes.map(\.name))
  }

  @Test("what an interrupted start left of an index is forgotten")
  func halfBuilt() throws {
    do {
      let stores = try Stores(directory.path, [])
      try stores.fill(100)
      let environment = stores.state.environment
      for name in ["index orders byTotal", "count orders byTotal"] {
        let table = try environment.table(name)
        let write = try WriteTransaction(environment)
        try write.operations.put(table, bytes(9).span.bytes, bytes(1).span.bytes)
        try write.commit()
      }
    }
    let stores = try Stores(directory.path, [Self.byTotal])
    let always = try Stores(comparison.path, [Self.byTotal])
    try always.fill(100)
    #expect(try stores.contents([Self.byTotal]) == always.contents([Self.byTotal]))
  }

  @Test("being a view is no lineage either")
  func published() throws {
    do { try Stores(directory.path, [Self.byTotal]).fill(10) }
    do {
      let stores = try Stores(directory.path, [Self.byTotal], isPublished: true)
      #expect(stores.numbered.count == 10)
    }
    #expect(try StateReader.open(directory.path).read { try $0.store("orders").isPublished })
  }

  /// Totals go by tens, and what is below 10 is nobody's.
  private struct RoundingSerde: Serde {
    let name = "rounding Row"
    func serialize(_ value: Row, into bytes: inout [UInt8]) throws {
      try RowSerde().serialize(
        Row(customer: value.total < 10 ? nil : value.customer, total: value.total / 10 * 10),
        into: &bytes)
    }
    func deserialize(_ bytes: RawSpan) throws -> Row { try RowSerde().deserialize(bytes) }
  }

  @Test(
    "an index of a value that its serde does not give back exactly holds what the bytes say",
    arguments: [1, 2, 3, 100])
  func inexact(commitEvery: Int) throws {
    func run(_ path: String, commitEvery: Int) throws -> [[UInt8]] {
      let state = try TaskState.open(directory: path, identity: identity())
      let store: KeyValueStore<String, Row> = try state.keyValue(
        "orders", serde: RoundingSerde(), layout: .rowNumbers,
        indexes: [Self.byTotal, Self.byCustomer])
      try state.begin()
      for (step, total) in [13, 17, 28, 3, 29, 25, 14, 7, 19, 41].enumerated() {
        try store.put("a", Row(customer: "c\(step % 2)", total: total))
        try store.put("b\(step)", Row(customer: "c", total: total + 5))
        if step % 4 == 3 { try store.delete("b\(step - 2)") }
        state.commitUnit()
        if step % commitEvery == commitEvery - 1 {
          try state.commit()
          try state.begin()
        }
      }
      try state.commit()
      let reader = try StateReader.open(path)
      return try reader.read { view in
        let store = try view.store("orders")
        return try ["byTotal", "byCustomer"].flatMap { index in
          try view.scanIndex(store, index, limit: 100).rows.map { $0.key + [0] + $0.value }
        }
      }
    }
    #expect(
      try run(directory.path, commitEvery: commitEvery) == run(comparison.path, commitEvery: 1_000))
  }
}
