import StreamCore

/// One partition in memory: what lies at each offset from its start on.
struct SimulatedPartition {
  enum Slot {
    /// - Parameter taken: when the log took it; `nil` where that is unknown.
    case record(ConsumerRecord, taken: Timestamp?)
    /// A control record, or a record of an aborted transaction: an offset nobody sees.
    case hidden
  }

  private(set) var start: Offset = 0
  private(set) var slots: [Slot] = []
  /// Readers get nothing at or beyond it; the log's end is not touched.
  var withheldFrom: Offset?
  /// Whether readers are told where the end is.
  var endIsKnown = true

  var end: Offset { start + Offset(slots.count) }

  mutating func append(_ record: ConsumerRecord, taken: Timestamp?) -> Offset {
    var record = record
    record.offset = end
    slots.append(.record(record, taken: taken))
    return record.offset
  }

  mutating func appendHidden(_ count: Int) {
    slots.append(contentsOf: repeatElement(.hidden, count: count))
  }

  mutating func removeAll(before offset: Offset) {
    precondition((start...end).contains(offset), "the new start lies within the log")
    slots.removeFirst(Int(offset - start))
    start = offset
  }

  mutating func removeAll(from offset: Offset) {
    precondition((start...end).contains(offset), "the new end lies within the log")
    slots.removeLast(Int(end - offset))
  }

  func offset(at time: Timestamp) -> Offset {
    for case .record(let record, _) in slots {
      if let timestamp = record.timestamp, timestamp >= time { return record.offset }
    }
    return end
  }

  /// Moves the start as retention allows, never the end.
  ///
  /// - Parameter now: by the log's clock; `nil` where no test set it, and then nothing has an age.
  mutating func retain(_ retention: TopicRetention, now: Timestamp?) {
    var bytes = 0
    for case .record(let record, _) in slots { bytes += Self.size(record) }
    var removed = 0
    for slot in slots {
      if case .record(let record, let taken) = slot {
        let age = retention.time.map { limit in
          guard let now, let taken else { return false }
          let (age, overflow) = now.milliseconds.subtractingReportingOverflow(taken.milliseconds)
          return !overflow && .milliseconds(age) > limit
        }
        let isLarge = retention.bytes.map { bytes > $0 }
        guard age == true || isLarge == true else { break }
        bytes -= Self.size(record)
      }
      removed += 1
    }
    removeAll(before: start + Offset(removed))
  }

  private static func size(_ record: ConsumerRecord) -> Int {
    (record.key?.count ?? 0) + (record.value?.count ?? 0)
  }
}
