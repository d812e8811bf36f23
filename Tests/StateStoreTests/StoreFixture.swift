import StateStore
import StreamCore

/// A row with what indexes need.
struct Row: Hashable {
  var customer: String?
  var total: Int
}

/// `customer|total`, or `total` alone.
struct RowSerde: Serde {
  let name = "text Row"

  func serialize(_ value: Row, into bytes: inout [UInt8]) throws {
    if value.total == .min { throw SerdeError("no such total") }
    bytes.append(contentsOf: "\(value.customer.map { $0 + "|" } ?? "")\(value.total)".utf8)
  }

  func deserialize(_ bytes: RawSpan) throws -> Row {
    let text = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    let parts = text.split(separator: "|", omittingEmptySubsequences: false)
    guard let last = parts.last, let total = Int(last) else { throw SerdeError("no total") }
    return Row(
      customer: parts.count > 1 ? parts.dropLast().joined(separator: "|") : nil, total: total)
  }
}

func identity(_ change: (inout TaskIdentity) -> Void = { _ in }) -> TaskIdentity {
  var identity = TaskIdentity(
    topology: "t", subtopology: "s", partition: 0, partitionCount: 4, lineage: ["orders": "v1"])
  change(&identity)
  return identity
}

/// A task with a store of each layout, and what else the tests drive.
struct StoreFixture {
  let state: TaskState
  let numbered: KeyValueStore<String, Row>
  let clustered: KeyValueStore<KeyPair<String, Int>, Row>
  let audit: AuditStore
  let ids: SeenIDs
  let counter: Int
  let destination: Int

  init(_ directory: String, mapSize: Int = 1 << 30) throws {
    state = try TaskState.open(
      directory: directory, identity: identity(), options: .init(mapSize: mapSize))
    numbered = try state.keyValue(
      "orders", serde: RowSerde(), layout: .rowNumbers,
      indexes: [
        Index(
          "byCustomer",
          [.ascending("customer") { $0.customer }, .descending("total") { $0.total }]),
        Index("byTotal", [.descending("total") { $0.total }]),
      ], published: true)
    clustered = try state.keyValue(
      "windows", serde: RowSerde(), layout: .clustered,
      indexes: [Index("byCustomer", [.ascending("customer") { $0.customer }])])
    audit = try state.audit("audit")
    ids = try state.seenIDs(scope: "orders")
    counter = state.words.register("counter")
    destination = state.outbox.destination("sink")
  }
}
