public import StreamCore

/// The decoded rows an interval has met, and how to take a unit's changes back.
@usableFromInline
final class RowCache<Row> {
  @usableFromInline
  struct Slot {
    @usableFromInline let entry: Int32
    /// Whether the transaction had a row when the slot was loaded.
    @usableFromInline let existed: Bool
    @usableFromInline var hasRow: Bool
    /// Its place among the slots whose row differs from the stored one, or may; -1 for the others.
    @usableFromInline var dirtyPosition: Int32 = -1

    @inlinable
    init(entry: Int, existed: Bool) {
      self.entry = Int32(truncatingIfNeeded: entry)
      self.existed = existed
      self.hasRow = existed
    }
  }

  /// A slot that the unit changed; its old row lies beside it in ``State/undoRows``.
  @usableFromInline
  struct Undo {
    @usableFromInline let slot: Int32
    @usableFromInline let wasDirty: Bool

    @inlinable
    init(slot: Int32, wasDirty: Bool) {
      self.slot = slot
      self.wasDirty = wasDirty
    }
  }

  /// The index entry, without its key, of a stored row.
  @usableFromInline
  struct StoredEntry {
    /// Where its first component ends, from its start; -1 where the row is not in the index.
    @usableFromInline let firstEnd: Int32
    /// Where it ends among the bytes of all; it begins where the one before ends.
    @usableFromInline let end: Int32

    @inlinable
    init(firstEnd: Int, end: Int) {
      self.firstEnd = Int32(truncatingIfNeeded: firstEnd)
      self.end = Int32(truncatingIfNeeded: end)
    }
  }

  @usableFromInline
  struct State: ~Copyable {
    @usableFromInline var slots: [Slot] = []
    /// By slot: apart, so that a look at the slot copies no row.
    @usableFromInline var rows: [Row?] = []
    /// By entry of the key space: slot + 1, or 0.
    @usableFromInline var slotOfEntry: [Int32] = []
    @usableFromInline var dirty: [Int32] = []
    @usableFromInline var undo: [Undo] = []
    @usableFromInline var undoRows: [Row?] = []
    /// What the indexes hold of the dirty slots, as many a slot as there are indexes.
    @usableFromInline var stored: [StoredEntry] = []
    @usableFromInline var storedBytes: [UInt8] = []

    @inlinable
    init() {}
  }

  @usableFromInline
  typealias ComponentEncoder = @Sendable (Row, inout [UInt8]) -> Bool

  @usableFromInline let core: RowCore
  /// Those of each index, bare: an index with its names would be copied for each row.
  @usableFromInline let indexes: [[ComponentEncoder]]
  @usableFromInline let decode: (RawSpan) throws -> Row
  /// Throws for a row that has no bytes, or, with indexes, none that read back.
  @usableFromInline let check: (Row) throws -> Void
  /// Whether there may be such rows, or rows that read back as others.
  @usableFromInline let isChecked: Bool
  @usableFromInline let state = OwnedState(State())

  @inlinable
  init(
    core: RowCore, indexes: [Index<Row>], decode: @escaping (RawSpan) throws -> Row,
    isChecked: Bool, check: @escaping (Row) throws -> Void
  ) {
    self.core = core
    self.indexes = indexes.map { $0.components.map(\.encode) }
    self.decode = decode
    self.isChecked = isChecked
    self.check = check
  }

  @inlinable var dirtyCount: Int { state.value.dirty.count }

  /// The slot of an entry, its row decoded at most once an interval.
  @inlinable
  func slot(_ entry: Int) throws -> Int {
    if entry < state.value.slotOfEntry.count {
      let slot = state.value.slotOfEntry[entry]
      if slot != 0 { return Int(slot) - 1 }
    }
    return try load(entry)
  }

