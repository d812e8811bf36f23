import StreamCore

extension OrderWorkload {
  /// What may be wrong with a record.
  public enum Defect: String, Hashable, Sendable, CaseIterable {
    case cutJSON, missingCustomer, amountIsArray, amountTooLarge, sequenceIsText, noSuchTime
    case missingType, invalidUTF8, nullValue, nullKey, unknownVersion, unknownType
    /// An update of an order that is never created.
    case neverCreated
    /// The id of an earlier event over another content.
    case otherContent

    /// Fates and labels that such a record is counted under.
    var fates: [String] {
      switch self {
      case .cutJSON, .missingCustomer, .amountIsArray, .amountTooLarge, .sequenceIsText,
        .noSuchTime, .missingType, .invalidUTF8:
        ["deadLettered", "deadLettered{decode}"]
      case .nullValue: ["deadLettered", "deadLettered{tombstone}"]
      case .nullKey: ["deadLettered", "deadLettered{nullKey}"]
      case .unknownVersion: ["deadLettered", "deadLettered{unknownVersion}"]
      case .unknownType: ["ignored", "ignored{unknownType}"]
      case .neverCreated: ["held"]
      case .otherContent: ["duplicate", "duplicate{conflict}"]
      }
    }
  }

  /// A broken record under a key of its own, so that the good orders stay whole.
  mutating func broken(_ defect: Defect) -> ProducerRecord {
    if defect == .otherContent {
      // The window holds good records nearly everywhere: a few looks find one.
      for _ in 0..<64 {
        guard var record = recentRecord()?.record, let value = record.value else { continue }
        defect.fates.forEach { count($0) }
        record.value = Array("{\"note\":\"changed\",".utf8) + value.dropFirst()
        return record
      }
    }
    let defect = defect == .otherContent ? .neverCreated : defect
    defect.fates.forEach { count($0) }
    var order = WorkloadOrder(
      id: UUIDText(&random), version: 2, status: .created, sequence: 1, createdAt: time,
      updatedAt: time)
    if defect == .neverCreated { order.status = .confirmed }
    let details = defect == .neverCreated ? nil : order.details(plan)
    var record = event(EventParts(order, order.status, sequence: 1, at: time), details)
    let value = record.value ?? []
    func replace(_ text: String, by other: String) {
      record.value = value.replacing(text, other)
    }
    func setHeader(_ name: String, _ text: String) {
      record.headers = record.headers.map { $0.name == name ? Header(name, text) : $0 }
    }
    switch defect {
    case .cutJSON: record.value = Array(value.prefix(1 + random.below(value.count - 1)))
    case .missingCustomer: replace("\"customerId\":", by: "\"customer\":")
    case .amountIsArray: replace("\"totalAmount\":", by: "\"totalAmount\":[],\"x\":")
    case .amountTooLarge: replace("\"totalAmount\":", by: "\"totalAmount\":1e400,\"x\":")
    case .sequenceIsText: replace("\"sequenceNumber\":", by: "\"sequenceNumber\":\"many\",\"x\":")
    case .noSuchTime: replace("\"occurredAt\":\"20", by: "\"occurredAt\":\"x")
    case .missingType:
      replace("\"eventType\":", by: "\"kind\":")
      record.headers.removeAll { $0.name == "eventType" }
    case .invalidUTF8:
      replace("\"totalAmount\":", by: "\"x\":\"~\",\"totalAmount\":")
      record.value = record.value?.map { $0 == 0x7e ? 0xff : $0 }
    case .nullValue: record.value = nil
    case .nullKey: record.key = nil
    case .unknownVersion:
      replace("\"schemaVersion\":2", by: "\"schemaVersion\":99")
      setHeader("schemaVersion", "99")
    case .unknownType:
      replace("ORDER_CREATED", by: "ORDER_ARCHIVED")
      setHeader("eventType", "ORDER_ARCHIVED")
    case .neverCreated, .otherContent: break
    }
    return record
  }
}

extension [UInt8] {
  /// The bytes with the first `text` replaced.
  fileprivate func replacing(_ text: String, _ other: String) -> [UInt8] {
    let (old, new) = (Array(text.utf8), Array(other.utf8))
    guard count >= old.count else { return self }
    for start in 0...(count - old.count) where self[start] == old[0] {
      if self[start..<start + old.count].elementsEqual(old) {
        return Array(self[..<start]) + new + Array(self[(start + old.count)...])
      }
    }
    return self
  }
}
