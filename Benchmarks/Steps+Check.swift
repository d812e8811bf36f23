import Glibc
import JSONSerdes
import OrderProjections
import StateStore
import StreamCore
import Topology

extension Step {
  /// check STATE audit|plain PLAN EVENTS: compares the state with the oracle of the workload.
  static func check(_ arguments: [String]) throws {
    var workload = OrderWorkload(try plan(arguments[2], arguments[3]))
    while workload.next() != nil {}
    let oracle = workload.oracle
    let keepsAudit = arguments[1] == "audit"
    let directory = StateDirectory(root: arguments[0], topology: "order-projections")
    var found = Found()
    var ids = (count: 0, memory: 0, disk: 0)
    for partition in 0..<partitions {
      let path = directory.task(1, TaskName(subTopology: "order-events", partition: partition))
      let reader = try StateReader.open(path)
      let statistics = try reader.read { try $0.seenIDs() }
      ids.count += statistics.ids
      ids.memory += statistics.memoryBytes
      ids.disk += statistics.diskBytes
      try reader.read { view in
        for (name, value) in try view.words() where name.hasPrefix("count/") {
          found.words[name, default: 0] += value
        }
        let orders = try view.store("orders")
        found.customerEntries += try view.countIndex(orders, "byCustomer", values: [])
        found.statusEntries += try view.countIndex(orders, "byStatus", values: [])
        if keepsAudit {
          found.audit += try view.count(try view.store("order-events-by-aggregate"))
        }
      }
      try found.addRows(reader)
      print("commits\(partition)", try reader.read { try $0.words()["commits"] } ?? 0)
      print("state\(partition)", reader.environment.usedBytes)
    }
    try found.compare(with: oracle, keepsAudit: keepsAudit)
    print("ids", ids.count)
    print("idMemory", ids.memory)
    print("idDisk", ids.disk)
  }

  private struct Found {
    var words: [String: Int64] = [:]
    var rows = 0
    var total = Decimal.zero
    var byStatus: [OrderStatus: Int] = [:]
    var sequences = 0
    var customerEntries = 0
    var statusEntries = 0
    var audit = 0
    let parser = JSONParser()

    mutating func addRows(_ reader: StateReader) throws {
      var cursor: ScanCursor?
      repeat {
        let page = try reader.read { view in
          try view.scan(try view.store("orders"), [KeyRange()], cursor: cursor, limit: 10_000)
        }
        for row in page.rows { try add(row.value) }
        cursor = page.cursor
      } while cursor != nil
    }

    mutating func add(_ row: [UInt8]) throws {
      let order = try parser.withDocument(row.span.bytes) { try OrderReadModel(json: $0) }
      rows += 1
      total = try total + order.totalAmount
      byStatus[order.status, default: 0] += 1
      sequences += Int(order.sequenceNumber ?? 0)
    }

    func compare(with oracle: OrderOracle, keepsAudit: Bool) throws {
      func same<Value: Equatable>(_ what: String, _ found: Value, _ expected: Value) throws {
        guard found != expected else { return }
        throw BenchmarkError("\(what): found \(found), expected \(expected)")
      }
      try same("rows", rows, oracle.rows)
      try same("sum of amounts", total, oracle.totalAmount)
      try same("rows by status", byStatus, oracle.rowsByStatus)
      try same("sum of sequence numbers", sequences, oracle.sequenceNumbers)
      try same("entries of byCustomer", customerEntries, oracle.rows)
      try same("entries of byStatus", statusEntries, oracle.rows)
      if keepsAudit { try same("audit rows", audit, oracle.auditEvents) }
      for counter in Counter.allCases {
        let expected = Int64(oracle.fates[counter.name] ?? 0)
        try same(counter.name, words["count/\(counter)"] ?? 0, expected)
      }
    }
  }
}