  @inlinable
  func load(_ entry: Int) throws -> Int {
    var row: Row?
    if let stored = try unsafe core.storedRow(entry) {
      do {
        row = try unsafe decode(stored.bytes)
      } catch {
        throw core.unreadable(entry, error)
      }
    }
    while state.value.slotOfEntry.count <= entry { state.value.slotOfEntry.append(0) }
    state.value.slots.append(Slot(entry: entry, existed: row != nil))
    state.value.rows.append(consume row)
    state.value.slotOfEntry[entry] = Int32(truncatingIfNeeded: state.value.slots.count)
    return state.value.slots.count - 1
  }

  @inlinable
  func row(at slot: Int) -> Row? { state.value.rows[slot] }

  /// Moves the row out of its slot, which is empty until ``write(_:_:replacing:)`` or
  /// ``putBack(_:_:)``; a copy of it would count references at addresses that are seldom at hand.
  @inlinable
  func take(_ slot: Int) -> Row? {
    var row: Row?
    swap(&state.value.rows[slot], &row)
    return row
  }

  /// Undoes ``take(_:)``.
  @inlinable
  func putBack(_ slot: Int, _ row: consuming Row?) { state.value.rows[slot] = row }

  /// Why a row cannot be written to a slot; `nil` where it can.
  @inlinable
  func refusal(of row: Row, at slot: Int) -> SerdeError? {
    do {
      try check(row)
      return nil
    } catch {
      return core.unwritable(Int(state.value.slots[slot].entry), error)
    }
  }

  /// Writes a slot.
  ///
  /// - Parameter old: the row that was taken out of it.
  @inlinable
  func write(_ slot: Int, _ row: consuming Row?, replacing old: consuming Row?) {
    if core.isFirstChange() { forgetUndo() }
    var old = consume old
    state.value.slots[slot].hasRow = row != nil
    state.value.rows[slot] = row
    let wasDirty = state.value.slots[slot].dirtyPosition >= 0
    if !wasDirty {
      state.value.slots[slot].dirtyPosition = Int32(truncatingIfNeeded: state.value.dirty.count)
      state.value.dirty.append(Int32(truncatingIfNeeded: slot))
      if !indexes.isEmpty { noteStored(&old) }
    }
    state.value.undo.append(Undo(slot: Int32(truncatingIfNeeded: slot), wasDirty: wasDirty))
    state.value.undoRows.append(old)
  }

  /// Notes what the indexes hold of a row that is about to differ from the stored one; it is as
  /// before when the call returns.
  @inlinable
  func noteStored(_ stored: inout Row?) {
    var row: Row?
    swap(&row, &stored)
    guard let taken = consume row else { return noteNothingStored() }
    // Taken out while the components' closures run.
    var bytes: [UInt8] = []
    swap(&bytes, &state.value.storedBytes)
    for position in indexes.indices {
      let start = bytes.count
      let first = appendEntry(position, taken, to: &bytes)
      if first < 0 { bytes.removeLast(bytes.count - start) }
      state.value.stored.append(
        StoredEntry(firstEnd: first < 0 ? -1 : first - start, end: bytes.count))
    }
    swap(&bytes, &state.value.storedBytes)
    stored = consume taken
  }

  /// Appends the row's entry of an index without its key.
  ///
  /// - Returns: where the first component ends, or -1 for a row that is not in this index.
  @inlinable
  @inline(__always)
  func appendEntry(_ index: Int, _ row: borrowing Row, to bytes: inout [UInt8]) -> Int {
    var first = -1
    for component in indexes[index].indices {
      guard indexes[index][component](row, &bytes) else { return -1 }
      if first < 0 { first = bytes.count }
    }
    return first
  }

  /// The same for the stored bytes of a row.
  @inlinable
  func appendEntry(
    _ index: Int, ofStored row: RawSpan, to bytes: inout [UInt8]
  ) throws -> Int { appendEntry(index, try decode(row), to: &bytes) }

  @inlinable
  func noteNothingStored() {
    let end = state.value.storedBytes.count
    for _ in indexes.indices { state.value.stored.append(StoredEntry(firstEnd: -1, end: end)) }
  }

