import StateStore
import StreamCore
import Testing

/// What it costs to make the state of a task: a process may make thousands at its first start.
@Suite("Fresh state")
struct FreshStateTests {
  @Test("all tables are made in a few commits, each of which waits for the disk")
  func commits() throws {
    let directory = TemporaryDirectory()
    let path = directory.path + "/state"
    let made = try TaskState.open(directory: path, identity: identity())
    // Its tables, and what it says of itself.
    #expect(made.environment.lastTransaction == 2)
    let index = Index<Row>("byTotal", [.descending("total") { $0.total }])
    _ = try made.keyValue(
      "orders", key: KeyCoder<String>(), serde: RowSerde(), layout: .rowNumbers, indexes: [index])
    #expect(made.environment.lastTransaction == 3)
    _ = try made.audit("history")
    #expect(made.environment.lastTransaction == 4)
    _ = try made.seenIDs(scope: "in")
    #expect(made.environment.lastTransaction == 5)
  }
}
