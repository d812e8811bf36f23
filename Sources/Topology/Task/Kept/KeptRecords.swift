import StateStore
import StreamCore

/// Limits of held and parked records; beyond them a record is dead-lettered.
public struct HeldLimits: Hashable, Sendable {
  public var perKey: Int
  public var perTask: Int

  public init(perKey: Int = 1_000, perTask: Int = 100_000) {
    self.perKey = perKey
    self.perTask = perTask
  }
}

/// The held records and dead letters of one task, and the keys that wait behind one.
///
/// The id of such a record lives here, not among the seen ids, until the entry is resolved.
final class KeptRecords {
  let held: EntryStore
  let deadLetters: EntryStore
  private let limits: HeldLimits
  /// Keys with a parking dead letter, and how many each has; a mirror of the stored entries.
  private var parkedKeys: [[UInt8]: Int] = [:] {
    didSet { hasParkedKeys = !parkedKeys.isEmpty }
  }
  /// Whether any record is held, or dead: what the records of an undisturbed stream ask alone.
  // Not checked at run time for overlapping accesses: they are flags, read and set whole.
  @exclusivity(unchecked) private(set) var hasHeld = false
  @exclusivity(unchecked) private(set) var hasParkedKeys = false
  @exclusivity(unchecked) private(set) var isEmpty = true
  /// The running unit changed what is kept.
  @exclusivity(unchecked) private var isTouched = false
  /// Changes of ``parkedKeys`` in the running unit, to take back.
  private var undo: [(key: [UInt8], by: Int)] = []

  init(held: EntryStore, deadLetters: EntryStore, limits: HeldLimits) {
    self.held = held
    self.deadLetters = deadLetters
    self.limits = limits
  }

  /// Reads the parked keys of the committed entries.
  func restore() throws {
    parkedKeys = [:]
    undo = []
    refresh()
    guard deadLetters.count > 0 else { return }
    var last: Int64 = 0
    while true {
      let numbers = try deadLetters.numbers(after: last, limit: 1_000)
      guard let newest = numbers.last else { return }
      for number in numbers {
        guard let entry = try deadLetters.entry(number) else { continue }
        let kept = try KeptRecord(entry.bytes)
        if case .failed(_, _, true) = kept.why {
          parkedKeys[kept.key, default: 0] += 1
        }
      }
      last = newest
    }
  }

  func commitUnit() {
    guard isTouched else { return }
    undo.removeAll()
    refresh()
  }

  private func refresh() {
    hasHeld = held.count > 0
    isEmpty = !hasHeld && deadLetters.count == 0
    isTouched = false
  }

  func rollbackUnit() {
    for (key, number) in undo.reversed() { adjust(key, by: -number) }
    undo.removeAll()
    isTouched = false
  }

  func isParked(_ key: ArraySlice<UInt8>?) -> Bool {
    !parkedKeys.isEmpty && parkedKeys[Array(key ?? [])] != nil
  }

  /// Where an unresolved record with this id is kept.
  func find(_ id: Hash128) throws -> KeptEntry? {
    if isEmpty && !isTouched { return nil }
    for store in [held, deadLetters] where store.count > 0 {
      if let entry = try store.byID(id) {
        return KeptEntry(store: store, number: entry.number, record: try KeptRecord(entry.bytes))
      }
    }
    return nil
  }

  /// Keeps a record until its row or its turn comes.
  ///
  /// - Returns: whether there was room; a record beyond the limits is the caller's to dead-letter.
  func hold(_ kept: KeptRecord, id: Hash128) throws -> Bool {
    let group = Self.group(of: kept)
    guard held.count < limits.perTask, held.count(group: group) < limits.perKey else {
      return false
    }
    let bytes = kept.encoded()
    isTouched = true
    _ = held.insert(group: group, idHash: id, bytes.span.bytes)
    return true
  }

  func bury(_ kept: KeptRecord, id: Hash128) throws {
    let bytes = kept.encoded()
    isTouched = true
    _ = deadLetters.insert(group: kept.key, idHash: id, bytes.span.bytes)
    if case .failed(_, _, true) = kept.why { park(kept.key, by: 1) }
  }

  func remove(_ kept: KeptEntry) throws {
    isTouched = true
    guard try kept.store.delete(kept.number) else { return }
    if case .failed(_, _, true) = kept.record.why { park(kept.record.key, by: -1) }
  }

  /// Held records that wait for a row of `key` in an operator, in order.
  func waiting(for operatorName: String, key: [UInt8]) throws -> [Int64] {
    try held.numbers(group: KeptRecord.group(key: key, waitingFor: operatorName))
  }

  /// Records parked behind a dead letter of `key`, in order.
  func parked(behind key: [UInt8]) throws -> [Int64] {
    try held.numbers(group: KeptRecord.group(key: key, waitingFor: nil))
  }

  private static func group(of kept: KeptRecord) -> [UInt8] {
    KeptRecord.group(
      key: kept.key, waitingFor: kept.why == .parked ? nil : kept.operatorName)
  }

  private func park(_ key: [UInt8], by number: Int) {
    adjust(key, by: number)
    undo.append((key, number))
  }

  private func adjust(_ key: [UInt8], by number: Int) {
    let count = parkedKeys[key, default: 0] + number
    parkedKeys[key] = count > 0 ? count : nil
  }
}
