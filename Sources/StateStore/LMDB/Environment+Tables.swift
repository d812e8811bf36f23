import CLMDB
import Synchronization

extension Environment {
  /// The named table, made if it is missing; the caller holds no transaction.
  package func table(_ name: String) throws(StoreError) -> Table {
    if let table = try existingTable(name) { return table }
    return try openingTables { () throws(StoreError) in
      if let table = openedTable(name) { return table }
      let transaction = try WriteTransaction(self)
      let number = try transaction.operations.openTable(name, create: true)
      try transaction.commit()
      tables.withLock { $0[name] = number }
      return Table(name: name, number: number ?? 0)
    }
  }

  /// Opens these tables, and makes those that are missing in one transaction: a state has dozens, and
  /// each commit waits for the disk. The caller holds no transaction.
  ///
  /// - Parameter fill: writes what belongs to them, in the same transaction.
  package func prepareTables(
    _ names: [String], fill: ((Transaction) throws(StoreError) -> Void)? = nil
  ) throws(StoreError) {
    try openTables()
    if fill == nil, names.allSatisfy({ openedTable($0) != nil }) { return }
    try openingTables { () throws(StoreError) in
      var numbers = tables.withLock { $0 }
      let transaction = try WriteTransaction(self)
      for name in names where numbers[name] == nil {
        numbers[name] = try transaction.operations.openTable(name, create: true)
      }
      try fill?(transaction.operations)
      try transaction.commit()
      tables.withLock { $0 = numbers }
    }
  }

  /// Whether nothing was ever committed here.
  package var isEmpty: Bool {
    get throws(StoreError) {
      let transaction = try ReadTransaction(self)
      var cursor = try transaction.operations.cursor(Table(name: "", number: 1))
      return try !cursor.first()
    }
  }

  /// Makes all tables of a new environment, with what they hold from the beginning, in one
  /// transaction: whoever looks sees none of them, or all; of several processes one makes them.
  ///
  /// - Returns: `false` where there are tables already; nothing was done then.
  /// - Throws: ``StoreError``, or what `fill` throws: then there are none.
  package func makeTables(
    _ names: [String], _ fill: (Transaction, [Table]) throws -> Void
  ) throws -> Bool {
    try opening.withLock { _ in
      let transaction = try WriteTransaction(self)
      do {
        var cursor = try transaction.operations.cursor(Table(name: "", number: 1))
        if try cursor.first() { return false }
      }
      var made: [Table] = []
      for name in names {
        let number = try transaction.operations.openTable(name, create: true)
        made.append(Table(name: name, number: number ?? 0))
      }
      try fill(transaction.operations, made)
      try transaction.commit()
      tables.withLock { for table in made { $0[table.name] = table.number } }
      return true
    }
  }

  /// Opens every table that there is, so that a transaction begun afterwards can use them all.
  package func openTables() throws(StoreError) {
    let count = mainTable.ms_entries
    if tables.withLock({ $0.count }) == count { return }
    try openingTables { () throws(StoreError) in
      var numbers = tables.withLock { $0 }
      let transaction = try ReadTransaction(self)
      do {
        // LMDB keeps the named tables as entries of its main one.
        var cursor = try transaction.operations.cursor(Table(name: "", number: 1))
        var found = try cursor.first()
        while found {
          let name = String(decoding: cursor.key, as: UTF8.self)
          if numbers[name] == nil {
            numbers[name] = try transaction.operations.openTable(name, create: false)
          }
          found = try cursor.next()
        }
      }
      transaction.close(keepingTables: true)
      tables.withLock { $0 = numbers }
    }
  }

  /// The named table, if it is open already: what a transaction that has begun can use.
  func openedTable(_ name: String) -> Table? {
    tables.withLock { tables in tables[name].map { Table(name: name, number: $0) } }
  }

  /// The named table, or `nil` if nobody has made it yet.
  package func existingTable(_ name: String) throws(StoreError) -> Table? {
    if let table = openedTable(name) { return table }
    return try openingTables { () throws(StoreError) in
      if let table = openedTable(name) { return table }
      let transaction = try ReadTransaction(self)
      let number = try transaction.operations.openTable(name, create: false)
      // A committed read transaction leaves the handle open for others (lmdb.h, mdb_dbi_open).
      transaction.close(keepingTables: true)
      guard let number else { return nil }
      tables.withLock { $0[name] = number }
      return Table(name: name, number: number)
    }
  }

  /// So that a state with many tables is opened again once, before it is in use.
  func makeRoomForStoredTables() throws(StoreError) {
    let count = mainTable.ms_entries + 8
    if count <= options.maxTables { return }
    try opening.withLock { _ throws(StoreError) in try makeRoom(forTables: count) }
  }

  /// Runs `body`, which opens tables, again for as long as there is no room for them.
  private func openingTables<Result>(
    _ body: () throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    try opening.withLock { _ throws(StoreError) in
      while true {
        let room = tablesMax
        do throws(StoreError) {
          return try body()
        } catch {
          guard error.code == .tablesFull else { throw error }
          try makeRoom(forTables: room + 1)
        }
      }
    }
  }
}
