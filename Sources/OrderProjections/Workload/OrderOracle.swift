public import StreamCore

/// What a correct run of `order-projections` over a workload ends in, found without the engine.
public struct OrderOracle: Sendable {
  /// Rows of view `orders`, which is also the number of entries of each of its indexes.
  public let rows: Int
  /// Exact sum of all total amounts.
  public let totalAmount: Decimal
  public let rowsByStatus: [OrderStatus: Int]
  /// Sum of the rows' sequence numbers.
  public let sequenceNumbers: Int
  /// Events in the audit view.
  public let auditEvents: Int
  /// Creations in the log, redelivered ones included, and the sum of their amounts in hundredths.
  public let creations: (count: Int, hundredths: Int)
  /// Records by fate and by label, under the names that `status` prints; `consumed` among them.
  public let fates: [String: Int]
  private let plan: OrderWorkloadPlan
  private let orders: [WorkloadOrder]

  init(
    _ plan: OrderWorkloadPlan, orders: [WorkloadOrder], fates: [String: Int], auditEvents: Int,
    creations: (count: Int, hundredths: Int)
  ) {
    self.creations = creations
    self.plan = plan
    self.orders = orders
    self.fates = fates
    self.auditEvents = auditEvents
    rows = orders.count
    var (hundredths, sequences) = (0, 0)
    var byStatus: [OrderStatus: Int] = [:]
    for order in orders {
      hundredths += order.details(plan).total
      sequences += Int(order.sequence)
      byStatus[order.status, default: 0] += 1
    }
    rowsByStatus = byStatus
    sequenceNumbers = sequences
    totalAmount = (try? Decimal(coefficient: Int128(hundredths), scale: 2)) ?? .zero
  }

  /// Key and stored row of the order opened as number `index`.
  public func row(_ index: Int) -> (key: String, json: [UInt8]) {
    (orders[index].id.text, orders[index].row(plan))
  }

  /// All rows by key.
  public var allRows: [String: [UInt8]] {
    var rows: [String: [UInt8]] = [:]
    rows.reserveCapacity(orders.count)
    for index in orders.indices {
      let (key, json) = row(index)
      rows[key] = json
    }
    return rows
  }

  /// The id of customer `number`, 0 and on.
  public func customer(_ number: Int) -> String { "c-\(10_001 + number)" }

  /// Keys of one customer's orders as index `byCustomer` lists them: newest first.
  ///
  /// - Parameter number: 0 and on, below the plan's customers.
  public func orders(ofCustomer number: Int) -> [String] {
    orders.filter { $0.details(plan).customer == number }
      .sorted { $0.createdAt != $1.createdAt ? $0.createdAt > $1.createdAt : $0.id < $1.id }
      .map(\.id.text)
  }
}
