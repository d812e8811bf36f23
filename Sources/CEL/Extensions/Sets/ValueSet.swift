/// Values to be found by CEL's equality: those that could be a map's key by hash, others one by one.
struct ValueSet {
  private var keys: Set<MapKey> = []
  private var others: [Value] = []

  init() {}

  init(_ values: some Sequence<Value>) {
    for value in values { insert(value) }
  }

  mutating func insert(_ value: Value) {
    if let key = MapKey(value), key.isExact { keys.insert(key) } else { others.append(value) }
  }

  /// Charges the comparisons with values that have no hash; `false` where they cost too much.
  func contains(_ value: Value, _ budget: inout Budget) -> Bool {
    if let key = MapKey(value), key.isExact { return keys.contains(key) }
    for other in others {
      guard budget.charge(1) else { return false }
      if other.isEqual(to: value, &budget) { return true }
    }
    return false
  }

  func contains(all values: some Sequence<Value>, _ budget: inout Budget) -> Bool {
    values.allSatisfy { contains($0, &budget) }
  }

  func contains(anyOf values: some Sequence<Value>, _ budget: inout Budget) -> Bool {
    values.contains { contains($0, &budget) }
  }
}
