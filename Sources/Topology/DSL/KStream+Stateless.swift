extension KStream {
  /// Keeps the records that satisfy `predicate`.
  @inlinable
  public func filter(
    named name: String? = nil, version: Int = 1, file: StaticString = #fileID, line: UInt = #line,
    _ predicate: @escaping @Sendable (Key, Value) throws -> Bool
  ) -> KStream {
    attach("filter", named: name, version: version, at: "\(file):\(line)") { name, _, next in
      { key, value in
        if try attempt(name, { try predicate(key, value) }) { try next(key, value) }
      }
    }
  }

  /// Keeps the records that do not satisfy `predicate`.
  @inlinable
  public func filterNot(
    named name: String? = nil, version: Int = 1, file: StaticString = #fileID, line: UInt = #line,
    _ predicate: @escaping @Sendable (Key, Value) throws -> Bool
  ) -> KStream {
    attach("filterNot", named: name, version: version, at: "\(file):\(line)") { name, _, next in
      { key, value in
        if try !attempt(name, { try predicate(key, value) }) { try next(key, value) }
      }
    }
  }

  /// A new key and value for each record. A stateful operator behind it would need a repartition.
  @inlinable
  public func map<NewKey, NewValue>(
    named name: String? = nil, version: Int = 1, file: StaticString = #fileID, line: UInt = #line,
    _ transform: @escaping @Sendable (Key, Value) throws -> (NewKey, NewValue)
  ) -> KStream<NewKey, NewValue> {
    attach("map", named: name, rekeys: true, version: version, at: "\(file):\(line)") {
      name, _, next in
      { key, value in
        let (newKey, newValue) = try attempt(name) { try transform(key, value) }
        try next(newKey, newValue)
      }
    }
  }

  /// A new key for each record. A stateful operator behind it would need a repartition.
  @inlinable
  public func selectKey<NewKey>(
    named name: String? = nil, version: Int = 1, file: StaticString = #fileID, line: UInt = #line,
    _ select: @escaping @Sendable (Key, Value) throws -> NewKey
  ) -> KStream<NewKey, Value> {
    attach("selectKey", named: name, rekeys: true, version: version, at: "\(file):\(line)") {
      name, _, next in
      { key, value in try next(try attempt(name) { try select(key, value) }, value) }
    }
  }

  /// A new value for each record; the key, and with it the partition, stays.
  @inlinable
  public func mapValues<NewValue>(
    named name: String? = nil, version: Int = 1, file: StaticString = #fileID, line: UInt = #line,
    _ transform: @escaping @Sendable (Key, Value) throws -> NewValue
  ) -> KStream<Key, NewValue> {
    attach("mapValues", named: name, version: version, at: "\(file):\(line)") { name, _, next in
      { key, value in try next(key, try attempt(name) { try transform(key, value) }) }
    }
  }

  /// Any number of new records for each record, in order.
  @inlinable
  public func flatMap<NewKey, NewValue>(
    named name: String? = nil, version: Int = 1, file: StaticString = #fileID, line: UInt = #line,
    _ transform: @escaping @Sendable (Key, Value) throws -> [(NewKey, NewValue)]
  ) -> KStream<NewKey, NewValue> {
    attach("flatMap", named: name, rekeys: true, version: version, at: "\(file):\(line)") {
      name, _, next in
      { key, value in
        for (newKey, newValue) in try attempt(name, { try transform(key, value) }) {
          try next(newKey, newValue)
        }
      }
    }
  }

  /// Any number of new values for each record, in order; the key stays.
  @inlinable
  public func flatMapValues<NewValue>(
    named name: String? = nil, version: Int = 1, file: StaticString = #fileID, line: UInt = #line,
    _ transform: @escaping @Sendable (Key, Value) throws -> [NewValue]
  ) -> KStream<Key, NewValue> {
    attach("flatMapValues", named: name, version: version, at: "\(file):\(line)") {
      name, _, next in
      { key, value in
        for newValue in try attempt(name, { try transform(key, value) }) {
          try next(key, newValue)
        }
      }
    }
  }

  /// Looks at each record on its way, for logs and metrics. It sees a record again when its
  /// unit is repeated, so it is no place for effects.
  @inlinable
  public func peek(
    named name: String? = nil, file: StaticString = #fileID, line: UInt = #line,
    _ look: @escaping @Sendable (Key, Value, RecordContext) throws -> Void
  ) -> KStream {
    attach("peek", named: name, at: "\(file):\(line)") { name, assembly, next in
      let context = assembly.context
      return { key, value in
        try attempt(name) { try look(key, value, context) }
        try next(key, value)
      }
    }
  }

  /// The records of both streams. Records of one input keep their order; across inputs the merge
  /// rule of the task decides: lowest event time first.
  @inlinable
  public func merge(
    _ other: KStream, named name: String? = nil, file: StaticString = #fileID, line: UInt = #line
  ) -> KStream {
    let (left, right, output) = (port, other.port, Port<Key, Value>())
    let name = builder.operatorName("merge", given: name)
    let id = builder.add(
      .processor("merge"), named: name, inputs: [node, other.node], at: "\(file):\(line)"
    ) { assembly in
      let next = assembly.output(of: output)
      assembly.attach(to: left, next)
      assembly.attach(to: right, next)
    }
    return KStream(
      builder: builder, port: output, node: OperatorSpec.Input(id),
      rekeyedBy: rekeyedBy ?? other.rekeyedBy)
  }
}
