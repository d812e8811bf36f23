import Foundation
import StateStore
import StreamCore
import Testing

/// State that is refused, each with a code a program can act on.
@Suite(.serialized) struct RefusalTests {
  private let directory = TemporaryDirectory()

  private func fill() throws {
    let fixture = try StoreFixture(directory.path)
    try fixture.state.begin()
    for number in 0..<500 {
      try fixture.numbered.put("key-\(number)", Row(customer: "c", total: number))
      fixture.state.commitUnit()
    }
    try fixture.state.commit()
    try fixture.state.makeDurable()
  }

  private func refusal(_ open: () throws -> Void) -> StoreError? {
    #expect(throws: StoreError.self, performing: open)
  }

  @Test(
    "state of another identity is refused",
    arguments: [
      (identity { $0.topology = "u" }, "topology t, not u"),
      (identity { $0.subtopology = "1" }, "sub-topology s, not 1"),
      (identity { $0.partition = 1 }, "partition 0, not 1"),
      (identity { $0.partitionCount = 8 }, "partition count 4, not 8"),
      (identity { $0.partitioner = "crc32" }, "partitioner murmur2, not crc32"),
      (identity { $0.generation = 2 }, "generation 1, not 2"),
    ])
  func foreign(other: TaskIdentity, message: String) throws {
    try fill()
    let error = refusal {
      _ = try TaskState.open(directory: directory.path, identity: other)
    }
    #expect(error?.code == .foreign)
    #expect(error?.message.contains(message) == true)
  }