  /// What the units before did is final.
  @inlinable
  func forgetUndo() {
    // A unit has few changes, and dropping one at a time is much cheaper than a range.
    while !state.value.undo.isEmpty {
      state.value.undo.removeLast()
      state.value.undoRows.removeLast()
    }
  }

  @inlinable
  func rollbackUnit() {
    while let last = state.value.undo.popLast() {
      let slot = Int(last.slot)
      let old = state.value.undoRows.removeLast()
      state.value.slots[slot].hasRow = old != nil
      state.value.rows[slot] = old
      if last.wasDirty { continue }
      state.value.slots[slot].dirtyPosition = -1
      state.value.dirty.removeLast()
      state.value.stored.removeLast(indexes.count)
      let end = state.value.stored.last?.end ?? 0
      state.value.storedBytes.removeLast(state.value.storedBytes.count - Int(end))
    }
  }

  /// Encodes and writes the dirty rows in the order of the tree, and notes the differences of
  /// their index entries.
  @inlinable
  @inline(__always)
  func writeRows(_ encode: (Row, inout [UInt8]) throws -> Void) throws {
    if state.value.dirty.isEmpty { return }
    var bytes: [UInt8] = []
    for entry in try core.order(state.value.dirty.map { state.value.slots[Int($0)].entry }) {
      let slot = Int(state.value.slotOfEntry[Int(entry)]) - 1
      // Moved out and in again, as everywhere: a copy counts references.
      if let row = take(slot) {
        do { try writeRow(row, Int(entry), slot, &bytes, encode) } catch {
          putBack(slot, consume row)
          throw error
        }
        putBack(slot, consume row)
        continue
      }
      if state.value.slots[slot].existed { try core.deleteValue(Int(entry)) }
      for index in indexes.indices {
        let start = core.indexes[index].arena.value.count
        noteDifference(slot, index, Int(entry), start, -1)
      }
    }
  }

  @inlinable
  @inline(__always)
  func writeRow(
    _ row: borrowing Row, _ entry: Int, _ slot: Int, _ bytes: inout [UInt8],
    _ encode: (Row, inout [UInt8]) throws -> Void
  ) throws {
    core.beginValue(entry, &bytes)
    let content = bytes.count
    try encode(row, &bytes)
    try core.putValue(entry, bytes)
    if indexes.isEmpty { return }
    if isChecked {
      // The next interval will see what the bytes say, which need not be this row.
      let stored = try unsafe bytes.withUnsafeBytes {
        try unsafe decode(UnsafeRawBufferPointer(rebasing: $0[content...]).bytes)
      }
      noteEntries(stored, entry, slot)
    } else {
      noteEntries(row, entry, slot)
    }
  }

  @inlinable
  @inline(__always)
  func noteEntries(_ row: borrowing Row, _ entry: Int, _ slot: Int) {
    for index in indexes.indices {
      let arena = unsafe core.indexes[index].arena.pointer
      let start = unsafe arena.pointee.count
      let first = unsafe appendEntry(index, row, to: &arena.pointee)
      noteDifference(slot, index, entry, start, first)
    }
  }

  @inlinable
  func noteDifference(_ slot: Int, _ index: Int, _ entry: Int, _ start: Int, _ first: Int) {
    let place = Int(state.value.slots[slot].dirtyPosition) * indexes.count + index
    let storedStart = place == 0 ? 0 : Int(state.value.stored[place - 1].end)
    let stored = state.value.stored[place]
    unsafe state.value.storedBytes.withUnsafeBytes { bytes in
      let entryBytes = unsafe bytes.bytes.extracting(storedStart..<Int(stored.end))
      core.noteDifference(index, entry, entryBytes, Int(stored.firstEnd), start, first)
    }
  }

  @inlinable
  func releaseMemory() { state.value = State() }

  @inlinable
  func dropCache() {
    state.value.slots.empty()
    state.value.rows.empty()
    state.value.slotOfEntry.empty()
    state.value.dirty.empty()
    state.value.undo.empty()
    state.value.undoRows.empty()
    state.value.stored.empty()
    state.value.storedBytes.empty()
  }
}
