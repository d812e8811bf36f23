/// Where a task stands in one of its inputs.
package struct InputPosition: Hashable, Sendable, BitwiseCopyable {
  /// Where the next fetch begins.
  package var position: Int64
  /// The last record taken: its offset, timestamp and the hash of its value's bytes.
  package var lastOffset: Int64
  package var lastTimestamp: Int64
  package var lastHash: UInt64
  /// Where the state began to read, and up to where it lacks records.
  package var start: Int64
  package var gap: Int64
  /// The unit in which its last record was taken; -1 before the first.
  package var lastUnit: Int64

  package init(
    position: Int64 = 0, lastOffset: Int64 = -1, lastTimestamp: Int64 = .min,
    lastHash: UInt64 = 0, start: Int64 = 0, gap: Int64 = 0, lastUnit: Int64 = -1
  ) {
    self.position = position
    self.lastOffset = lastOffset
    self.lastTimestamp = lastTimestamp
    self.lastHash = lastHash
    self.start = start
    self.gap = gap
    self.lastUnit = lastUnit
  }

  static let bytes = 56

  func append(to value: inout [UInt8]) {
    value.append(bigEndian: position)
    value.append(bigEndian: lastOffset)
    value.append(bigEndian: lastTimestamp)
    value.append(bigEndian: lastHash)
    value.append(bigEndian: start)
    value.append(bigEndian: gap)
    value.append(bigEndian: lastUnit)
  }

  /// `nil` for bytes that are none.
  init?(_ value: [UInt8]) {
    guard value.count == Self.bytes else { return nil }
    self.init(
      position: value.raw.bigEndian(Int64.self, at: 0),
      lastOffset: value.raw.bigEndian(Int64.self, at: 8),
      lastTimestamp: value.raw.bigEndian(Int64.self, at: 16),
      lastHash: value.raw.bigEndian(UInt64.self, at: 24),
      start: value.raw.bigEndian(Int64.self, at: 32),
      gap: value.raw.bigEndian(Int64.self, at: 40),
      lastUnit: value.raw.bigEndian(Int64.self, at: 48))
  }
}

