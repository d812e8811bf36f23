import StreamCore

/// One generated order as it stands; what it is made of follows from its id.
struct WorkloadOrder: Sendable {
  let id: UUIDText
  /// Schema version of its creation.
  let version: UInt8
  var status: OrderStatus
  var sequence: UInt16
  var createdAt: Int64
  var updatedAt: Int64

  private static let currencies: [StaticString] = ["EUR", "EUR", "EUR", "CHF", "GBP", "USD"]

  /// Customer, currency and items, the same at every call.
  func details(_ plan: OrderWorkloadPlan) -> Details {
    var random = SeededRandom(seed: id.low)
    var details = Details()
    details.customer = random.below(plan.customers)
    // Version 1 knows no currency: it was all euros then.
    let currency = random.below(Self.currencies.count)
    if version > 1 { details.currency = Self.currencies[currency] }
    let items = random.within(plan.lineItems)
    details.items.reserveCapacity(items)
    for _ in 0..<items {
      let item = Item(
        shelf: 0x41 + UInt8(random.below(26)), sku: 1_000 + random.below(9_000),
        quantity: 1 + random.below(5), price: 1_000 + random.below(49_000))
      details.items.append(item)
      details.total += item.quantity * item.price
    }
    return details
  }

  /// The row that a correct projection ends with, as it is stored.
  func row(_ plan: OrderWorkloadPlan) -> [UInt8] {
    let details = details(plan)
    var row: [UInt8] = []
    row.put("{\"orderId\":\"")
    row.put(id)
    row.put("\",\"customerId\":\"")
    row.putCustomer(details.customer)
    row.put("\",\"items\":")
    row.putItems(details.items)
    row.put(",\"totalAmount\":")
    row.put(hundredths: details.total)
    row.put(",\"currency\":\"")
    row.put(details.currency)
    row.put("\",\"status\":\"")
    row.put(status.rawValue.utf8)
    row.put("\",\"createdAt\":\"")
    row.put(time: createdAt)
    row.put("\",\"updatedAt\":\"")
    row.put(time: updatedAt)
    row.put("\",\"sequenceNumber\":")
    row.put(decimal: Int(sequence))
    row.put("}")
    return row
  }

  struct Details {
    var customer = 0
    var currency: StaticString = "EUR"
    var items: [Item] = []
    /// Hundredths.
    var total = 0
  }

  struct Item {
    let shelf: UInt8
    let sku: Int
    let quantity: Int
    /// Hundredths.
    let price: Int
  }
}

extension [UInt8] {
  mutating func putCustomer(_ number: Int) {
    put("c-")
    put(decimal: 10_001 + number)
  }

  mutating func putItems(_ items: [WorkloadOrder.Item]) {
    append(0x5b)
    for (index, item) in items.enumerated() {
      if index > 0 { append(0x2c) }
      put("{\"sku\":\"")
      append(item.shelf)
      append(0x2d)
      put(decimal: item.sku)
      put("\",\"qty\":")
      put(decimal: item.quantity)
      put(",\"price\":")
      put(hundredths: item.price)
      append(0x7d)
    }
    append(0x5d)
  }

  mutating func put(time milliseconds: Int64) {
    let (seconds, rest) = milliseconds.quotientAndRemainder(dividingBy: 1_000)
    Instant(seconds: seconds, nanoseconds: Int32(rest) * 1_000_000).append(to: &self)
  }
}
