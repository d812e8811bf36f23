import StateStore
public import StreamCore

extension StreamsBuilder {
  /// Events of a topic, dispatched by type, upcast and decoded; keyed by the record's key as text.
  ///
  /// - Parameters:
  ///   - format: of the values, as `JSONFormat()`.
  ///   - eventTime: what drives stream time.
  ///   - seenIDs: how long ids of processed events are remembered.
  ///   - idScope: topics with the same scope share their event ids; each has its own otherwise.
  ///   - compacted: declares that the topic loses superseded records, so that missing ones are
  ///     no loss; a rebuild then ends at the same rows only if those do not depend on them.
  public func events<Format: DocumentFormat, Event>(
    _ topic: String, format: Format, types: EventTypes<Format.Reader.Document, Event>,
    envelope: Envelope = .flat, eventTime: EventTime = .recordTimestamp,
    policies: SourcePolicies = SourcePolicies(), seenIDs: SeenIDRetention = .forever,
    idScope: String? = nil, compacted: Bool = false, file: StaticString = #fileID,
    line: UInt = #line
  ) -> KStream<String, Event> {
    let location = "\(file):\(line)"
    checkTopic(topic, at: location)
    for problem in types.problems { report(problem, at: location) }
    if types.handlers.isEmpty && types.anyHandler == nil {
      report("source '\(topic)' has no event types; declare `on` or `onAny`", at: location)
    }
    add(
      source: SourceDescription(
        topic: topic, eventID: envelope.eventID.map(\.description), isCompacted: compacted))
    let output = Port<String, Event>()
    let id = add(
      .source(topic: topic), named: operatorName("source", given: nil), inputs: [],
      traits: [
        "format: \(format.name)", "types: \(types.signature)",
        "unknown type: \(types.unknownType.rawValue)",
        "unknown version: \(types.unknownVersion.rawValue)", "envelope: \(envelope.signature)",
        "event time: \(eventTime.rawValue)", "seen ids: \(seenIDs)",
        "id scope: \(idScope ?? topic)",
      ] + policies.traits, at: location
    ) { assembly in
      assembly.sources[topic] = EventSource(
        topic: topic, format: format, types: types,
        resolver: EnvelopeResolver(envelope, scope: idScope ?? topic), eventTime: eventTime,
        policies: policies, seenIDs: seenIDs, counters: assembly.counters, log: assembly.log,
        next: assembly.output(of: output))
    }
    return KStream(builder: self, port: output, node: id, rekeyedBy: nil)
  }

  /// Records of a topic with plain keys and values; their event id is the header `eventId`, else
  /// their position. `nil` values, tombstones, need an optional value type.
  public func stream<Key, Value>(
    _ topic: String, key: some Serde<Key>, value: some Serde<Value>,
    policies: SourcePolicies = SourcePolicies(), seenIDs: SeenIDRetention = .forever,
    compacted: Bool = false, file: StaticString = #fileID, line: UInt = #line
  ) -> KStream<Key, Value> {
    plainStream(
      topic, key: key, valueName: value.name, policies: policies, seenIDs: seenIDs,
      compacted: compacted, at: "\(file):\(line)"
    ) { bytes in
      guard let bytes else { throw SerdeError("the value is null; read it as an optional") }
      return try value.deserialize(bytes.span.bytes)
    }
  }

  /// Records of a topic whose values may be null.
  public func stream<Key, Row>(
    _ topic: String, key: some Serde<Key>, optional value: some Serde<Row>,
    policies: SourcePolicies = SourcePolicies(), seenIDs: SeenIDRetention = .forever,
    compacted: Bool = false, file: StaticString = #fileID, line: UInt = #line
  ) -> KStream<Key, Row?> {
    plainStream(
      topic, key: key, valueName: "optional \(value.name)", policies: policies, seenIDs: seenIDs,
      compacted: compacted, at: "\(file):\(line)"
    ) { bytes in
      guard let bytes else { return nil }
      return try value.deserialize(bytes.span.bytes)
    }
  }

  private func plainStream<Key, Value>(
    _ topic: String, key: some Serde<Key>, valueName: String, policies: SourcePolicies,
    seenIDs: SeenIDRetention, compacted: Bool, at location: String,
    _ decode: @escaping @Sendable (ArraySlice<UInt8>?) throws -> Value
  ) -> KStream<Key, Value> {
    checkTopic(topic, at: location)
    let envelope = Envelope(
      eventID: [.header("eventId"), .position], eventType: [.header("eventType")],
      schemaVersion: [.header("schemaVersion")], aggregateID: [], aggregateType: [],
      sequenceNumber: [], occurredAt: [], correlationID: [.header("correlationId")])
    add(
      source: SourceDescription(
        topic: topic, eventID: envelope.eventID.map(\.description), isCompacted: compacted))
    let output = Port<Key, Value>()
    let id = add(
      .source(topic: topic), named: operatorName("source", given: nil), inputs: [],
      traits: ["key: \(key.name)", "value: \(valueName)", "seen ids: \(seenIDs)"]
        + policies.traits, at: location
    ) { assembly in
      assembly.sources[topic] = RecordSource(
        topic: topic, key: key, value: decode, resolver: EnvelopeResolver(envelope, scope: topic),
        policies: policies, seenIDs: seenIDs, next: assembly.output(of: output))
    }
    return KStream(builder: self, port: output, node: id, rekeyedBy: nil)
  }
}