/// The positions of a task in its inputs, any number of them: an entry an input in a table of their
/// own, written with the commits of intervals that changed it.
package final class Positions: StoreParticipant {
  private struct Undo {
    let slot: Int32
    let old: InputPosition
  }

  private struct Hot: ~Copyable {
    var values: [InputPosition] = []
    /// Whether the interval changed a slot.
    var isChanged: [Bool] = []
    var changed: [Int32] = []
    var unit = UnitLog<Undo>()
    var lastUnit = -1
  }

  static let tableName = "positions"

  private let interval: Interval
  private let table: Table
  private let index: Int32
  package private(set) var names: [String] = []
  private var slots: [String: Int] = [:]
  private var committed: [InputPosition] = []
  private var isStored: [Bool] = []
  private let hot = OwnedState(Hot())

  init(_ interval: Interval, index: Int) throws(StoreError) {
    self.interval = interval
    self.index = Int32(index)
    self.table = try interval.environment.table(Self.tableName)
  }

  /// The slot of an input, asked for outside a unit. One that is new begins with `initial`, which
  /// the next commit writes.
  ///
  /// - Throws: ``StoreError``.
  package func register(
    _ name: String, initial: InputPosition = InputPosition()
  ) throws(StoreError) -> Int {
    if let slot = slots[name] { return slot }
    precondition(interval.changed.isEmpty, "inputs are registered outside a unit")
    let stored = try interval.reading { transaction throws(StoreError) in
      try Self.load(transaction, table, name)
    }
    let slot = names.count
    names.append(name)
    slots[name] = slot
    committed.append(stored ?? initial)
    isStored.append(stored != nil)
    hot.value.values.append(stored ?? initial)
    hot.value.isChanged.append(false)
    if stored == nil { note(slot) }
    return slot
  }

  private static func key(_ name: String) -> [UInt8] { [0x6E] + name.utf8Bytes }

  static func load(
    _ transaction: Transaction, _ table: Table, _ name: String
  ) throws(StoreError) -> InputPosition? {
    let key = key(name)
    let value = try TreeKey.with(key.raw) { treeKey throws(StoreError) in
      try transaction.value(table, treeKey)
    }
    guard let value else { return nil }
    guard value.count >= InputPosition.bytes,
      let position = InputPosition([UInt8](value.suffix(InputPosition.bytes)))
    else {
      throw damaged(name)
    }
    return position
  }

  static func damaged(_ name: String) -> StoreError {
    StoreError(
      .corrupted, "the position in '\(name)' is damaged; restore a snapshot or rebuild",
      store: tableName)
  }

  private func note(_ slot: Int) {
    if hot.value.isChanged[slot] { return }
    hot.value.isChanged[slot] = true
    hot.value.changed.append(Int32(truncatingIfNeeded: slot))
  }

  package subscript(slot: Int) -> InputPosition {
    get { hot.value.values[slot] }
    set {
      if interval.isFirstChange(of: index, &hot.value.lastUnit) { hot.value.unit.clear() }
      hot.value.unit.append(
        Undo(slot: Int32(truncatingIfNeeded: slot), old: hot.value.values[slot]))
      hot.value.values[slot] = newValue
      note(slot)
    }
  }

  /// Whether a commit has it; else it was added, and the next one will.
  package func isStored(_ slot: Int) -> Bool { isStored[slot] }

  func rollbackUnit() {
    for position in (0..<hot.value.unit.count).reversed() {
      let undo = hot.value.unit[position]
      hot.value.values[Int(undo.slot)] = undo.old
    }
    hot.value.unit.clear()
  }

  func flush(_ transaction: Transaction) throws {
    for slot in hot.value.changed {
      let key = Self.key(names[Int(slot)])
      var value: [UInt8] = []
      TreeKey.appendHead(key.raw, to: &value)
      hot.value.values[Int(slot)].append(to: &value)
      try TreeKey.with(key.raw) { treeKey throws(StoreError) in
        try transaction.put(table, treeKey, value.raw)
      }
    }
  }

  /// Positions are not a cache: they stay as they are.
  func dropCache() {}

  func intervalCommitted() {
    for slot in hot.value.changed {
      committed[Int(slot)] = hot.value.values[Int(slot)]
      isStored[Int(slot)] = true
    }
    endInterval()
  }

  func intervalAborted() {
    for slot in hot.value.changed { hot.value.values[Int(slot)] = committed[Int(slot)] }
    endInterval()
    // What was registered and never written is still to be.
    for slot in names.indices where !isStored[slot] { note(slot) }
  }

  private func endInterval() {
    for slot in hot.value.changed { hot.value.isChanged[Int(slot)] = false }
    hot.value.changed.removeAll(keepingCapacity: true)
    hot.value.unit.clear()
  }

  var intervalBytes: IntervalBytes {
    IntervalBytes(cached: hot.value.changed.count * 100, pages: hot.value.changed.count * 100)
  }
}

extension StateView {
  /// The position in an input; `nil` for one that the state does not know.
  package func position(in name: String) throws(StoreError) -> InputPosition? {
    guard let table = environment.openedTable(Positions.tableName) else { return nil }
    return try Positions.load(transaction, table, name)
  }

  /// The positions in all inputs, by their names.
  package func positions() throws(StoreError) -> [String: InputPosition] {
    guard let table = environment.openedTable(Positions.tableName) else { return [:] }
    var positions: [String: InputPosition] = [:]
    for entry in try TreeWalk.page(transaction, table, limit: .max).entries {
      let name = String(decoding: entry.key.dropFirst(), as: UTF8.self)
      guard let position = InputPosition(entry.value) else { throw Positions.damaged(name) }
      positions[name] = position
    }
    return positions
  }
}
