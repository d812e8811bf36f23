public import StateStore
public import StreamCore

extension KStream where Key: StoreKey {
  /// Groups records by their key, for `count`, `reduce` and `aggregate`.
  @inlinable
  public func groupByKey() -> KGroupedStream<Key, Value> { KGroupedStream(stream: self) }

  /// Adds an operator that owns a store of the same name.
  @inlinable
  func attachStateful<Row>(
    _ word: String, named name: String, store: KeyValueDeclaration<Key, Row>,
    parameters: [OperatorParameter] = [], version: Int, at location: String,
    _ make:
      @escaping @Sendable (
        String, TaskAssembly, KeyValueStore<Key, Row>, Forward<Key, Change<Row>>?
      ) -> Forward<Key, Value>
  ) -> KTable<Key, Row> {
    builder.add(store: store, at: location)
    if let rekeyedBy {
      builder.report(
        "'\(name)' groups records that '\(rekeyedBy)' may have given another key: equal keys can "
          + "lie in different partitions, and this version has no repartition; group by the "
          + "record's own key", at: location)
    }
    let table: KStream<Key, Change<Row>> = attach(
      word, named: name, version: version, stores: [store.name], parameters: parameters,
      at: location,
      toPort: { name, assembly, output in
        make(name, assembly, assembly.store(store), assembly.consumers(of: output))
      })
    return KTable(builder: builder, port: table.port, node: table.node, declaration: store)
  }
}

/// A stream grouped by key; each operator on it keeps one row a key.
public struct KGroupedStream<Key: StoreKey, Value> {
  @usableFromInline let stream: KStream<Key, Value>

  @inlinable
  init(stream: KStream<Key, Value>) { self.stream = stream }

  /// Folds each record into its key's row, which starts as `initial`.
  @inlinable
  @discardableResult
  public func aggregate<Row: Sendable>(
    into initial: Row, named name: String, as serde: some Serde<Row>, version: Int = 1,
    layout: StoreLayout = .rowNumbers, file: StaticString = #fileID, line: UInt = #line,
    _ add: @escaping @Sendable (inout Row, Value) throws -> Void
  ) -> KTable<Key, Row> {
    fold(
      "aggregate", into: initial, named: name, as: serde, version: version, layout: layout,
      at: "\(file):\(line)", add)
  }

  @inlinable
  func fold<Row: Sendable>(
    _ word: String, into initial: Row, named name: String, as serde: some Serde<Row>, version: Int,
    layout: StoreLayout, at location: String,
    _ add: @escaping @Sendable (inout Row, Value) throws -> Void
  ) -> KTable<Key, Row> {
    let store = KeyValueDeclaration<Key, Row>(name, serde: serde, layout: layout, at: location)
    return stream.attachStateful(
      word, named: name, store: store, version: version, at: location
    ) { name, assembly, store, next in
      let context = assembly.context
      return { key, value in
        let slot = try attempt(name) { try store.slot(of: key) }
        let old = store.row(at: slot)
        var row = old ?? initial
        try attempt(name) {
          try add(&row, value)
          try store.put(row, at: slot)
        }
        context.markApplied()
        if let next { try next(key, Change(old: old, new: row)) }
      }
    }
  }

  /// Counts the records of each key.
  @inlinable
  @discardableResult
  public func count(
    named name: String, layout: StoreLayout = .rowNumbers, file: StaticString = #fileID,
    line: UInt = #line
  ) -> KTable<Key, Int64> {
    fold(
      "count", into: Int64(0), named: name, as: CountSerde(), version: 1, layout: layout,
      at: "\(file):\(line)"
    ) { count, _ in count += 1 }
  }

  /// Combines each record with its key's row, which starts as the first record.
  @inlinable
  @discardableResult
  public func reduce(
    named name: String, as serde: some Serde<Value>, version: Int = 1,
    layout: StoreLayout = .rowNumbers, file: StaticString = #fileID, line: UInt = #line,
    _ combine: @escaping @Sendable (Value, Value) throws -> Value
  ) -> KTable<Key, Value> {
    let location = "\(file):\(line)"
    let store = KeyValueDeclaration<Key, Value>(name, serde: serde, layout: layout, at: location)
    return stream.attachStateful(
      "reduce", named: name, store: store, version: version, at: location
    ) { name, assembly, store, next in
      let context = assembly.context
      return { key, value in
        let slot = try attempt(name) { try store.slot(of: key) }
        let old = store.row(at: slot)
        let row = try attempt(name) {
          let row = if let old { try combine(old, value) } else { value }
          try store.put(row, at: slot)
          return row
        }
        context.markApplied()
        if let next { try next(key, Change(old: old, new: row)) }
      }
    }
  }
}

/// A count as the decimal text of a JSON number.
public struct CountSerde: Serde {
  public let name = "json Int64"
  public let everyValueHasBytes = true

  public init() {}

  public func serialize(_ value: Int64, into bytes: inout [UInt8]) {
    bytes.append(contentsOf: String(value).utf8)
  }

  public func deserialize(_ bytes: RawSpan) throws -> Int64 {
    var text: [UInt8] = []
    for index in 0..<bytes.byteCount {
      text.append(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))
    }
    guard let count = Int64(String(decoding: text, as: UTF8.self)) else {
      throw SerdeError("a stored count is no whole number")
    }
    return count
  }
}
