public import StateStore
public import StreamCore

/// What happened to one row of a table.
public struct Change<Row> {
  /// `nil` where there was no row.
  public let old: Row?
  /// `nil` where the row was deleted.
  public let new: Row?

  @inlinable
  public init(old: Row?, new: Row?) {
    self.old = old
    self.new = new
  }
}

extension Change: Sendable where Row: Sendable {}

/// A changelog seen as the latest row of each key, kept in a store of the operator's name.
public struct KTable<Key: StoreKey, Row> {
  @usableFromInline let builder: StreamsBuilder
  @usableFromInline let port: Port<Key, Change<Row>>
  @usableFromInline let node: OperatorSpec.Input
  @usableFromInline let declaration: KeyValueDeclaration<Key, Row>

  @inlinable
  init(
    builder: StreamsBuilder, port: Port<Key, Change<Row>>, node: OperatorSpec.Input,
    declaration: KeyValueDeclaration<Key, Row>
  ) {
    self.builder = builder
    self.port = port
    self.node = node
    self.declaration = declaration
  }

  /// Opens the store to queries under its name, with secondary indexes that are written in the
  /// same transaction as the row.
  @discardableResult
  public func view(
    indexes: [Index<Row>] = [], file: StaticString = #fileID, line: UInt = #line
  ) -> KTable {
    let location = "\(file):\(line)"
    if declaration.isPublished {
      builder.report("view '\(declaration.name)' is published twice", at: location)
    }
    for (name, count) in indexes.map(\.name).counted() where count > 1 {
      builder.report(
        "view '\(declaration.name)' has \(count) indexes named '\(name)'", at: location)
    }
    declaration.isPublished = true
    declaration.indexes = indexes
    return self
  }

  /// A record for each update of a row; `nil` for a deletion.
  @inlinable
  public func toStream(
    named name: String? = nil, file: StaticString = #fileID, line: UInt = #line
  ) -> KStream<Key, Row?> {
    changes.attach(
      "toStream", named: name, parameters: [OperatorParameter("emit", "everyUpdate")],
      at: "\(file):\(line)"
    ) { _, _, next in
      { key, change in try next(key, change.new) }
    }
  }

  /// A record for each update that changed the row; `nil` for a deletion.
  @inlinable
  public func toStreamOnChange(
    named name: String? = nil, file: StaticString = #fileID, line: UInt = #line
  ) -> KStream<Key, Row?> where Row: Equatable & Sendable {
    changes.attach(
      "toStream", named: name, parameters: [OperatorParameter("emit", "onChange")],
      at: "\(file):\(line)"
    ) { _, _, next in
      { key, change in if change.old != change.new { try next(key, change.new) } }
    }
  }

  @inlinable
  var changes: KStream<Key, Change<Row>> {
    KStream(builder: builder, port: port, node: node, rekeyedBy: nil)
  }
}

extension KStream where Key: StoreKey {
  /// The latest value of each key as a table.
  @inlinable
  @discardableResult
  public func toTable(
    named name: String, as serde: some Serde<Value>, layout: StoreLayout = .rowNumbers,
    file: StaticString = #fileID, line: UInt = #line
  ) -> KTable<Key, Value> {
    let location = "\(file):\(line)"
    let store = KeyValueDeclaration<Key, Value>(name, serde: serde, layout: layout, at: location)
    return attachStateful("toTable", named: name, store: store, version: 1, at: location) {
      name, assembly, store, next in
      let context = assembly.context
      return { key, value in
        let slot = try attempt(name) { try store.slot(of: key) }
        let old = store.row(at: slot)
        try attempt(name) { try store.put(value, at: slot) }
        context.markApplied()
        if let next { try next(key, Change(old: old, new: value)) }
      }
    }
  }

  /// The latest value of each key as a table; `nil`, a tombstone, deletes the row.
  @inlinable
  @discardableResult
  public func toTable<Row>(
    named name: String, as serde: some Serde<Row>, layout: StoreLayout = .rowNumbers,
    file: StaticString = #fileID, line: UInt = #line
  ) -> KTable<Key, Row> where Value == Row? {
    let location = "\(file):\(line)"
    let store = KeyValueDeclaration<Key, Row>(name, serde: serde, layout: layout, at: location)
    return attachStateful("toTable", named: name, store: store, version: 1, at: location) {
      name, assembly, store, next in
      let context = assembly.context
      return { key, value in
        let slot = try attempt(name) { try store.slot(of: key) }
        let old = store.row(at: slot)
        if let value {
          try attempt(name) { try store.put(value, at: slot) }
        } else {
          store.delete(at: slot)
        }
        context.markApplied()
        if let next { try next(key, Change(old: old, new: value)) }
      }
    }
  }
}
