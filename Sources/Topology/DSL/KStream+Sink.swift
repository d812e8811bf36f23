public import StreamCore

extension KStream {
  /// Sends each record to `topic`, exactly once for read-committed readers where the log has
  /// transactions, else at least once; either way under a deterministic `eventId`.
  ///
  /// - Parameters:
  ///   - eventType: the header `eventType`; the input's where it is not given.
  ///   - schemaVersion: the header `schemaVersion`.
  @inlinable
  public func to(
    _ topic: String, key: some Serde<Key>, value: some Serde<Value>, named name: String? = nil,
    eventType: String? = nil, schemaVersion: Int = 1, file: StaticString = #fileID,
    line: UInt = #line
  ) {
    sink(
      topic, named: name, eventType: eventType, schemaVersion: schemaVersion,
      serdes: (key.name, value.name), at: "\(file):\(line)"
    ) { keyValue, valueValue, keyBytes, valueBytes in
      try key.serialize(keyValue, into: &keyBytes)
      try value.serialize(valueValue, into: &valueBytes)
      return true
    }
  }

  /// Sends each record to `topic`; `nil` goes as a tombstone.
  @inlinable
  public func to<Row>(
    _ topic: String, key: some Serde<Key>, value: some Serde<Row>, named name: String? = nil,
    eventType: String? = nil, schemaVersion: Int = 1, file: StaticString = #fileID,
    line: UInt = #line
  ) where Value == Row? {
    sink(
      topic, named: name, eventType: eventType, schemaVersion: schemaVersion,
      serdes: (key.name, value.name), at: "\(file):\(line)"
    ) { keyValue, row, keyBytes, valueBytes in
      try key.serialize(keyValue, into: &keyBytes)
      guard let row else { return false }
      try value.serialize(row, into: &valueBytes)
      return true
    }
  }

  @usableFromInline
  func sink(
    _ topic: String, named name: String?, eventType: String?, schemaVersion: Int,
    serdes: (key: String, value: String), at location: String,
    _ encode:
      @escaping @Sendable (Key, Value, _ key: inout [UInt8], _ value: inout [UInt8]) throws -> Bool
  ) {
    builder.checkTopic(topic, at: location)
    let input = port
    let name = name ?? builder.sinkName(of: topic)
    var parameters = [
      OperatorParameter("key", serdes.key), OperatorParameter("value", serdes.value),
    ]
    if let eventType { parameters.append(OperatorParameter("eventType", eventType)) }
    parameters.append(OperatorParameter("schemaVersion", .number(Int64(schemaVersion))))
    _ = builder.add(
      .sink(topic: topic), named: name, inputs: [node], parameters: parameters, at: location
    ) { assembly in
      let outbox = assembly.outbox
      let sink = outbox.sink(
        topic, eventType: eventType, schemaVersion: schemaVersion, named: name)
      assembly.attach(to: input) { key, value in
        var (keyBytes, valueBytes): ([UInt8], [UInt8]) = ([], [])
        let hasValue: Bool
        do {
          hasValue = try encode(key, value, &keyBytes, &valueBytes)
        } catch {
          throw ProcessingFailure(.produce, .produce, "\(error)", operatorName: name)
        }
        try outbox.emit(sink, key: keyBytes, value: hasValue ? valueBytes : nil)
      }
    }
  }
}
