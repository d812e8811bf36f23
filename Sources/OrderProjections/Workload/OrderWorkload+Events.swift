import StreamCore

/// What all events of an order say.
struct EventParts {
  let order: UUIDText
  let type: OrderStatus
  let version: UInt8
  let sequence: Int
  let time: Int64

  init(_ order: WorkloadOrder, _ type: OrderStatus, sequence: Int, at time: Int64) {
    self.order = order.id
    self.type = type
    version = type == .created ? order.version : 1
    self.sequence = sequence
    self.time = time
  }
}

/// Header names and values that many records share.
struct OrderHeaders {
  private let shared: [[Header]]
  let versionName = "schemaVersion"

  init() {
    shared = OrderStatus.allCases.flatMap { type in
      (1...2).map { [Header("eventType", type.eventType), Header("schemaVersion", "\($0)")] }
    }
  }

  func of(_ type: OrderStatus, version: UInt8) -> [Header] {
    shared[type.number * 2 + Int(version) - 1]
  }
}

extension OrderStatus {
  /// The event that leads to this status.
  var eventType: String { "ORDER_\(rawValue)" }

  fileprivate var number: Int {
    switch self {
    case .created: 0
    case .confirmed: 1
    case .paid: 2
    case .shipped: 3
    case .delivered: 4
    case .cancelled: 5
    }
  }

  fileprivate var eventTypeText: StaticString {
    switch self {
    case .created: "ORDER_CREATED"
    case .confirmed: "ORDER_CONFIRMED"
    case .paid: "ORDER_PAID"
    case .shipped: "ORDER_SHIPPED"
    case .delivered: "ORDER_DELIVERED"
    case .cancelled: "ORDER_CANCELLED"
    }
  }
}

extension OrderWorkload {
  /// The event as its publisher sends it: key, headers `eventType` and `schemaVersion`, JSON.
  mutating func event(_ parts: EventParts, _ details: WorkloadOrder.Details?) -> ProducerRecord {
    let eventID = UUIDText(&random)
    let isFlat = plan.mixesEnvelopes && random.next() & 1 == 0
    var key: [UInt8] = []
    key.reserveCapacity(UUIDText.byteCount)
    key.put(parts.order)
    var headers = headers.of(parts.type, version: parts.version)
    let value: [UInt8]
    if isFlat {
      var id: [UInt8] = []
      id.put(eventID)
      var correlation: [UInt8] = []
      correlation.putCorrelation(parts.order)
      headers.append(Header("eventId", id))
      headers.append(Header("correlationId", correlation))
      value = flat(parts, details)
    } else {
      value = nested(parts, details, eventID)
    }
    return ProducerRecord(
      key: key, value: value, headers: headers, timestamp: Timestamp(milliseconds: parts.time))
  }

  private mutating func nested(
    _ parts: EventParts, _ details: WorkloadOrder.Details?, _ eventID: UUIDText
  ) -> [UInt8] {
    var value: [UInt8] = []
    value.reserveCapacity(480)
    value.put("{\"eventId\":\"")
    value.put(eventID)
    value.put("\",\"eventType\":\"")
    value.put(parts.type.eventTypeText)
    value.put("\",\"schemaVersion\":")
    value.put(decimal: Int(parts.version))
    value.put(",\"aggregateId\":\"")
    value.put(parts.order)
    value.put("\",\"sequenceNumber\":")
    value.put(decimal: parts.sequence)
    value.put(",\"occurredAt\":\"")
    value.put(time: parts.time)
    value.put("\",\"payload\":{")
    putPayload(parts, details, into: &value)
    value.append(0x7d)
    guard let lengths = plan.valueBytes else {
      value.put(",\"aggregateType\":\"Order\",\"metadata\":{\"correlationId\":\"")
      value.putCorrelation(parts.order)
      value.put("\"}}")
      return value
    }
    // `,"metadata":{…}}` with what makes up the length.
    let target = random.within(lengths)
    let correlated = 13 + 41 + 2
    if value.count + correlated <= target {
      value.put(",\"metadata\":{\"correlationId\":\"")
      value.putCorrelation(parts.order)
      value.append(0x22)
      let room = target - value.count - 12
      if room > 0 {
        value.put(",\"note\":\"")
        value.append(contentsOf: repeatElement(0x2e, count: room))
        value.append(0x22)
      }
      value.append(0x7d)
    } else {
      let room = target - value.count - 11
      if room > 0 {
        value.put(",\"note\":\"")
        value.append(contentsOf: repeatElement(0x2e, count: room))
        value.append(0x22)
      }
    }
    value.append(0x7d)
    return value
  }

  private mutating func flat(_ parts: EventParts, _ details: WorkloadOrder.Details?) -> [UInt8] {
    var value: [UInt8] = []
    value.reserveCapacity(480)
    value.put("{\"orderId\":\"")
    value.put(parts.order)
    value.put("\",")
    putPayload(parts, details, into: &value)
    value.put(",\"occurredAt\":\"")
    value.put(time: parts.time)
    value.put("\",\"aggregateId\":\"")
    value.put(parts.order)
    value.put("\",\"sequenceNumber\":")
    value.put(decimal: parts.sequence)
    value.put(",\"version\":")
    value.put(decimal: Int(parts.version))
    value.put(",\"eventType\":\"")
    value.put(parts.type.eventTypeText)
    value.put("\"}")
    return value
  }

  /// The fields of one type, without braces.
  private mutating func putPayload(
    _ parts: EventParts, _ details: WorkloadOrder.Details?, into value: inout [UInt8]
  ) {
    switch parts.type {
    case .created:
      let details = details ?? WorkloadOrder.Details()
      value.put("\"customerId\":\"")
      value.putCustomer(details.customer)
      value.put("\",\"items\":")
      value.putItems(details.items)
      value.put(",\"totalAmount\":")
      value.put(hundredths: details.total)
      guard parts.version > 1 else { return }
      value.put(",\"currency\":\"")
      value.put(details.currency)
      value.append(0x22)
    case .confirmed:
      value.put("\"confirmedBy\":\"staff-")
      value.put(decimal: 1 + random.below(40))
      value.append(0x22)
    case .paid:
      value.put("\"paymentId\":\"pay-")
      value.put(hex: random.next())
      value.put("\",\"method\":\"card\"")
    case .shipped:
      value.put("\"carrier\":\"post\",\"parcel\":\"")
      value.put(hex: random.next())
      value.append(0x22)
    case .delivered: value.put("\"receivedBy\":\"customer\"")
    case .cancelled: value.put("\"reason\":\"customer changed their mind\"")
    }
  }
}

extension [UInt8] {
  /// One correlation id an order.
  mutating func putCorrelation(_ order: UUIDText) {
    put("corr-")
    put(hex: order.low)
  }
}
