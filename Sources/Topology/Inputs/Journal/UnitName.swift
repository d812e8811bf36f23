package import StateStore
package import StreamCore

/// Names a unit the same in every lineage: a record by its place in the log, what an operator made
/// by the id that was derived for it.
package enum UnitName: Hashable, Sendable, CustomStringConvertible {
  case record(TopicPartition, Offset)
  case derived(Hash128)

  package var description: String {
    switch self {
    case .record(let topicPartition, let offset): "\(topicPartition)@\(offset)"
    case .derived(let hash): "the unit of id \(hex(hash.high))\(hex(hash.low))"
    }
  }

  private func hex(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// What an operator of the process decided about a unit that was kept or refused.
package struct Decision: Hashable, Sendable {
  package enum Kind: UInt8, Hashable, Sendable, CaseIterable {
    case retry = 1
    /// Resolved without processing.
    case skip
    /// Let go past what it waits for.
    case release
    /// An outbox entry that the log refuses for good is not sent.
    case outboxSkip
  }

  package let kind: Kind
  package let unit: UnitName

  package init(_ kind: Kind, _ unit: UnitName) {
    self.kind = kind
    self.unit = unit
  }
}
