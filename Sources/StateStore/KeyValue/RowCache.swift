public import StreamCore

/// The decoded rows an interval has met, and how to take a unit's changes back.
@usableFromInline
final class RowCache<Row> {
  @usableFromInline
  struct Slot {
    @usableFromInline let entry: Int32
    /// Whether the row differs from the stored one, or may.
    @usableFromInline var isDirty = false
    /// Whether the transaction had a row when the slot was loaded.
    @usableFromInline let existed: Bool
    @usableFromInline var current: Row?
    /// The stored row, of a dirty slot of a store with indexes.
    @usableFromInline var persisted: Row?

    @inlinable
    init(entry: Int32, row: Row?) {
      self.entry = entry
      self.existed = row != nil
      self.current = row
    }
  }

  @usableFromInline
  struct Undo {
    @usableFromInline let slot: Int32
    @usableFromInline let wasDirty: Bool
    @usableFromInline let old: Row?

    @inlinable
    init(slot: Int32, wasDirty: Bool, old: Row?) {
      self.slot = slot
      self.wasDirty = wasDirty
      self.old = old
    }
  }

  @usableFromInline let core: RowCore
  @usableFromInline let serde: any Serde<Row>
  @usableFromInline let indexes: [Index<Row>]
  @usableFromInline var slots: [Slot] = []
  /// By entry of the key space: slot + 1, or 0.
  @usableFromInline var slotOfEntry: [Int32] = []
  @usableFromInline var dirty: [Int32] = []
  @usableFromInline var undo: [Undo] = []

  @inlinable
  init(core: RowCore, serde: any Serde<Row>, indexes: [Index<Row>]) {
    self.core = core
    self.serde = serde
    self.indexes = indexes
  }

  /// The slot of an entry, its row decoded at most once an interval.
  @inlinable
  func slot(_ entry: Int) throws -> Int {
    if entry < slotOfEntry.count {
      let slot = slotOfEntry[entry]
      if slot != 0 { return Int(slot) - 1 }
    }
    return try load(entry)
  }

  @inlinable
  func load(_ entry: Int) throws -> Int {
    var row: Row?
    if let stored = try unsafe core.storedRow(entry) {
      row = try unsafe serde.deserialize(stored.bytes)
    }
    while slotOfEntry.count <= entry { slotOfEntry.append(0) }
    slots.append(Slot(entry: Int32(truncatingIfNeeded: entry), row: row))
    slotOfEntry[entry] = Int32(truncatingIfNeeded: slots.count)
    return slots.count - 1
  }

  @inlinable
  func write(_ slot: Int, _ row: consuming Row?) {
    core.touch()
    let wasDirty = slots[slot].isDirty
    var old = row
    swap(&slots[slot].current, &old)
    if !wasDirty {
      slots[slot].isDirty = true
      if !indexes.isEmpty { slots[slot].persisted = old }
      dirty.append(Int32(truncatingIfNeeded: slot))
    }
    undo.append(Undo(slot: Int32(truncatingIfNeeded: slot), wasDirty: wasDirty, old: old))
  }

  @inlinable
  func commitUnit() { undo.removeAll(keepingCapacity: true) }

  @inlinable
  func rollbackUnit() {
    while let last = undo.popLast() {
      let slot = Int(last.slot)
      slots[slot].current = last.old
      if !last.wasDirty {
        slots[slot].isDirty = false
        slots[slot].persisted = nil
        dirty.removeLast()
      }
    }
  }

  /// Encodes and writes the dirty rows in the order of the tree, and notes the differences of
  /// their index entries.
  @inlinable
  func writeRows() throws {
    if dirty.isEmpty { return }
    let entries = dirty.map { slots[Int($0)].entry }
    for entry in try core.order(entries) {
      let slot = Int(slotOfEntry[Int(entry)]) - 1
      if let row = slots[slot].current {
        try core.beginValue(Int(entry))
        try serde.serialize(row, into: &core.scratch)
        try core.putValue(Int(entry))
      } else if slots[slot].existed {
        try core.deleteValue(Int(entry))
      }
      if indexes.isEmpty { continue }
      let number = core.indexedNumber(Int(entry))
      for position in indexes.indices {
        let index = core.indexes[position]
        index.clear()
        if let row = slots[slot].persisted {
          index.oldFirst = indexes[position].append(row, to: &index.old)
        }
        if let row = slots[slot].current {
          index.newFirst = indexes[position].append(row, to: &index.new)
        }
        index.noteDifference(core.space, Int(entry), number)
      }
    }
  }

  @inlinable
  func dropCache() {
    slots.removeAll(keepingCapacity: true)
    slotOfEntry.removeAll(keepingCapacity: true)
    dirty.removeAll(keepingCapacity: true)
    undo.removeAll(keepingCapacity: true)
  }
}
