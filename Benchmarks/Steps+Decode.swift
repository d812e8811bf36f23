import JSONSerdes
import OrderProjections
import StreamCore

extension Step {
  /// decode URL: the log's reader and the typed decoder of events, no operators.
  static func decode(_ arguments: [String]) throws {
    let log = try open(arguments[0])
    let reader = try log.makeReader(ReaderOptions())
    var positions: [TopicPartition: Offset] = [:]
    var remaining = 0
    for partition in 0..<partitions {
      let place = TopicPartition(topic, partition)
      let offsets = try log.offsets(of: place)
      positions[place] = offsets.lowerBound
      remaining += Int(offsets.upperBound - offsets.lowerBound)
    }
    try reader.assign(positions)
    let decoder = EventDecoder()
    while remaining > 0 {
      for batch in try reader.poll(timeout: .seconds(10)) {
        try decoder.decode(batch)
        remaining -= batch.count
      }
    }
    reader.close()
    print("events", decoder.events)
    print("creations", decoder.creations)
    print("hundredths", Int64(decoder.total.coefficient))
  }
}

/// Envelope and payload of each event as Swift values.
private final class EventDecoder {
  private let reader = JSONFormat().makeReader(paths: [
    ["eventId"], ["eventType"], ["schemaVersion"], ["aggregateId"], ["sequenceNumber"],
    ["occurredAt"], ["payload"], ["metadata", "correlationId"],
  ])
  private let upcast = JSONParser()
  private var upcastBytes: [UInt8] = []
  private(set) var events = 0
  private(set) var creations = 0
  private(set) var total = Decimal.zero

  func decode(_ batch: RecordBatch) throws {
    let bytes = batch.bytes.span.bytes
    for entry in batch.entries {
      guard let value = entry.value else { continue }
      try reader.withDocument(bytes.extracting(value)) { _, slots in
        try event(slots)
      }
      events += 1
    }
  }

  private func event(_ slots: [FieldSlot]) throws {
    guard let type = reader.document(atPath: 1), let payload = reader.document(atPath: 6),
      let aggregate = reader.document(atPath: 3),
      let occurredAt = try reader.document(atPath: 5)?.instant()
    else { throw BenchmarkError("an event without envelope") }
    let orderID = try aggregate.string()
    guard try type.string() == "ORDER_CREATED" else { return }
    let version = try reader.document(atPath: 2)?.int64() ?? 1
    let order: OrderCreated
    if version == 1 {
      upcastBytes.removeAll(keepingCapacity: true)
      try OrderEvent.addCurrency(to: payload, into: &upcastBytes)
      let bytes = upcastBytes
      order = try upcast.withDocument(bytes.span.bytes) {
        try OrderCreated(json: $0, orderID: orderID, occurredAt: occurredAt)
      }
    } else {
      order = try OrderCreated(json: payload, orderID: orderID, occurredAt: occurredAt)
    }
    creations += 1
    total = try total + order.totalAmount
  }
}
