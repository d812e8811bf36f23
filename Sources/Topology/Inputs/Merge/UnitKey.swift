/// The place of a unit in the merge rule's order: by time, then a firing before records, then by
/// input.
struct UnitKey: Comparable {
  let time: OrderTime
  /// The input's number; -1 of a firing, which goes before all that is taken at its time.
  let input: Int32

  static func < (left: UnitKey, right: UnitKey) -> Bool {
    left.time != right.time ? left.time < right.time : left.input < right.input
  }
}

/// The highest keys of a task's last units: what a unit that came late may have been overtaken by.
///
/// Of two units the earlier one matters only where its key is higher: what is kept falls from entry
/// to entry, and a unit costs O(1).
struct RecentKeys {
  private struct Entry {
    let unit: Int64
    let key: UnitKey
  }

  private var entries: [Entry] = []
  private var head = 0
  /// Nothing is known of units before it.
  private var first: Int64
  private let span: Int64

  /// - Parameters:
  ///   - first: the first unit that is noted.
  ///   - span: how many units are remembered.
  init(from first: Int64, span: Int64) {
    (self.first, self.span) = (first, span)
  }

  mutating func note(_ key: UnitKey, of unit: Int64) {
    while entries.count > head, let last = entries.last, last.key <= key { entries.removeLast() }
    entries.append(Entry(unit: unit, key: key))
    first = max(first, unit - span + 1)
    while entries[head].unit < first { head += 1 }
    if head > 64, head * 2 > entries.count {
      entries.removeFirst(head)
      head = 0
    }
  }

  /// Whether a unit from `unit` on has, or may have, a higher key than this one.
  func overtook(_ key: UnitKey, since unit: Int64) -> Bool {
    guard unit >= first else { return true }
    // The first of these entries bears the highest key of all units from `unit` on.
    var (low, high) = (head, entries.count)
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].unit < unit { low = middle + 1 } else { high = middle }
    }
    return low < entries.count && entries[low].key > key
  }
}
