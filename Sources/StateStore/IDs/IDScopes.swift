/// The scopes of a task's seen ids: their names, each with a number that stays.
enum IDScopes {
  private static func key(_ name: String) -> [UInt8] { [0x73] + name.utf8Bytes }

  /// The number of a scope, given to it now if it is new.
  static func number(of name: String, _ environment: Environment) throws(StoreError) -> UInt32 {
    let table = try environment.table("ids.scopes")
    let key = key(name)
    do {
      let read = try ReadTransaction(environment)
      for scope in try load(read.operations, table) where scope.name == name {
        return scope.number
      }
    }
    let write = try WriteTransaction(environment)
    let number = UInt32(truncatingIfNeeded: try write.operations.count(table))
    var value: [UInt8] = []
    TreeKey.appendHead(key.raw, to: &value)
    value.append(bigEndian: number)
    try TreeKey.with(key.raw) { treeKey throws(StoreError) in
      try write.operations.put(table, treeKey, value.raw)
    }
    try write.commit()
    return number
  }

  /// All scopes in the order of their names.
  static func load(
    _ transaction: Transaction, _ table: Table
  ) throws(StoreError) -> [(name: String, number: UInt32)] {
    var scopes: [(name: String, number: UInt32)] = []
    for entry in try TreeWalk.page(transaction, table, limit: .max).entries {
      guard entry.key.count > 0, entry.value.count == 4 else {
        throw StoreError(.corrupted, "a scope has no number", store: table.name)
      }
      scopes.append(
        (
          String(decoding: entry.key.dropFirst(), as: UTF8.self),
          entry.value.raw.bigEndian(UInt32.self, at: 0)
        ))
    }
    return scopes
  }
}
