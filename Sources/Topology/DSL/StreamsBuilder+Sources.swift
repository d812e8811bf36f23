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
  ///   - idle: how long, by the wall clock, a task waits at the topic's end for a record that comes
  ///     before those of its other topics, in milliseconds at least; without it a record that is
  ///     there goes first. What it decides is journaled.
  @inlinable
  public func events<Format: DocumentFormat, Event>(
    _ topic: String, format: Format, types: EventTypes<Format.Reader.Document, Event>,
    envelope: Envelope = .flat, eventTime: EventTime = .recordTimestamp,
    policies: SourcePolicies = SourcePolicies(), seenIDs: SeenIDRetention = .forever,
    idScope: String? = nil, compacted: Bool = false, idle: Duration = .zero,
    file: StaticString = #fileID, line: UInt = #line
  ) -> KStream<String, Event> {
    let location = "\(file):\(line)"
    let declaration = declareEvents(
      topic, format: format.name, types: types.table, problems: types.problems,
      envelope: envelope, eventTime: eventTime, policies: policies,
      seenIDs: seenIDs, idScope: idScope, compacted: compacted, idle: idle, at: location)
    let output = Port<String, Event>()
    let handlers = types.handlers
    // Apart, so that the common case copies no whole handler.
    let (versions, decoders) = (handlers.map(\.version), handlers.map(\.decode))
    let anyHandler = types.anyHandler
    let id = addEvents(declaration, types: types.signature, format: format.name, at: location) {
      assembly in
      let next = assembly.output(of: output)
      let reader = format.makeReader(paths: declaration.paths)
      let upcasting = UpcastChain<Format, Event>(format, handlers)
      return EventSource(
        declaration, assembly: assembly,
        probe: { batch, value, source, context in
          try reader.withDocument(batch.extracting(value)) { _, slots in
            try source.resolve(context, batch, slots)
          }
        },
        run: { batch, value, source, context, admit in
          try reader.withDocument(batch.extracting(value)) { root, slots in
            guard let route = try source.route(context, batch, slots, admit: admit) else { return }
            let key = source.key(of: context, batch)
            let payload = route.payload < 0 ? root : reader.document(atPath: route.payload) ?? root
            guard route.handler >= 0 else {
              if let anyHandler { try next(key, try anyHandler(payload, context)) }
              return
            }
            if route.version == versions[route.handler] {
              try next(key, try decoders[route.handler](payload, context))
            } else {
              try upcasting.run(payload, from: route.version, handler: route.handler) { latest in
                try next(key, try decoders[route.handler](latest, context))
              }
            }
          }
        }, text: { reader.text($0) }, emptyDocument: format.emptyDocument)
    }
    return KStream(builder: self, port: output, node: id, rekeyedBy: nil)
  }

  @usableFromInline
  func declareEvents(
    _ topic: String, format: String, types: EventTypeTable, problems: [String],
    envelope: Envelope, eventTime: EventTime, policies: SourcePolicies, seenIDs: SeenIDRetention,
    idScope: String?, compacted: Bool, idle: Duration, at location: String
  ) -> EventSourceDeclaration {
    for problem in problems { report(problem, at: location) }
    if types.entries.isEmpty && !types.takesAny {
      report("source '\(topic)' has no event types; declare `on` or `onAny`", at: location)
    }
    add(
      source: SourceDescription(
        topic: topic, idScope: idScope ?? topic, seenIDs: seenIDs, isCompacted: compacted,
        idle: idle), at: location)
    return EventSourceDeclaration(
      topic: topic, envelope: envelope, eventTime: eventTime, policies: policies,
      seenIDs: seenIDs, idScope: idScope ?? topic, types: types)
  }

  @usableFromInline
  func addEvents(
    _ declaration: EventSourceDeclaration, types: [String], format: String, at location: String,
    _ make: @escaping @Sendable (TaskAssembly) -> EventSource
  ) -> OperatorSpec.Input {
    addSource(
      declaration.topic,
      [
        OperatorParameter("format", format), OperatorParameter("types", .list(types)),
        .policy("unknownType", declaration.types.unknownType),
        .policy("unknownVersion", declaration.types.unknownVersion),
      ] + declaration.envelope.parameters + [
        OperatorParameter("eventTime", declaration.eventTime.rawValue),
        OperatorParameter("seenIDs", declaration.seenIDs.text),
        OperatorParameter("idScope", declaration.idScope),
      ] + declaration.policies.parameters, at: location
    ) { assembly in
      assembly.sources[declaration.topic] = make(assembly)
    }
  }

  /// What rows do not depend on comes last.
  private func addSource(
    _ topic: String, _ parameters: [OperatorParameter], at location: String,
    _ assemble: @escaping Topology.Assemble
  ) -> OperatorSpec.Input {
    var parameters = parameters
    if let source = sources.last, source.isCompacted {
      parameters.append(OperatorParameter("compacted", .flag(true), .incidental))
    }
    if let source = sources.last, source.idle > .zero {
      parameters.append(OperatorParameter("idle", .duration(source.idle), .incidental))
    }
    return OperatorSpec.Input(
      add(
        .source(topic: topic), named: operatorName("source", given: nil), inputs: [],
        parameters: parameters, at: location, assemble: assemble))
  }

  /// Records of a topic with plain keys and values; their event id is the header `eventId`, else
  /// their position. `nil` values, tombstones, need an optional value type.
  public func stream<Key, Value>(
    _ topic: String, key: some Serde<Key>, value: some Serde<Value>,
    policies: SourcePolicies = SourcePolicies(), seenIDs: SeenIDRetention = .forever,
    compacted: Bool = false, idle: Duration = .zero, file: StaticString = #fileID,
    line: UInt = #line
  ) -> KStream<Key, Value> {
    plainStream(
      topic, key: key, valueName: value.name, policies: policies, seenIDs: seenIDs,
      compacted: compacted, idle: idle, at: "\(file):\(line)"
    ) { bytes in
      guard let bytes else { throw SerdeError("the value is null; read it as an optional") }
      return try value.deserialize(bytes.span.bytes)
    }
  }

  /// Records of a topic whose values may be null.
  public func stream<Key, Row>(
    _ topic: String, key: some Serde<Key>, optional value: some Serde<Row>,
    policies: SourcePolicies = SourcePolicies(), seenIDs: SeenIDRetention = .forever,
    compacted: Bool = false, idle: Duration = .zero, file: StaticString = #fileID,
    line: UInt = #line
  ) -> KStream<Key, Row?> {
    plainStream(
      topic, key: key, valueName: "optional \(value.name)", policies: policies, seenIDs: seenIDs,
      compacted: compacted, idle: idle, at: "\(file):\(line)"
    ) { bytes in
      guard let bytes else { return nil }
      return try value.deserialize(bytes.span.bytes)
    }
  }

  private func plainStream<Key, Value>(
    _ topic: String, key: some Serde<Key>, valueName: String, policies: SourcePolicies,
    seenIDs: SeenIDRetention, compacted: Bool, idle: Duration, at location: String,
    _ decode: @escaping @Sendable (ArraySlice<UInt8>?) throws -> Value
  ) -> KStream<Key, Value> {
    let envelope = Envelope(
      eventID: [.header("eventId"), .position], eventType: [.header("eventType")],
      schemaVersion: [.header("schemaVersion")], aggregateID: [], aggregateType: [],
      sequenceNumber: [], occurredAt: [], correlationID: [.header("correlationId")])
    add(
      source: SourceDescription(
        topic: topic, idScope: topic, seenIDs: seenIDs, isCompacted: compacted, idle: idle),
      at: location)
    let output = Port<Key, Value>()
    let id = addSource(
      topic,
      [
        OperatorParameter("key", key.name), OperatorParameter("value", valueName),
        OperatorParameter("seenIDs", seenIDs.text),
      ] + policies.parameters, at: location
    ) { assembly in
      assembly.sources[topic] = RecordSource(
        topic: topic, key: key, value: decode, resolver: EnvelopeResolver(envelope, scope: topic),
        policies: policies, seenIDs: seenIDs, next: assembly.output(of: output))
    }
    return KStream(builder: self, port: output, node: id, rekeyedBy: nil)
  }
}

extension SeenIDRetention {
  /// `forever`, a number of ids, or an age, as `7d`.
  var text: String {
    switch self {
    case .forever: "forever"
    case .count(let ids): String(ids)
    case .age(let duration): duration.text
    }
  }
}
