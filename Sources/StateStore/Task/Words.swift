/// Named 64-bit integers of a task: times, counters, high-water marks; one stored value.
///
/// A slot is registered by name, at any time outside a unit; the names are stored once. Reading and
/// writing a slot cost nanoseconds.
package final class Words {
  private struct Change {
    let slot: Int32
    let old: Int64
  }

  private struct Hot: ~Copyable {
    var values: [Int64] = []
    var unit = UnitLog<Change>()
  }

  private let table: Table
  package private(set) var names: [String] = []
  private var slots: [String: Int] = [:]
  private var committedValues: [Int64] = []
  private var storedNames = 0
  private let hot = OwnedState(Hot())

  init(_ environment: Environment) throws(StoreError) {
    self.table = try environment.table("words")
    let read = try ReadTransaction(environment)
    (names, hot.value.values) = try Self.load(read.operations, table)
    for (slot, name) in names.enumerated() { slots[name] = slot }
    committedValues = hot.value.values
    storedNames = names.count
  }

  /// The stored names and values, for readers as well.
  static func load(
    _ transaction: Transaction, _ table: Table
  ) throws(StoreError) -> ([String], [Int64]) {
    let damaged = StoreError(.corrupted, "names and values differ in number", store: "words")
    let stored = try transaction.value(table, "values".utf8Bytes.raw) ?? []
    var names: [String] = []
    var values: [Int64] = []
    for slot in 0..<(stored.count / 8) {
      let key = [UInt8]("name".utf8) + bigEndianBytes(UInt32(slot))
      guard let name = try transaction.value(table, key.raw) else { throw damaged }
      names.append(String(decoding: name, as: UTF8.self))
      values.append(stored.raw.bigEndian(Int64.self, at: slot * 8))
    }
    return (names, values)
  }

  /// The slot of a name; a new one begins with `initial`.
  package func register(_ name: String, initial: Int64 = 0) -> Int {
    if let slot = slots[name] { return slot }
    precondition(hot.value.unit.isEmpty, "words are registered outside a unit")
    let slot = names.count
    names.append(name)
    hot.value.values.append(initial)
    committedValues.append(initial)
    slots[name] = slot
    return slot
  }

  package subscript(slot: Int) -> Int64 {
    get { hot.value.values[slot] }
    set {
      let old = hot.value.values[slot]
      hot.value.unit.append(Change(slot: Int32(truncatingIfNeeded: slot), old: old))
      hot.value.values[slot] = newValue
    }
  }

  /// The value of a name, if it is registered.
  package func value(named name: String) -> Int64? { slots[name].map { self[$0] } }

  func commitUnit() { hot.value.unit.clear() }

  func rollbackUnit() {
    for position in (0..<hot.value.unit.count).reversed() {
      let change = hot.value.unit[position]
      hot.value.values[Int(change.slot)] = change.old
    }
    hot.value.unit.clear()
  }

  func flush(_ transaction: Transaction) throws(StoreError) {
    for slot in storedNames..<names.count {
      let key = [UInt8]("name".utf8) + bigEndianBytes(UInt32(slot))
      try transaction.put(table, key.raw, names[slot].utf8Bytes.raw)
    }
    var stored: [UInt8] = []
    stored.reserveCapacity(names.count * 8)
    for value in hot.value.values { stored.append(bigEndian: value) }
    try transaction.put(table, "values".utf8Bytes.raw, stored.raw)
  }

  func intervalCommitted() {
    hot.value.unit.clear()
    storedNames = names.count
    committedValues = hot.value.values
  }

  func intervalAborted() {
    hot.value.unit.clear()
    hot.value.values = committedValues
  }
}

func bigEndianBytes(_ value: UInt32) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.append(bigEndian: value)
  return bytes
}

extension String {
  var utf8Bytes: [UInt8] { [UInt8](utf8) }
}
