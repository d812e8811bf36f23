/// The records of the order example, as its publisher sends them, with what is wrong with some.
enum OrderFixture {
  static let lines = """
    {"key":"o-1","headers":{"eventType":"ORDER_CREATED","schemaVersion":"1"},"timestamp":1767603600000,"value":{"orderId":"o-1","customerId":"c-1","totalAmount":12345.67,"items":[{"sku":"A","qty":2}],"occurredAt":"2026-01-05T09:00:00Z","aggregateId":"o-1","version":1,"eventType":"ORDER_CREATED"}}
    {"key":"o-2","headers":{"eventType":"ORDER_CREATED","schemaVersion":"1"},"timestamp":1767603660500,"value":{"orderId":"o-2","customerId":"c-1","totalAmount":0.10,"occurredAt":1767603660.500000000}}
    {"key":"o-1","headers":{"eventType":"ORDER_CONFIRMED","schemaVersion":"1","eventId":"e3"},"timestamp":1767603900000,"value":{"orderId":"o-1","confirmedBy":"staff-7","occurredAt":"2026-01-05T09:05:00Z"}}
    {"key":"o-1","headers":{"eventType":"ORDER_CONFIRMED","schemaVersion":"1","eventId":"e3"},"timestamp":1767603900000,"value":{"orderId":"o-1","confirmedBy":"staff-7","occurredAt":"2026-01-05T09:05:00Z"}}
    {"key":"o-3","headers":{"eventType":"ORDER_CONFIRMED","schemaVersion":"1","eventId":"e5"},"timestamp":1767603960000,"value":{"orderId":"o-3","confirmedBy":"staff-7","occurredAt":"2026-01-05T09:06:00Z"}}
    {"key":"o-2","timestamp":1767603961000,"value":{"orderId":"o-2"}}
    {"key":"o-4","headers":{"eventType":"ORDER_CREATED","schemaVersion":"99","eventId":"e8"},"timestamp":1767603970000,"value":{"orderId":"o-4"}}
    {"key":"o-3","headers":{"eventType":"ORDER_CREATED","schemaVersion":"1","eventId":"e9"},"timestamp":1767603630000,"value":{"orderId":"o-3","customerId":"c-2","totalAmount":5,"occurredAt":"2026-01-05T09:00:30Z"}}
    {"key":"o-5","headers":{"eventType":"ORDER_CONFIRMED","schemaVersion":"1","eventId":"e10"},"timestamp":1767604000000,"value":{"orderId":"o-5","confirmedBy":"staff-7","occurredAt":"2026-01-05T09:07:00Z"}}

    """

  static let topology = "order-projections"
  static let topic = "order-events"
}

extension CommandLineTool {
  /// Puts the fixture into the log.
  func produceOrders(partitions: Int = 1) throws {
    try succeed(
      "produce", OrderFixture.topic, "--log", log, "--partitions", "\(partitions)",
      input: OrderFixture.lines)
  }

  /// Runs the order projections to the end of the log.
  @discardableResult
  func runOrders(_ arguments: String...) throws -> Outcome {
    try run(
      ["run", OrderFixture.topology, "--log", log, "--state", state, "--until-end"] + arguments)
  }

  func query(_ arguments: String...) throws -> Outcome { try query(arguments) }

  func query(_ arguments: [String]) throws -> Outcome {
    try run(["query", OrderFixture.topology] + arguments + ["--state", state])
  }
}
