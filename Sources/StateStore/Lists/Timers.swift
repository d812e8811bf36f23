package import StreamCore

/// A point in time at which an operator wants to be called for a key.
package struct Timer: Hashable, Sendable {
  package let time: Timestamp
  /// The operator's name.
  package let name: String
  /// The key's encoded form.
  package let key: [UInt8]

  package init(time: Timestamp, operator name: String, key: [UInt8]) {
    self.time = time
    self.name = name
    self.key = key
  }
}

/// The timers of a task in the order (time, operator, key), durable. Behind them lie those that stay
/// set and are never due: firings at the end of time set them.
///
/// What the interval set or deleted lies over the tree: a map for what holds, a heap for the
/// earliest. The tree is read ahead a page at a time, past what the interval deleted, so that taking
/// timer after timer costs each the same however many are due. ``next(upTo:)`` costs a comparison
/// while nothing is due.
package final class Timers: StoreParticipant {
  private struct Change {
    let timer: [UInt8]
    let old: Bool?
  }

  /// Of the first page that is read ahead; each next one is twice as large, up to a limit.
  private static let pageMin = 8
  private static let pageMax = 512

  private let interval: Interval
  private let table: Table
  private let countWord: Int
  private let index: Int32
  private var lastUnit = -1
  /// Set (true) or deleted (false) in this interval.
  private var overlay: [[UInt8]: Bool] = [:]
  /// Keys that were set; those deleted since are dropped when they come up.
  private var heap = MinHeap()
  private var unit: [Change] = []
  /// A page of the tree, and the first of it that the interval has not been seen to delete.
  private var ahead: [[UInt8]] = []
  private var nextAhead = 0
  /// Where the page behind it begins; `nil` at the tree's end.
  private var behindAhead: [UInt8]? = []
  private var page = pageMin

  init(_ interval: Interval, index: Int) throws(StoreError) {
    self.interval = interval
    self.index = Int32(index)
    self.table = try interval.environment.table("timers")
    self.countWord = interval.words.register("timers.count")
  }

  /// The number of timers, the interval's changes included.
  package var count: Int { Int(interval.words[countWord]) }

  /// Before a timer that stays set; above every key's tag.
  fileprivate static let staysMark: UInt8 = 0xFF

  private static func encode(_ timer: Timer, staysSet: Bool) -> [UInt8] {
    var bytes: [UInt8] = staysSet ? [staysMark] : []
    KeyEncoding.append(timestamp: timer.time, to: &bytes)
    KeyEncoding.append(string: timer.name, to: &bytes)
    bytes.append(contentsOf: timer.key)
    return bytes
  }

  fileprivate static func decode(_ bytes: [UInt8]) throws(StoreError) -> Timer {
    var reader = KeyReader(bytes)
    let time = try Timestamp(decoding: &reader)
    let name = try String(decoding: &reader)
    return Timer(time: time, operator: name, key: [UInt8](bytes[reader.position...]))
  }

  private func holds(_ timer: [UInt8]) throws(StoreError) -> Bool {
    if let known = overlay[timer] { return known }
    return try interval.reading { transaction throws(StoreError) in
      try TreeKey.with(timer.raw) { key throws(StoreError) in
        try transaction.value(table, key) != nil
      }
    }
  }

  private func change(_ timer: [UInt8], to set: Bool) {
    if interval.isFirstChange(of: index, &lastUnit) { unit.removeAll(keepingCapacity: true) }
    unit.append(Change(timer: timer, old: overlay[timer]))
    overlay[timer] = set
    interval.words[countWord] += set ? 1 : -1
    if set { heap.push(timer) }
  }

  /// Sets a timer; one that is set already stays as it is.
  ///
  /// - Parameter staysSet: it is never due.
  package func set(_ timer: Timer, staysSet: Bool = false) throws(StoreError) {
    let bytes = Self.encode(timer, staysSet: false)
    if try holds(bytes) { return }
    if !staysSet { return change(bytes, to: true) }
    let staying = Self.encode(timer, staysSet: true)
    if try !holds(staying) { change(staying, to: true) }
  }

  /// Deletes a timer, if it is set.
  ///
  /// - Parameter mayStay: there may be timers that stay set, which are looked for too.
  package func delete(_ timer: Timer, mayStay: Bool = false) throws(StoreError) {
    for staysSet in mayStay ? [false, true] : [false] {
      let bytes = Self.encode(timer, staysSet: staysSet)
      if try holds(bytes) { change(bytes, to: false) }
    }
  }

  /// The earliest timer at or before `time`, which stays set until it is deleted.
  package func next(upTo time: Timestamp) throws(StoreError) -> Timer? {
    while let top = heap.first, overlay[top] != true { heap.removeFirst() }
    var first = heap.first
    if let stored = try firstStored() {
      if let cached = first {
        if precedes(stored, cached) { first = stored }
      } else {
        first = stored
      }
    }
    guard let first, first[0] != Self.staysMark else { return nil }
    let earliest = Int64(bitPattern: first.raw.bigEndian(UInt64.self, at: 1) ^ (1 << 63))
    return earliest <= time.milliseconds ? try Self.decode(first) : nil
  }

  /// The first timer of the tree that the interval neither set nor deleted.
  private func firstStored() throws(StoreError) -> [UInt8]? {
    while true {
      while nextAhead < ahead.count {
        if overlay[ahead[nextAhead]] == nil { return ahead[nextAhead] }
        nextAhead += 1
      }
      guard let from = behindAhead else { return nil }
      let (entries, isEnd) = try interval.reading { transaction throws(StoreError) in
        try TreeWalk.page(transaction, table, from: from, limit: page, keysOnly: true)
      }
      page = min(page * 2, Self.pageMax)
      ahead = entries.map(\.key)
      nextAhead = 0
      behindAhead = isEnd ? nil : ahead.last.map { $0 + [0] }
    }
  }

  /// Goes back to a timer of the tree that is not deleted any more.
  private func returnTo(_ timer: [UInt8]) {
    if let first = ahead.first, !precedes(timer, first) {
      var (low, high) = (0, nextAhead)
      while low < high {
        let middle = (low + high) / 2
        if precedes(ahead[middle], timer) { low = middle + 1 } else { high = middle }
      }
      nextAhead = low
    } else if behindAhead.map({ precedes(timer, $0) }) ?? true {
      (ahead, nextAhead, behindAhead) = ([], 0, timer)
    }
  }

  func rollbackUnit() {
    for change in unit.reversed() {
      let wasDeletion = overlay[change.timer] == false
      overlay[change.timer] = change.old
      if change.old == true { heap.push(change.timer) }
      if change.old == nil && wasDeletion { returnTo(change.timer) }
    }
    unit.removeAll(keepingCapacity: true)
  }

  func flush(_ transaction: Transaction) throws {
    for timer in overlay.keys.sorted(by: precedes) {
      try TreeKey.with(timer.raw) { key throws(StoreError) in
        if overlay[timer] == true {
          var head: [UInt8] = []
          TreeKey.appendHead(timer.raw, to: &head)
          try transaction.put(table, key, head.raw)
        } else {
          try transaction.delete(table, key)
        }
      }
    }
  }

  func dropCache() {
    overlay = [:]
    heap.removeAll()
    unit = []
    (ahead, nextAhead, behindAhead, page) = ([], 0, [], Self.pageMin)
  }

  var intervalBytes: IntervalBytes {
    IntervalBytes(cached: overlay.count * 150, pages: overlay.count * 250)
  }
}

/// A binary heap of byte strings, the least first.
private struct MinHeap {
  private var items: [[UInt8]] = []

  var first: [UInt8]? { items.first }

  mutating func push(_ item: [UInt8]) {
    items.append(item)
    var child = items.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if !precedes(items[child], items[parent]) { break }
      items.swapAt(child, parent)
      child = parent
    }
  }

  mutating func removeFirst() {
    items.swapAt(0, items.count - 1)
    items.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < items.count && precedes(items[child], items[least]) {
        least = child
      }
      if least == parent { return }
      items.swapAt(least, parent)
      parent = least
    }
  }

  mutating func removeAll() { items = [] }
}

extension StateView {
  /// The earliest timer that will be due; `nil` where none is set.
  package func firstTimer() throws(StoreError) -> Timer? {
    guard let table = environment.openedTable("timers") else { return nil }
    let (entries, _) = try TreeWalk.page(transaction, table, limit: 1, keysOnly: true)
    guard let first = entries.first?.key, first[0] != Timers.staysMark else { return nil }
    return try Timers.decode(first)
  }
}