  @Test("another lineage is refused with what changed, per store")
  func lineage() throws {
    try fill()
    let error = refusal {
      _ = try TaskState.open(
        directory: directory.path,
        identity: identity { $0.lineage = ["orders": "v2", "sums": "v1"] })
    }
    #expect(error?.code == .lineageChanged)
    #expect(
      error?.message
        == "the topology is not the one that built this state: store 'orders': v1 is gone; "
        + "store 'orders': v2 is new; rebuild it with `projector rewind t --to earliest`, or run "
        + "the topology that built it")
    let gone = refusal {
      _ = try TaskState.open(directory: directory.path, identity: identity { $0.lineage = [:] })
    }
    #expect(gone?.code == .lineageChanged)
    #expect(gone?.message.contains("store 'orders' is gone;") == true)
  }

  @Test("stores that came later wait, those there go on, and readers are told")
  func waiting() throws {
    try fill()
    let wanted = identity { $0.lineage = ["orders": "v1", "sums": "v1"] }
    for _ in 0..<2 {
      let state = try TaskState.open(directory: directory.path, identity: wanted)
      #expect(state.identity.waiting == ["sums"] && state.identity.lineage == ["orders": "v1"])
    }
    let reader = try StateReader.open(directory.path)
    #expect(reader.identity.waiting == ["sums"])
    // A copy that lacks a store is no base of a state that is to have it.
    #expect(refusal { try wanted.check(snapshot: reader) }?.message == "the snapshot lacks 'sums'")
    try identity().check(snapshot: reader)
    // Back to the topology before: nothing waits for what nobody declares.
    _ = try TaskState.open(directory: directory.path, identity: identity())
    #expect(try StateReader.open(directory.path).identity.waiting == [])
  }

  @Test("a policy that was `fail` may become another, and is recorded as that one")
  func settled() throws {
    func lineage(_ policy: String) -> TaskIdentity {
      identity { $0.lineage = ["orders": "store\nsource in\n  decode! \(policy)"] }
    }
    func open(_ policy: String) throws {
      _ = try TaskState.open(directory: directory.path, identity: lineage(policy))
    }
    try open("fail")
    try open("skip")
    let error = refusal { try open("fail") }
    #expect(
      error?.message.contains("store 'orders': source 'in': decode was skip, is fail;") == true)
  }

  @Test("a store in another form is refused")
  func form() throws {
    try fill()
    let state = try TaskState.open(directory: directory.path, identity: identity())
    let error = refusal {
      let _: KeyValueStore<String, Row> = try state.keyValue(
        "orders", serde: RowSerde(), layout: .clustered)
    }
    #expect(error?.code == .lineageChanged && error?.store == "orders")
  }

  @Test(
    "another format is refused, by the writer and by readers, with what to do",
    arguments: [("2", StoreError.Code.older), ("4", .newer)])
  func format(stored: String, code: StoreError.Code) throws {
    try fill()
    do {
      let environment = try Environment.open(directory.path)
      let meta = try #require(try environment.existingTable("meta"))
      let write = try WriteTransaction(environment)
      try write.operations.put(meta, "format".bytes.span.bytes, stored.bytes.span.bytes)
      try write.commit()
    }
    let error = refusal { _ = try TaskState.open(directory: directory.path, identity: identity()) }
    #expect(error?.code == code)
    #expect(
      error?.message.hasPrefix("the state has format \(stored), this program reads 3: ") == true)
    #expect(refusal { _ = try StateReader.open(directory.path) }?.code == code)
  }

  @Test("state that is open is refused to a second writer, not to readers")
  func locked() throws {
    let fixture = try StoreFixture(directory.path)
    #expect(
      refusal { _ = try TaskState.open(directory: directory.path, identity: identity()) }?.code
        == .locked)
    #expect(try StateReader.open(directory.path).identity == fixture.state.identity)
  }

  @Test("no environment, and one that is no task's, are refused to readers")
  func missing() throws {
    #expect(refusal { _ = try StateReader.open(directory.path) }?.code == .missing)
    _ = try Environment.open(directory.path).table("other")
    #expect(refusal { _ = try StateReader.open(directory.path) }?.code == .foreign)
  }

  @Test("garbage for a file is refused", arguments: [10, 5000, 100_000])
  func garbage(length: Int) throws {
    try FileManager.default.createDirectory(
      atPath: directory.path, withIntermediateDirectories: true)
    let bytes = Data((0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 1) })
    try bytes.write(to: URL(filePath: directory.path + "/data.mdb"))
    #expect(
      refusal { _ = try TaskState.open(directory: directory.path, identity: identity()) }?.code
        == .corrupted)
    #expect(refusal { _ = try StateReader.open(directory.path) }?.code == .corrupted)
  }

  @Test("a truncated file is refused, not read", arguments: [0.3, 0.6, 0.95])
  func truncated(part: Double) throws {
    try fill()
    let file = try FileHandle(forUpdating: URL(filePath: directory.path + "/data.mdb"))
    let size = try file.seekToEnd()
    try file.truncate(atOffset: UInt64(Double(size) * part) / 4096 * 4096)
    try file.close()
    #expect(
      refusal { _ = try TaskState.open(directory: directory.path, identity: identity()) }?.code
        == .corrupted)
    #expect(refusal { _ = try StateReader.open(directory.path) }?.code == .corrupted)
  }

  @Test("damaged pages are errors of the read, never a trap", arguments: UInt64(0)..<8)
  func damagedRow(seed: UInt64) throws {
    try fill()
    let environment = try Environment.open(directory.path)
    let rows = try #require(try environment.existingTable("rows orders"))
    var generator = SeededGenerator(seed)
    do {
      let write = try WriteTransaction(environment)
      let key = [UInt8](repeating: 0, count: 7) + [UInt8.random(in: 0...255, using: &generator)]
      let bad = (0..<Int.random(in: 0...9, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      try write.operations.put(rows, key.span.bytes, bad.span.bytes)
      try write.commit()
    }
    let fixture = try StoreFixture(directory.path)
    try fixture.state.begin()
    var failures = 0
    for number in 0..<500 {
      do { _ = try fixture.numbered.get("key-\(number)") } catch { failures += 1 }
    }
    #expect(failures <= 1)
    fixture.state.abort()
  }

  @Test("a row without bytes is refused when it is put, and its key's row stays what it was")
  func unserializable() throws {
    let fixture = try StoreFixture(directory.path)
    let (good, bad) = (Row(customer: "c", total: 1), Row(customer: nil, total: .min))
    try fixture.state.begin()
    let refused = #expect(throws: SerdeError.self) { try fixture.numbered.put("new", bad) }
    #expect(
      refused?.reason
        == "the row of key 'new' in store 'orders' cannot be written: no such total")
    try fixture.numbered.put("a", good)
    #expect(throws: SerdeError.self) { try fixture.numbered.put("a", bad) }
    let clustered = #expect(throws: SerdeError.self) {
      try fixture.clustered.put(KeyPair("w", 7), bad)
    }
    #expect(
      clustered?.reason
        == "the row of key '[\"w\",7]' in store 'windows' cannot be written: no such total")
    #expect(try fixture.numbered.get("a") == good && fixture.numbered.get("new") == nil)
    #expect(fixture.numbered.count == 1 && fixture.clustered.count == 0)
    fixture.state.commitUnit()
    try fixture.state.commit()
    // Of a stored row, too.
    try fixture.state.begin()
    #expect(throws: SerdeError.self) { try fixture.numbered.put("a", bad) }
    #expect(try fixture.numbered.get("a") == good)
    fixture.state.commitUnit()
    try fixture.state.commit()
    let reader = try StateReader.open(directory.path)
    #expect(try reader.read { try $0.countIndex(try $0.store("orders"), "byTotal") } == 1)
  }

  /// Says that every value has bytes, which is not so.
  private struct BoastfulSerde: Serde {
    let name = "boastful Row"
    let everyValueHasBytes = true
    func serialize(_ value: Row, into bytes: inout [UInt8]) throws {
      try RowSerde().serialize(value, into: &bytes)
    }
    func deserialize(_ bytes: RawSpan) throws -> Row { try RowSerde().deserialize(bytes) }
  }

  @Test("a serde that does not keep its word fails the commit, and the interval can be dropped")
  func boastful() throws {
    let state = try TaskState.open(directory: directory.path, identity: identity())
    let store: KeyValueStore<String, Row> = try state.keyValue(
      "orders", serde: BoastfulSerde(), layout: .rowNumbers)
    try state.begin()
    try store.put("a", Row(customer: nil, total: .min))
    state.commitUnit()
    let error = refusal { try state.commit() }
    #expect(error?.code == .invalid && error?.store == "orders")
    #expect(
      error?.message
        == "serde 'boastful Row' cannot write a row (no such total), though it says that every "
        + "value has bytes, or wrote this one when it was put; correct the serde, then start again")
    state.abort()
    try state.begin()
    #expect(try store.get("a") == nil && store.count == 0)
    try store.put("a", Row(customer: nil, total: 1))
    state.commitUnit()
    try state.commit()
    #expect(store.count == 1)
  }

  @Test("an interval spilled into a map that is full is lost, and can be repeated")
  func spilledTooMuch() throws {
    let fixture = try StoreFixture(directory.path, mapSize: 2 << 20)
    let state = fixture.state
    func interval() throws {
      try state.begin()
      for number in 0..<4000 {
        try fixture.audit.append(
          key: "k", sequence: Int64(number),
          value: [UInt8](repeating: 7, count: 1000).span.bytes)
        state.commitUnit()
        if number % 500 == 499 { try state.spill() }
      }
      try state.commit()
    }
    var lost = 0
    for _ in 0..<4 {
      do {
        try interval()
        break
      } catch let error as StoreError {
        #expect(error.code == .intervalLost)
        lost += 1
        state.abort()
        #expect(fixture.audit.count == 0)
      }
    }
    #expect(lost == 2)
    #expect(fixture.audit.count == 4000)
  }
}
