import StateStore
import StreamCore

/// The records of one task that wait and those that died, by number, by id and by the order of
/// their keys.
///
/// The id of such a record lives here, not among the seen ids, until its entry is resolved. A dead
/// letter that parks bars its key of its source: what arrives joins the key's line, and the line
/// bars the key until it is empty. A record that waits for a row or a number bars nobody.
final class KeptRecords {
  let held: EntryStore
  let deadLetters: EntryStore
  private let words: Words
  private let barSlot: Int
  private let lineSlot: Int
  /// Keys with work left.
  private let marks: EntryStore

  init(_ state: TaskState) {
    held = state.held
    deadLetters = state.deadLetters
    marks = state.marks
    words = state.words
    barSlot = words.register("kept.bars")
    lineSlot = words.register("kept.lines")
  }

  /// Whether nothing is kept: what the records of an undisturbed stream ask alone.
  var isEmpty: Bool { held.count == 0 && deadLetters.count == 0 }
  /// Whether any record waits for a row or a number, or stands in a line.
  var hasHeld: Bool { held.count > 0 }

  // MARK: Asking

  /// Whether records of a key join its line.
  func isBarred(_ topic: String, _ key: ArraySlice<UInt8>?) throws -> Bool {
    guard words[barSlot] > 0 || words[lineSlot] > 0 else { return false }
    let order = KeptKey(topic: topic, key: Array(key ?? []))
    return try hasBar(order) || !held.isEmpty(group: order.group(.line))
  }

  /// Whether a dead letter bars the key.
  func hasBar(_ order: KeptKey) throws -> Bool {
    try words[barSlot] > 0 && !deadLetters.isEmpty(group: order.group(.bar))
  }

  /// The dead letter that bars a key.
  func bar(of order: KeptKey) throws -> KeptEntry? {
    try deadLetters.first(group: order.group(.bar)).map { try entry($0, in: deadLetters) }
  }

  /// What is kept under an id when a record of it comes.
  enum Answer {
    case none, same
    /// Nothing has the record's bytes.
    case other(KeptEntry)
  }

  /// Compares a record with the unresolved ones of its id.
  ///
  /// - Parameter own: its own entry, where it has one.
  func look(_ id: Hash128, valueHash: UInt64, except own: KeptEntry?) throws -> Answer {
    if isEmpty { return .none }
    var other: KeptEntry?
    for store in [held, deadLetters] {
      let number = own.flatMap { $0.store === store ? $0.number : nil }
      switch try store.look(id, valueHash: valueHash, except: number) {
      case .none: continue
      case .same: return .same
      case .other(let number): other = try other ?? entry(number, in: store)
      }
    }
    return other.map { .other($0) } ?? .none
  }

  func entry(_ number: Int64, in store: EntryStore) throws -> KeptEntry? {
    try store.entry(number).map { try entry($0, in: store) }
  }

  private func entry(_ entry: EntryStore.Entry, in store: EntryStore) throws -> KeptEntry {
    KeptEntry(
      store: store, number: entry.number, id: entry.idHash ?? .zero,
      record: try KeptRecord(entry.bytes))
  }

  /// The head of a key's line.
  func firstInLine(_ order: KeptKey) throws -> KeptEntry? {
    guard words[lineSlot] > 0 else { return nil }
    return try held.first(group: order.group(.line)).map { try entry($0, in: held) }
  }

  /// Numbers of the records of a key that wait, in order of arrival.
  func waiting(_ order: KeptKey) throws -> [Int64] {
    hasHeld ? try held.numbers(group: order.group(.waiting)) : []
  }

  // MARK: Changing

  /// Keeps a record until its row or number comes, or in its key's line.
  func hold(_ kept: KeptRecord, id: Hash128) {
    let isParked = kept.why == .parked
    insert(kept, id, into: held, isParked ? .line : .waiting)
    if isParked { words[lineSlot] += 1 }
  }

  func bury(_ kept: KeptRecord, id: Hash128) {
    insert(kept, id, into: deadLetters, kept.parks ? .bar : .dead)
    if kept.parks { words[barSlot] += 1 }
  }

  private func insert(
    _ kept: KeptRecord, _ id: Hash128, into store: EntryStore, _ kind: KeptKey.Kind
  ) {
    let bytes = kept.encoded()
    _ = store.insert(
      group: kept.order.group(kind), idHash: kept.hasDurableID ? id : nil,
      valueHash: kept.valueHash, bytes.span.bytes)
  }

  func remove(_ entry: KeptEntry) throws {
    guard try entry.store.delete(entry.number) else { return }
    if entry.record.parks { words[barSlot] -= 1 }
    if entry.record.why == .parked { words[lineSlot] -= 1 }
  }

  // MARK: Keys with work left

  /// Keys whose lines or waiting records are still to be gone through.
  func marked() throws -> [[UInt8]] {
    try marks.numbers(after: 0, limit: .max).compactMap { number in
      try marks.entry(number).map(\.bytes)
    }
  }

  /// Notes the keys that a start is to go on with; an interval may end among their records.
  func mark(_ keys: [[UInt8]]) throws {
    guard !keys.isEmpty || marks.count > 0 else { return }
    for number in try marks.numbers(after: 0, limit: .max) { try marks.delete(number) }
    for key in keys { marks.insert(group: [], idHash: nil, key.span.bytes) }
  }
}
