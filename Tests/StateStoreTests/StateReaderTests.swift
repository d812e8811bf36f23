import StateStore
import StreamCore
import Testing

@Suite struct StateReaderTests {
  private let directory = TemporaryDirectory()

  private static func text(_ bytes: [UInt8]?) -> String? {
    bytes.map { String(decoding: $0, as: UTF8.self) }
  }

  /// Rows under ids, one of them long, and a few of each customer.
  private func fill(_ fixture: StoreFixture) throws -> [String: Row] {
    var rows: [String: Row] = [:]
    try fixture.state.begin()
    for number in 0..<40 {
      let key =
        number % 7 == 3
        ? String(repeating: "k", count: 500) + "\(number)"
        : number % 7 == 4 ? "0190163d-8694-739b-aea5-966c26f8ad\(10 + number)" : "id-\(number)"
      let row = Row(customer: number % 9 == 0 ? nil : "c\(number % 3)", total: number % 5)
      try fixture.numbered.put(key, row)
      try fixture.clustered.put(KeyPair(key, number), row)
      rows[key] = row
      fixture.state.commitUnit()
    }
    try fixture.state.commit()
    return rows
  }

  /// Keys in the order of their texts.
  private static func sortedKeys(_ rows: [String: Row]) -> [[UInt8]] {
    rows.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map(\.encoded)
  }

