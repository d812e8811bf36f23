import StateStore
import StreamCore
import Testing

/// How answers are read: in the order of texts, in bounded steps, from where a page ended.
@Suite struct ReadingTests {
  private let directory = TemporaryDirectory()

  // MARK: Keys are text

  /// Texts around UUIDs: whole ones, beginnings, capitals, what goes on behind one.
  private static func texts(_ random: inout SeededGenerator) -> [String] {
    let digits = Array("0123456789abcdef")
    var texts: Set<String> = ["", "\u{0}", "a\u{0}b", "ÿ"]
    for _ in 0..<60 {
      // Few leading digits, so that many lie close together.
      var uuid = ""
      for place in 0..<36 {
        if [8, 13, 18, 23].contains(place) {
          uuid += "-"
        } else {
          uuid.append(place < 32 ? "8" : digits[Int(random.next(upperBound: 16 as UInt64))])
        }
      }
      texts.insert(uuid)
      switch random.next(upperBound: 6 as UInt64) {
      case 0: texts.insert(uuid.uppercased())
      case 1: texts.insert(String(uuid.prefix(Int(random.next(upperBound: 36 as UInt64)))))
      case 2: texts.insert(uuid + "x")
      case 3: texts.insert(String(uuid.prefix(35)) + "g")
      case 4: texts.insert("id-\(random.next(upperBound: 100 as UInt64))")
      default: texts.insert(String(digits[Int(random.next(upperBound: 16 as UInt64))]))
      }
    }
    return texts.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  @Test(
    "keys are text: UUIDs bound, order and page among other texts", arguments: UInt64(0)..<12)
  func keysAreText(seed: UInt64) throws {
    var random = SeededGenerator(seed)
    let texts = Self.texts(&random)
    let fixture = try StoreFixture(directory.path)
    let pairs: KeyValueStore<KeyPair<Int, String>, Row> = try fixture.state.keyValue(
      "pairs", serde: RowSerde(), layout: .clustered,
      indexes: [Index("byTotal", [.ascending("total") { $0.total }])], published: true)
    try fixture.state.begin()
    for text in texts {
      try fixture.numbered.put(text, Row(customer: nil, total: 0))
      try fixture.audit.append(key: text, sequence: 1, value: text.bytes.span.bytes)
      for group in 0..<3 where random.next(upperBound: 2 as UInt64) == 0 || group == 1 {
        try pairs.put(KeyPair(group, text), Row(customer: nil, total: group))
      }
      fixture.state.commitUnit()
    }
    try fixture.state.commit()
    let reader = try StateReader.open(directory.path)

    for _ in 0..<20 {
      let reverse = random.next(upperBound: 2 as UInt64) == 0
      let limit = Int(random.next(upperBound: 9 as UInt64)) + 1
      let (from, to) = (bound(texts, &random), bound(texts, &random))
      let expected = texts.filter { text in
        from.map { !text.utf8.lexicographicallyPrecedes($0.utf8) } ?? true
          && to.map { text.utf8.lexicographicallyPrecedes($0.utf8) } ?? true
      }
      let ordered = reverse ? expected.reversed() : expected
      let range = KeyRange(
        from: from.map { TextOrder.bytes([.string($0)]) },
        to: to.map { TextOrder.bytes([.string($0)]) })
      let orders = try pages(reader, "orders", [range], reverse, limit)
      #expect(try orders.map { try KeyText.text($0.key) } == ordered)
      let audit = try pages(reader, "audit", [range], reverse, limit)
      #expect(audit.map { String(decoding: $0.value, as: UTF8.self) } == ordered)
      // Within a group of a composite key.
      let group = KeyRange(
        from: TextOrder.bytes([.integer(1)] + (from.map { [.string($0)] } ?? [])),
        to: to.map { TextOrder.bytes([.integer(1), .string($0)]) }
          ?? TextOrder.range(of: [.integer(1)]).to)
      let second = try pages(reader, "pairs", [group], reverse, limit).map { row in
        guard case .string(let text)? = try EncodedKey(encoded: row.key).components().last else {
          return ""
        }
        return text
      }
      #expect(second == ordered)
    }
    // A whole tree of groups, and an index whose entries end with such keys.
    let all = try pages(reader, "pairs", [KeyRange()], false, 7).map(\.order)
    #expect(all == all.sorted { $0.lexicographicallyPrecedes($1) })
    #expect(all.count == (try reader.read { try $0.count(try $0.store("pairs")) }))
    let backwards = try pages(reader, "pairs", [KeyRange()], true, 7).map(\.order)
    #expect(backwards == all.reversed())
    var entries: [[UInt8]] = []
    var cursor: [UInt8]?
    repeat {
      let page = try reader.read { view in
        try view.scanIndex(
          try view.store("pairs"), "byTotal", from: .integer(1), to: .integer(2), cursor: cursor,
          limit: 5)
      }
      entries += page.rows.map(\.order)
      cursor = page.cursor
    } while cursor != nil
    #expect(entries.count == texts.count)
    #expect(entries == entries.sorted { $0.lexicographicallyPrecedes($1) })
  }

  @Test("a UUID takes 16 bytes at the end of a key, and is text elsewhere, in indexes too")
  func uuidsElsewhere() throws {
    let uuids = ["0190163d-8694-739b-aea5-966c26f8ad91", "ffffffff-8694-739b-aea5-966c26f8ad91"]
    let texts = ["0", uuids[0], "8", uuids[1], "z"]
    #expect(KeyPair(uuids[0], 7).encoded == [0x30] + uuids[0].bytes + [0x00] + 7.encoded)
    #expect(KeyPair(7, uuids[0]).encoded.count == 9 + 17)
    #expect(
      KeyPair(KeyPair(7, uuids[0]), "x").encoded
        == EncodedKey([.integer(7), .string(uuids[0]), .string("x")]).bytes)
    // What looks like one at the end of a text is none.
    #expect(KeyPair("8123456789012345", 1).encoded.starts(with: [0x30, 0x38, 0x31]))
    let encoded = texts.map { KeyPair($0, 1).encoded }
    #expect(encoded == encoded.sorted { $0.lexicographicallyPrecedes($1) })

    let fixture = try StoreFixture(directory.path)
    try fixture.state.begin()
    for (number, text) in texts.enumerated() {
      try fixture.numbered.put("k\(number)", Row(customer: text, total: number))
      try fixture.clustered.put(KeyPair(text, number), Row(customer: nil, total: number))
      try fixture.audit.append(key: text, sequence: 5, value: text.bytes.span.bytes)
      fixture.state.commitUnit()
    }
    try fixture.state.commit()
    let reader = try StateReader.open(directory.path)
    let byCustomer = try reader.read { view in
      try view.scanIndex(
        try view.store("orders"), "byCustomer", from: .string(uuids[0]), to: .string("z"),
        limit: 9)
    }
    #expect(byCustomer.rows.map { $0.values[0] } == texts[1...3].map { .string($0) })
    let one = try reader.read { view in
      try view.countIndex(try view.store("orders"), "byCustomer", values: [.string(uuids[1])])
    }
    #expect(one == 1)
    let pairs = try pages(reader, "windows", [KeyRange()], false, 2)
    #expect(
      try pairs.map { try EncodedKey(encoded: $0.key).components()[0] }
        == texts.map { .string($0) })
    for row in try pages(reader, "audit", [KeyRange()], false, 2) {
      let key = EncodedKey(try EncodedKey(encoded: row.key).components()).bytes
      #expect(key == row.key)
      #expect(try reader.read { try $0.get(try $0.store("audit"), key: key) } == row.value)
    }
  }

  private func bound(_ texts: [String], _ random: inout SeededGenerator) -> String? {
    switch random.next(upperBound: 4 as UInt64) {
    case 0: nil
    case 1: String(texts[Int(random.next(upperBound: UInt64(texts.count)))].dropLast())
    default: texts[Int(random.next(upperBound: UInt64(texts.count)))]
    }
  }

  private func pages(
    _ reader: StateReader, _ store: String, _ ranges: [KeyRange], _ reverse: Bool, _ limit: Int
  ) throws -> [StoredRow] {
    var rows: [StoredRow] = []
    var cursor: ScanCursor?
    repeat {
      let page = try reader.read { view in
        try view.scan(
          try view.store(store), ranges, reverse: reverse, cursor: cursor, limit: limit)
      }
      #expect(page.rows.count <= limit)
      rows += page.rows
      cursor = page.cursor
    } while cursor != nil
    return rows
  }

  // MARK: Bounded pages

  @Test("a page passes a bounded number of keys that have no row of its view")
  func sparse() throws {
    let fixture = try StoreFixture(directory.path)
    let few: KeyValueStore<String, Row> = try fixture.state.keyValue(
      "few", serde: RowSerde(), layout: .rowNumbers, published: true)
    try fixture.state.begin()
    for number in 0..<10_000 {
      try fixture.numbered.put("k\(number)", Row(customer: nil, total: 1))
      fixture.state.commitUnit()
    }
    try few.put("zzz", Row(customer: nil, total: 2))
    fixture.state.commitUnit()
    try fixture.state.commit()
    let reader = try StateReader.open(directory.path)
    for keysOnly in [false, true] {
      var (counts, cursor): ([Int], ScanCursor?) = ([], nil)
      repeat {
        let page = try reader.read { view in
          try view.scan(try view.store("few"), cursor: cursor, limit: 20, keysOnly: keysOnly)
        }
        counts.append(page.rows.count)
        cursor = page.cursor
      } while cursor != nil
      // 10,001 keys of the task, 4,096 a page.
      #expect(counts == [0, 0, 1])
    }
  }

  @Test("a page ends with the row that reaches its bytes; any limit is a limit")
  func bytes() throws {
    let fixture = try StoreFixture(directory.path)
    try fixture.state.begin()
    for number in 0..<9 {
      let row = Row(customer: String(repeating: "c", count: 98), total: 1)
      try fixture.numbered.put("k\(number)", row)
      fixture.state.commitUnit()
    }
    try fixture.state.commit()
    let reader = try StateReader.open(directory.path)
    let page = try reader.read { view in
      try view.scan(try view.store("orders"), limit: .max, bytesMax: 250)
    }
    #expect(page.rows.count == 3)
    #expect(page.cursor == page.rows.last?.cursor)
    let all = try reader.read { try $0.scan(try $0.store("orders"), limit: .max) }
    #expect(all.rows.count == 9 && all.cursor == nil)
    let indexed = try reader.read { view in
      try view.scanIndex(try view.store("orders"), "byTotal", limit: .max, bytesMax: 250)
    }
    #expect(indexed.rows.count == 3 && indexed.cursor == indexed.rows.last?.order)
  }

  // MARK: Audit views

  @Test("a page of an audit view goes on where the last one ended", arguments: [false, true])
  func auditPages(reverse: Bool) throws {
    let fixture = try StoreFixture(directory.path)
    try fixture.state.begin()
    let count = 2_000
    for number in 0..<count {
      // Many without a number, then repeats, then one each.
      let sequence: Int64? = number < 900 ? nil : number < 1_000 ? 7 : Int64(number)
      try fixture.audit.append(
        key: "hot", sequence: sequence, value: "\(number)".bytes.span.bytes)
      fixture.state.commitUnit()
    }
    try fixture.audit.append(key: "zz", sequence: 1, value: "zz".bytes.span.bytes)
    fixture.state.commitUnit()
    try fixture.state.commit()
    let reader = try StateReader.open(directory.path)
    let rows = try pages(reader, "audit", [KeyRange()], reverse, 70)
    var expected = (0..<count).map { "\($0)" } + ["zz"]
    if reverse { expected.reverse() }
    #expect(rows.map { String(decoding: $0.value, as: UTF8.self) } == expected)
    #expect(Set(rows.map(\.key)).count == count + 1)
    // A cursor of another partition has no place: found by its key, the rest is the same.
    let middle = rows[1_050]
    let rest = try reader.read { view in
      try view.scan(
        try view.store("audit"), reverse: reverse, cursor: ScanCursor(order: middle.order),
        limit: 3_000)
    }
    #expect(rest.rows == Array(rows[1_051...]))
    for row in [rows[0], rows[899], rows[950], middle] {
      let found = try reader.read { try $0.get(try $0.store("audit"), key: row.key) }
      #expect(found == row.value)
    }
  }

  @Test("what lies before a page of an audit view is not read again")
  func auditSeeks() throws {
    let fixture = try StoreFixture(directory.path)
    try fixture.state.begin()
    for number in 0..<100 {
      try fixture.audit.append(
        key: "hot", sequence: Int64(number), value: "\(number)".bytes.span.bytes)
      fixture.state.commitUnit()
    }
    try fixture.state.commit()
    let reader = try StateReader.open(directory.path)
    let page = try reader.read { try $0.scan(try $0.store("audit"), limit: 50) }
    // An entry at the beginning of the aggregate that nobody can read.
    let write = try WriteTransaction(reader.environment)
    let tree = try #require(try reader.environment.existingTable("tree audit"))
    try write.operations.put(tree, ([0, 0, 0, 0, 0, 0, 0, 0, 1] as [UInt8]).span.bytes, RawSpan())
    try write.commit()
    let next = try reader.read { view in
      try view.scan(try view.store("audit"), cursor: page.cursor, limit: 10)
    }
    #expect(
      next.rows.map { String(decoding: $0.value, as: UTF8.self) } == (50..<60).map { "\($0)" })
    let last = try reader.read { view in
      try view.get(
        try view.store("audit"), key: EncodedKey([.string("hot"), .integer(99)]).bytes)
    }
    #expect(last == "99".bytes)
    #expect(throws: StoreError.self) {
      try reader.read { _ = try $0.scan(try $0.store("audit"), limit: 1) }
    }
  }

  // MARK: Kept entries

  @Test("entries are read in pages by bytes, and counted by their groups")
  func entries() throws {
    let fixture = try StoreFixture(directory.path)
    try fixture.state.begin()
    for number in 0..<10 {
      let id = Hash128(high: UInt64(number), low: 1)
      fixture.state.held.insert(
        group: number < 7 ? [1] : [1, 2], idHash: id,
        [UInt8](repeating: 0, count: 100).span.bytes)
      fixture.state.commitUnit()
    }
    try fixture.state.commit()
    let reader = try StateReader.open(directory.path)
    let page = try reader.read { try $0.entries("held", after: 2, limit: 9, bytesMax: 250) }
    #expect(page.map(\.number) == [3, 4, 5])
    var (groups, cursor): ([EntryGroup], [UInt8]?) = ([], nil)
    repeat {
      let page = try reader.read { try $0.entryGroups("held", after: cursor, limit: 4) }
      groups += page.groups
      cursor = page.cursor
    } while cursor != nil
    // A group may go on on the next page.
    let counts = Dictionary(groups.map { ($0.group, $0.count) }, uniquingKeysWith: +)
    let firsts = Dictionary(groups.map { ($0.group, $0.first) }, uniquingKeysWith: min)
    let found = counts.map { [firsts[$0] ?? 0, Int64($1)] }
    #expect(found.sorted { $0[0] < $1[0] } == [[1, 7], [8, 3]])
  }
}
