import StateStore
import StreamCore

/// Units that were dead or kept in the generation before: what they send while another one is
/// filled was never sent, and is not dropped.
package struct OwedUnits: Sendable {
  package enum Kind: Sendable {
    /// Its dead letter was published.
    case dead
    case held
  }

  private var records: [TopicPartition: [Offset: Kind]] = [:]
  private var derived: [Hash128: Kind] = [:]
  private var events: [Event: Kind] = [:]

  /// What another delivery of a record is known by, where that comes first in the new generation.
  private struct Event: Hashable {
    let id: Hash128
    let valueHash: UInt64
  }

  package init() {}

  package var isEmpty: Bool { records.isEmpty && derived.isEmpty }

  package mutating func add(_ unit: UnitName, _ kind: Kind) {
    switch unit {
    case .record(let input, let offset): records[input, default: [:]][offset] = kind
    case .derived(let id): derived[id] = kind
    }
  }

  /// Adds what the last commit of a task keeps.
  ///
  /// - Throws: ``StateStore/StoreError``; ``StreamCore/SerdeError`` for a damaged entry.
  mutating func add(keptOf task: StateReader) throws {
    for (table, kind) in [("deadLetters", Kind.dead), ("held", .held)] {
      var last: Int64 = 0
      while case let page = try task.read({
        try $0.entries(table, after: last, limit: 1_000, bytesMax: 8 << 20)
      }), let newest = page.last?.number {
        for entry in page {
          add(try KeptRecord(entry.bytes).unitName, kind)
          if let id = entry.idHash { events[Event(id: id, valueHash: entry.valueHash)] = kind }
        }
        last = newest
      }
    }
  }

  /// What a delivery of an event was.
  func kind(of id: Hash128, valueHash: UInt64) -> Kind? {
    events.isEmpty ? nil : events[Event(id: id, valueHash: valueHash)]
  }

  /// What the unit was; `nil` for one that went through.
  package func kind(of unit: UnitName) -> Kind? {
    switch unit {
    case .record(let input, let offset): records[input]?[offset]
    case .derived(let id): derived[id]
    }
  }
}
