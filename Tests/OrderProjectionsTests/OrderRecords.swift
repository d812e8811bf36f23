import OrderProjections
import StreamCore
import TopologyTesting

/// Records of `order-events` as a publisher sends them: key, headers, JSON.
struct OrderRecord {
  var key: String?
  var headers: [Header]
  var value: String?

  init(_ key: String?, _ type: String?, version: String? = "1", id: String? = nil, _ value: String?)
  {
    self.key = key
    self.value = value
    headers = []
    if let type { headers.append(Header("eventType", type)) }
    if let version { headers.append(Header("schemaVersion", version)) }
    if let id { headers.append(Header("eventId", id)) }
  }

  static func created(
    _ order: String, customer: String = "c-1", total: String = "1",
    at time: String = "\"2026-01-05T09:00:00Z\"", sequence: Int? = nil, id: String? = nil
  ) -> OrderRecord {
    let number = sequence.map { ",\"sequenceNumber\":\($0)" } ?? ""
    return OrderRecord(
      order, "ORDER_CREATED", id: id ?? "\(order)-created",
      """
      {"orderId":"\(order)","customerId":"\(customer)","totalAmount":\(total),"occurredAt":\(time)\
      \(number)}
      """)
  }

  static func update(
    _ type: String, _ order: String, at time: String = "2026-01-05T09:05:00Z",
    sequence: Int? = nil, id: String? = nil
  ) -> OrderRecord {
    let number = sequence.map { ",\"sequenceNumber\":\($0)" } ?? ""
    return OrderRecord(
      order, type, id: id ?? "\(order)-\(type)-\(sequence ?? 0)",
      "{\"orderId\":\"\(order)\",\"occurredAt\":\"\(time)\"\(number)}")
  }

  var producerRecord: ProducerRecord {
    ProducerRecord(
      key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) }, headers: headers,
      timestamp: Timestamp(milliseconds: 1_767_603_600_000))
  }
}

extension TopologyTestDriver {
  /// Appends records to `order-events` and processes all there is.
  func send(_ records: [OrderRecord]) throws {
    try append(records.map(\.producerRecord), to: "order-events")
    try run()
  }

  /// The named field of an order's row as JSON, by the text between it and the next one.
  func field(_ name: String, of order: String) throws -> String? {
    guard let row = try row("orders", key: order),
      let start = row.firstRange(of: "\"\(name)\":")?.upperBound
    else { return nil }
    let rest = row[start...]
    if rest.first == "\"" { return String(rest.dropFirst().prefix { $0 != "\"" }) }
    return String(rest.prefix { $0 != "," && $0 != "}" })
  }
}