  @Test(
    "pages of a scan are the store in order, both ways", arguments: [1, 3, 40, 41], [false, true])
  func scan(limit: Int, reverse: Bool) throws {
    let rows = try fill(try StoreFixture(directory.path))
    let reader = try StateReader.open(directory.path)
    for name in ["orders", "windows"] {
      var keys: [[UInt8]] = []
      var cursor: ScanCursor?
      repeat {
        let page = try reader.read { view in
          try view.scan(
            try view.store(name), [KeyRange()], reverse: reverse, cursor: cursor, limit: limit)
        }
        #expect(page.rows.count <= limit)
        keys += page.rows.map(\.key)
        for row in page.rows {
          let read = try reader.read { try $0.get(try $0.store(name), key: row.key) }
          #expect(read == row.value)
        }
        cursor = page.cursor
      } while cursor != nil
      let expected = Self.sortedKeys(rows)
      if name == "orders" { #expect(keys == (reverse ? expected.reversed() : expected)) }
      #expect(keys.count == 40)
      #expect(try reader.read { try $0.count(try $0.store(name)) } == 40)
    }
  }

  @Test(
    "rows that are only passed are the same ones, without their values",
    arguments: ["orders", "windows", "audit"], [false, true])
  func keysOnly(store name: String, reverse: Bool) throws {
    let fixture = try StoreFixture(directory.path)
    let rows = try fill(fixture)
    let reader = try StateReader.open(directory.path)
    func check() throws {
      let pages = try reader.read { view in
        try [false, true].map { keysOnly in
          try view.scan(
            try view.store(name), reverse: reverse, limit: 100, keysOnly: keysOnly)
        }
      }
      #expect(pages[1].rows.map(\.key) == pages[0].rows.map(\.key))
      #expect(pages[1].rows.allSatisfy { $0.value.isEmpty })
    }
    try check()
    try fixture.state.begin()
    // The directory then has a key without a row, and one of another store.
    try fixture.numbered.delete(rows.keys.sorted()[3])
    try fixture.audit.append(key: "a", sequence: 1, value: "a1".bytes.span.bytes)
    fixture.state.commitUnit()
    try fixture.state.commit()
    try check()
  }

  @Test(
    "a prefix finds strings and UUIDs that begin so",
    arguments: ["", "id-1", "0190", "0190163d-8694-739b-aea5-966c26f8ad1", "k", "0190163D", "zz"])
  func prefix(text: String) throws {
    let rows = try fill(try StoreFixture(directory.path))
    let reader = try StateReader.open(directory.path)
    let page = try reader.read { view in
      let store = try view.store("orders")
      return try view.scan(
        store, [try KeyText.prefixRange(text, types: store.keyTypes)], limit: 100)
    }
    let expected = Self.sortedKeys(rows.filter { $0.key.hasPrefix(text) })
    #expect(page.rows.map(\.key) == expected)
    #expect(try page.rows.allSatisfy { try KeyText.text($0.key).hasPrefix(text) })
    #expect(page.cursor == nil)
  }

  @Test(
    "an index gives its rows in order, page by page, and counts them",
    arguments: ["orders", "windows"], [false, true])
  func index(store name: String, reverse: Bool) throws {
    let rows = try fill(try StoreFixture(directory.path))
    let reader = try StateReader.open(directory.path)
    for customer in ["c0", "c1", "c2", "none"] {
      let values = [KeyComponent.string(customer)]
      var found: [IndexedRow] = []
      var cursor: [UInt8]?
      repeat {
        let page = try reader.read { view in
          try view.scanIndex(
            try view.store(name), "byCustomer", values: values, reverse: reverse, cursor: cursor,
            limit: 4)
        }
        found += page.rows
        cursor = page.cursor
      } while cursor != nil
      let expected = rows.values.filter { $0.customer == customer }
      #expect(found.count == expected.count)
      #expect(
        try reader.read { try $0.countIndex(try $0.store(name), "byCustomer", values: values) }
          == expected.count)
      for row in found {
        #expect(row.values.first == .string(customer))
        let read = try reader.read { try $0.get(try $0.store(name), key: row.key) }
        #expect(read == row.value)
      }
      if name == "orders" {
        // Descending by total.
        let totals = expected.map(\.total).sorted { reverse ? $0 < $1 : $0 > $1 }
        #expect(found.map { $0.values[1] } == totals.map { .integer(Int64($0)) })
        let passed = try reader.read { view in
          try view.scanIndex(
            try view.store(name), "byCustomer", values: values, reverse: reverse, limit: 100,
            keysOnly: true)
        }
        #expect(passed.rows.map(\.entry) == found.map(\.entry))
        #expect(passed.rows.allSatisfy { $0.value.isEmpty })
      }
    }
    let indexed = rows.values.filter { $0.customer != nil }.count
    #expect(try reader.read { try $0.countIndex(try $0.store(name), "byCustomer") } == indexed)
    if name == "orders" {
      let two = rows.values.filter { $0.customer == "c1" && $0.total == 2 }.count
      #expect(
        try reader.read {
          try $0.countIndex(
            try $0.store(name), "byCustomer", values: [.string("c1"), .integer(2)])
        } == two)
    }
  }

  @Test("an audit view shows [key, sequence] and numbers repeats", arguments: [false, true])
  func audit(reverse: Bool) throws {
    let fixture = try StoreFixture(directory.path)
    try fixture.state.begin()
    for (key, sequence, value) in [
      ("b", 2, "b2"), ("a", 1, "a1"), ("b", 1, "b1"), ("a", nil, "a-"), ("a", 1, "a1 again"),
      ("a", -1, "a-1"), ("a", 1, "a1 thrice"),
    ] as [(String, Int64?, String)] {
      try fixture.audit.append(key: key, sequence: sequence, value: value.bytes.span.bytes)
      fixture.state.commitUnit()
    }
    try fixture.state.commit()
    let reader = try StateReader.open(directory.path)
    var expected = [
      (#"["a",null]"#, "a-"), (#"["a",-1]"#, "a-1"), (#"["a",1]"#, "a1"),
      (#"["a",1,1]"#, "a1 again"), (#"["a",1,2]"#, "a1 thrice"), (#"["b",1]"#, "b1"),
      (#"["b",2]"#, "b2"),
    ]
    if reverse { expected.reverse() }
    var found: [(String, String)] = []
    var cursor: ScanCursor?
    repeat {
      let page = try reader.read { view in
        try view.scan(try view.store("audit"), reverse: reverse, cursor: cursor, limit: 2)
      }
      for row in page.rows {
        found.append((try KeyText.text(row.key), Self.text(row.value) ?? ""))
        let read = try reader.read { try $0.get(try $0.store("audit"), key: row.key) }
        #expect(read == row.value)
      }
      cursor = page.cursor
    } while cursor != nil
    #expect(found.map(\.0) == expected.map(\.0) && found.map(\.1) == expected.map(\.1))
    let ofA = try reader.read { view in
      try view.scan(try view.store("audit"), [KeyRange(prefix: "a".encoded)], limit: 9)
    }
    #expect(ofA.rows.count == 5)
  }

  @Test("a reader sees words, ids and entries, and a new commit with its next view")
  func tables() throws {
    let fixture = try StoreFixture(directory.path)
    let reader = try StateReader.open(directory.path)
    #expect(reader.identity == identity())
    let id = Hash128("e1".bytes.span.bytes)
    #expect(try reader.read { try $0.seenID(id) } == nil)
    try fixture.state.begin()
    fixture.state.words[fixture.counter] = 7
    try fixture.ids.insert(id, offset: 3, valueHash: 4, streamTime: .epoch)
    fixture.state.deadLetters.insert(group: "k".bytes, idHash: id, "bytes".bytes.span.bytes)
    fixture.state.commitUnit()
    #expect(try reader.read { try $0.words()["counter"] } ?? 0 == 0)
    try fixture.state.commit()
    try reader.read { view in
      #expect(try view.words()["counter"] == 7)
      #expect(try view.seenID(id) == SeenID(offset: 3, valueHash: 4))
      #expect(try view.entries("deadLetters", limit: 5).map(\.bytes) == ["bytes".bytes])
      #expect(try view.entries("deadLetters", id: id).map(\.number) == [1])
      #expect(try view.entry("deadLetters", 1)?.group == "k".bytes)
      #expect(try view.entries("held", limit: 5).isEmpty)
      let stores = try view.stores()
      #expect(stores.map(\.name) == ["audit", "orders", "windows"])
      #expect(stores[1].isPublished && !stores[2].isPublished)
      #expect(stores[2].keyTypes == [.string, .integer] && stores[2].layout == .clustered)
    }
    let error = #expect(throws: StoreError.self) { try reader.read { try $0.store("nope") } }
    #expect(error?.code == .missing)
    #expect(error?.message == "there is no such view; there are: orders")
  }

  @Test("a snapshot is a state of its own, as of the last commit")
  func snapshot() throws {
    let fixture = try StoreFixture(directory.path)
    let rows = try fill(fixture)
    let target = directory.path + "-snapshot"
    let copy = TemporaryDirectory(path: target)
    try fixture.state.snapshot(to: copy.path)
    try fixture.state.begin()
    try fixture.numbered.put("later", Row(customer: nil, total: 1))
    fixture.state.commitUnit()
    try fixture.state.commit()
    let reader = try StateReader.open(copy.path)
    #expect(try reader.read { try $0.count(try $0.store("orders")) } == rows.count)
    let error = #expect(throws: StoreError.self) { try fixture.state.snapshot(to: copy.path) }
    #expect(error?.code == .locked)
    let restored = try StoreFixture(copy.path)
    try restored.state.begin()
    for (key, row) in rows { #expect(try restored.numbered.get(key) == row) }
    restored.state.abort()
  }
}
