package import StreamCore

/// What operators of the process decided about units, as every later generation inherits it: what
/// was skipped is skipped wherever it dies; what was retried or released, and is dead or waits at
/// the cut, is retried or released once, there.
///
/// The rest of a journal is of its lineage alone; this is all that another one follows.
package struct OperatorDecisions: Sendable {
  /// In the order of the decisions; one that another took the place of is gone.
  private var decisions: [Decision?] = []
  private var places: [UnitName: Int] = [:]
  /// Of outbox entries, by the ids of what they emit.
  private(set) var refused: Set<UnitName> = []

  private static let version: UInt8 = 0xB1

  package init() {}

  package var isEmpty: Bool { places.isEmpty && refused.isEmpty }

  /// Adds a decision; it takes the place of an earlier one about the unit.
  package mutating func add(_ decision: Decision) {
    if decision.kind == .outboxSkip {
      refused.insert(decision.unit)
      return
    }
    if let place = places[decision.unit] { decisions[place] = nil }
    places[decision.unit] = decisions.count
    decisions.append(decision)
  }

  /// The last decision about each unit, in their order.
  package var list: [Decision] { decisions.compactMap { $0 } }

  /// Adds what a journal says; the rest of it is passed over.
  ///
  /// - Throws: what the source throws; ``StreamCore/SerdeError`` for what is no entry.
  package mutating func add(_ source: any JournalSource) throws {
    while true {
      let page = try source.nextPage()
      if page.isEmpty { return }
      for bytes in page {
        switch try JournalEntry(bytes).content {
        case .decision(let decision, _): add(decision)
        // Of a skip that the generation had inherited itself.
        case .died(let unit, let death) where death.wasSkipped: add(Decision(.skip, unit))
        default: continue
        }
      }
    }
  }

  /// The last decision about a unit that died or waits; `nil` where nobody dealt with it.
  package func decision(about unit: UnitName) -> Decision.Kind? {
    places[unit].flatMap { decisions[$0]?.kind }
  }

  /// Whether an outbox entry is not sent.
  package func isRefused(_ unit: UnitName) -> Bool { refused.contains(unit) }

  /// Its bytes, for the state that inherits it.
  package func encoded() -> [UInt8] {
    var writer = VarintWriter()
    writer.append(byte: Self.version)
    let refused = refused.sorted { $0.description < $1.description }
    for decision in list + refused.map({ Decision(.outboxSkip, $0) }) {
      writer.append(byte: decision.kind.rawValue)
      writer.append(decision.unit)
    }
    return writer.bytes
  }

  /// - Throws: ``StreamCore/SerdeError`` for bytes that are no list of this version.
  package init(_ bytes: [UInt8]) throws(SerdeError) {
    var reader = VarintReader(bytes)
    guard try reader.byte() == Self.version else {
      throw SerdeError("a list of decisions is of another version, or none of ours")
    }
    while !reader.isAtEnd {
      guard let kind = Decision.Kind(rawValue: try reader.byte()) else {
        throw SerdeError("a list of decisions has one that is unknown")
      }
      add(Decision(kind, try reader.unitName()))
    }
  }
}
