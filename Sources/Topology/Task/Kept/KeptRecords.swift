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
  private let numberSlot: Int
  /// Keys with work left.
  private let marks: EntryStore
  /// Topics whose records wait for their numbers.
  private let numberedTopics: Set<String>

  init(_ state: TaskState, numberedTopics: Set<String>) {
    self.numberedTopics = numberedTopics
    held = state.held
    deadLetters = state.deadLetters
    marks = state.marks
    words = state.words
    barSlot = words.register("kept.bars")
    lineSlot = words.register("kept.lines")
    numberSlot = words.register("kept.numbers")
  }

  /// Whether nothing is kept: what the records of an undisturbed stream ask alone.
  var isEmpty: Bool { held.count == 0 && deadLetters.count == 0 }
  /// Whether any record waits for a row or a number, or stands in a line.
  var hasHeld: Bool { held.count > 0 }
  /// Whether any record waits for its number.
  var hasNumbered: Bool { words[numberSlot] > 0 }

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
      store: store, number: entry.number, id: entry.idHash ?? .zero, place: entry.place,
      record: try KeptRecord(entry.bytes))
  }

  /// The head of a key's line.
  func firstInLine(_ order: KeptKey) throws -> KeptEntry? {
    guard words[lineSlot] > 0 else { return nil }
    return try held.first(group: order.group(.line)).map { try entry($0, in: held) }
  }

  /// The first record of a key that waits for rows, from a place on: in order of arrival, or by
  /// their numbers where the source holds records until those come.
  func nextWaiting(_ order: KeptKey, from place: EntryPlace) throws -> KeptEntry? {
    guard hasHeld, let next = try held.next(group: order.group(.waiting), from: place)
    else { return nil }
    return try entry(next.number, in: held)
  }

  /// The record of a key with the lowest number of those that wait for theirs.
  func firstNumbered(_ order: KeptKey) throws -> KeptEntry? {
    guard hasNumbered else { return nil }
    return try held.first(group: order.group(.numbered)).map { try entry($0, in: held) }
  }

  // MARK: Changing

  /// Keeps a record, until its row or number comes, in its key's line, or as a dead letter. One that
  /// was kept before for something else stays in its place there, under its number.
  func keep(_ kept: KeptRecord, id: Hash128, replacing entry: KeptEntry?) throws {
    let kind = kept.kind
    let (bytes, group) = (kept.encoded(), kept.order.group(kind))
    let rank = rank(of: kept, kind)
    let store = kind == .dead || kind == .bar ? deadLetters : held
    if let entry, entry.store === store {
      try store.replace(entry.number, group: group, rank: rank, bytes.span.bytes)
      count(entry.record, -1)
    } else {
      if let entry { try remove(entry) }
      store.insert(
        group: group, rank: rank, idHash: kept.hasDurableID ? id : nil, valueHash: kept.valueHash,
        bytes.span.bytes)
    }
    count(kept, 1)
  }

  /// Of those that wait in a source that holds records until their numbers come, what has no number
  /// is the last.
  private func rank(of kept: KeptRecord, _ kind: KeptKey.Kind) -> Int64 {
    let isByNumber =
      kind == .numbered || kind == .waiting && numberedTopics.contains(kept.order.topic)
    return isByNumber ? kept.sequenceNumber ?? .max : kept.arrival
  }

  func remove(_ entry: KeptEntry) throws {
    if try entry.store.delete(entry.number) { count(entry.record, -1) }
  }

  private func count(_ kept: KeptRecord, _ by: Int64) {
    switch kept.kind {
    case .bar: words[barSlot] += by
    case .line: words[lineSlot] += by
    case .numbered: words[numberSlot] += by
    case .dead, .waiting, .numbers: break
    }
  }

  // MARK: Keys with work left

  /// What is still to be gone through, as the last commit noted it.
  func marked() throws -> [KeptCascade.Item] {
    try marks.numbers(after: 0, limit: .max).compactMap { number in
      try marks.entry(number).map { try KeptCascade.Item(encoded: $0.bytes) }
    }
  }

  /// Notes what a start is to go on with; an interval may end among the records of a key.
  func mark(_ items: [KeptCascade.Item]) throws {
    guard !items.isEmpty || marks.count > 0 else { return }
    for number in try marks.numbers(after: 0, limit: .max) { try marks.delete(number) }
    for item in items { marks.insert(group: [], idHash: nil, item.encoded().span.bytes) }
  }
}

extension KeptRecord {
  /// Where it lies among the records of its key.
  fileprivate var kind: KeptKey.Kind {
    switch why {
    case .failed(_, _, let parks): parks ? .bar : .dead
    case .missingRow: .waiting
    case .missingNumber: .numbered
    case .parked: .line
    }
  }
}
