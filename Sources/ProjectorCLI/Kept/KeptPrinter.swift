import JSONSerdes
import StreamCore
import Topology

/// Prints kept records: rows of a table for `list`, objects for `show`, one behind the other.
struct KeptPrinter {
  let output: StandardOutput
  let options: KeptOptions

  /// The records of these ids.
  func print(_ records: KeptRecords, _ ids: [DeadLetterID], asObjects: Bool) throws {
    var table = PagedTable(output, Self.header)
    for id in ids {
      let record = try records.record(id)
      if asObjects {
        try output.write(Self.object(id, record) + "\n")
      } else {
        try table.add(Self.cells(id, record))
      }
    }
    if !asObjects { try table.finish() }
  }

  /// One page of records, or all of them.
  ///
  /// - Parameter withoutConflicts: leaves those out that only an id retries.
  func print(_ records: KeptRecords, asObjects: Bool, withoutConflicts: Bool = false) throws {
    let conflict = ProcessingFailure.Reason.conflict.rawValue
    var table = PagedTable(output, Self.header)
    var printed = 0
    var last: DeadLetterID?
    var hasMore = false
    try records.forEach(after: try options.parsedCursor()) { id, record in
      if withoutConflicts, record.reasonWord == conflict { return true }
      if let limit = options.limit, printed == limit {
        hasMore = true
        return false
      }
      if asObjects {
        try output.write(Self.object(id, record) + "\n")
      } else {
        try table.add(Self.cells(id, record))
      }
      printed += 1
      last = id
      return true
    }
    if !asObjects { try table.finish() }
    if hasMore, let last {
      try output.flush()
      StandardError.write("more: --cursor \(last)\n")
    }
  }

  private static let header = ["ID", "RECORD", "KEY", "OPERATOR", "REASON"]

  private static func cells(_ id: DeadLetterID, _ kept: KeptRecord) -> [String] {
    [
      "\(id)", "\(kept.record.topicPartition)@\(kept.record.offset)",
      kept.record.key.map { String(decoding: $0, as: UTF8.self) } ?? "-",
      kept.operatorName.isEmpty ? "source" : kept.operatorName, kept.explanation,
    ]
  }

  static func object(_ id: DeadLetterID, _ kept: KeptRecord) -> String {
    var object = JSONText.Object()
    object.add("id", "\(id)")
    object.add("reason", kept.reasonWord)
    if case .failed(_, let message, let parks) = kept.why {
      object.add("message", message)
      object.add("parksKey", parks)
    }
    object.add("operator", kept.operatorName.isEmpty ? nil : kept.operatorName)
    object.add("eventId", kept.eventID)
    object.add("attempts", kept.attempts)
    var line: [UInt8] = []
    RecordLinePrinter().append(kept.record, to: &line)
    if line.last == 0x0a { line.removeLast() }
    object.add("record", json: String(decoding: line, as: UTF8.self))
    return object.text
  }
}
