import EngineChecks
import JSONSerdes
import StreamCore
import Topology
import TopologyTesting

/// Builds the topology of a plan with the DSL.
struct ModelTopology {
  let plan: ModelPlan
  let code: ModelUserCode

  func build() throws -> Topology {
    let builder = StreamsBuilder(
      "model",
      deadLetterTopic: plan.publishesDeadLetters ? ModelPlan.deadLetterTopic : nil)
    var streams: [Int: KStream<String, ModelEvent>] = [:]
    for (number, source) in plan.sources.enumerated() {
      streams[number] =
        source.isPlain
        ? builder.stream(
          source.topic, key: StringSerde(), value: PlainEventSerde(code: code),
          policies: source.policies, idle: .milliseconds(source.idle))
        : builder.events(
          source.topic, format: JSONFormat(), types: types(source.unknownType),
          eventTime: source.eventTime, policies: source.policies,
          idle: .milliseconds(source.idle))
    }
    for node in plan.nodes {
      guard let input = streams[node.input] else {
        throw ModelFailure("a plan that reads a stream before it is there")
      }
      for (stream, made) in zip(node.outputs, try declare(node, input, streams, builder)) {
        streams[stream] = made
      }
    }
    return try builder.build()
  }

  private func types(_ unknown: UnknownTypePolicy) -> EventTypes<JSONView, ModelEvent> {
    var types = EventTypes<JSONView, ModelEvent>(unknownType: unknown)
    for name in ModelUserCode.types {
      types = types.on(name, version: ModelUserCode.latestVersion(of: name)) { [code] json, _ in
        let event = ModelEvent(
          type: name, number: try json.field("n").int64(),
          trouble: try json["trouble"]?.string(), times: Int(try json["times"]?.int64() ?? 0),
          uid: Int(try json.field("uid").int64()))
        try code.enter("decode", event)
        return event
      }
    }
    return
      types
      .upcast("ADD", from: 1) { [code] json, next in
        try Self.enterUpcaster(json, code)
        next += try Self.payload(json, number: "\(json.field("n").int64() + 1_000)")
      }
      // From a text by an object to a number, and a type that is none of its own.
      .upcast("TEN", from: 1) { json, next in
        guard let number = Int64(try json.field("n").string()) else {
          throw ModelFailure("a number that is none")
        }
        next += try Self.payload(json, number: "{\"v\":\(number + 1)}")
      }
      .upcast("TEN", from: 2) { [code] json, next in
        try Self.enterUpcaster(json, code)
        next += try Self.payload(json, number: "\(json.field("n").field("v").int64() * 10)")
      }
  }

  private static func enterUpcaster(_ json: JSONView, _ code: ModelUserCode) throws {
    let event = ModelEvent(
      type: "", number: 0, trouble: try json["trouble"]?.string(),
      times: Int(try json["times"]?.int64() ?? 0), uid: Int(try json.field("uid").int64()))
    try code.enter("upcast", event)
  }

  /// The next version of a payload; what it says of the envelope comes too late.
  private static func payload(_ json: JSONView, number: String) throws -> [UInt8] {
    let trouble = try json["trouble"]?.string()
    let text =
      "{\"n\":\(number)\(trouble.map { ",\"trouble\":\"\($0)\"" } ?? ""),"
      + "\"times\":\(try json["times"]?.int64() ?? 0),\"uid\":\(try json.field("uid").int64()),"
      + "\"eventType\":\"ODD\",\"eventId\":\"another\",\"sequenceNumber\":77}"
    return Array(text.utf8)
  }

  /// Declares one operator and returns its streams of events.
  private func declare(
    _ node: ModelPlan.Node, _ input: KStream<String, ModelEvent>,
    _ streams: [Int: KStream<String, ModelEvent>], _ builder: StreamsBuilder
  ) throws -> [KStream<String, ModelEvent>] {
    let name = node.name
    let enter: @Sendable (ModelEvent) throws -> Void = { [code] in try code.enter(name, $0) }
    switch node.kind {
    case .filter(let modulus):
      return [
        input.filter(named: name) { _, event in
          try enter(event)
          return event.number % modulus != 0
        }
      ]
    case .filterNot(let modulus):
      return [
        input.filterNot(named: name) { _, event in
          try enter(event)
          return event.number % modulus != 0
        }
      ]
    case .mapValues(let summand):
      return [
        input.mapValues(named: name) { _, event in
          try enter(event)
          var next = event
          next.number += summand
          return next
        }
      ]
    case .flatMapValues:
      return [
        input.flatMapValues(named: name) { _, event in
          try enter(event)
          return ModelUserCode.flatMap(event)
        }
      ]
    case .peek: return [input.peek(named: name) { _, event, _ in try enter(event) }]
    case .split(let rest):
      let split = input.split(named: name)
        .branch("zero") { _, event in
          try enter(event)
          return ModelUserCode.branch(event) == 0
        }
        .branch("one") { _, event in ModelUserCode.branch(event) == 1 }
      let branches = rest ? split.defaultBranch("rest") : split.noDefaultBranch()
      return [branches["zero"], branches["one"]] + (rest ? [branches["rest"]] : [])
    case .merge(let other):
      guard let other = streams[other] else { throw ModelFailure("a merge with nothing") }
      return [input.merge(other, named: name)]
    default:
      terminate(node, input, enter, builder)
      return []
    }
  }

  private func terminate(
    _ node: ModelPlan.Node, _ input: KStream<String, ModelEvent>,
    _ enter: @escaping @Sendable (ModelEvent) throws -> Void, _ builder: StreamsBuilder
  ) {
    let name = node.name
    switch node.kind {
    case .count: emit(input.groupByKey().count(named: name), of: node, as: CountSerde())
    case .reduce:
      emit(
        input.groupByKey().reduce(named: name, as: rows(node, StoredEventSerde())) { row, event in
          try enter(event)
          return ModelUserCode.reduce(row, event)
        }, of: node, as: StoredEventSerde())
    case .aggregate:
      emit(
        input.groupByKey().aggregate(into: "", named: name, as: rows(node, StringSerde())) {
          row, event in
          try enter(event)
          row += "+\(event.number)"
        }, of: node, as: StringSerde())
    case .toTable(let onChange):
      let table = input.mapValues { _, event in event.type == "DROP" ? nil : event }
        .toTable(named: name, as: rows(node, StoredEventSerde()))
      guard node.emits else { return }
      (onChange ? table.toStreamOnChange() : table.toStream())
        .to(ModelPlan.topic(of: node), key: StringSerde(), value: StoredEventSerde())
    case .project(let missing, let checks):
      let check = checks ? SequenceCheck<ModelRow> { $0.sequence } : nil
      emit(
        input.project(
          named: name, as: rows(node, ModelRowSerde()), missing: missing, sequence: check
        ) { row, event, context in
          try enter(event)
          return ModelUserCode.project(row, event, sequence: context.sequenceNumber)
        }, of: node, as: ModelRowSerde())
    case .process(let delay, let deletes): process(node, input, delay, deletes, enter, builder)
    case .audit:
      input.audit(named: name) { key, event, context, bytes in
        try enter(event)
        let sequence = context.sequenceNumber.map { "\($0)" } ?? ""
        bytes += Array("\(key)|\(sequence)|\(event.text)".utf8)
      }
    default:
      input.to(
        ModelPlan.topic(of: node), key: StringSerde(),
        value: EmittedEventSerde(enter: enter), named: name)
    }
  }

  private func process(
    _ node: ModelPlan.Node, _ input: KStream<String, ModelEvent>, _ delay: Int64, _ deletes: Bool,
    _ enter: @escaping @Sendable (ModelEvent) throws -> Void, _ builder: StreamsBuilder
  ) {
    let rows = builder.store(
      named: node.name, key: String.self, as: rows(node, ModelRowSerde()))
    let fired: KStream<String, ModelEvent> = input.process(
      named: node.name, stores: [node.name]
    ) { context in
      let store = context.store(rows)
      return Processor(
        onTimer: { key, time in
          var row = try store.get(key)
          let event = try ModelUserCode.timer(row, at: time.milliseconds)
          if row != nil {
            row?.note = "fired"
            if let row { try store.put(key, row) }
          }
          try context.forward(key, event)
        },
        process: { key, event in
          try enter(event)
          if deletes, event.type == "DROP" {
            try store.delete(key)
          } else {
            var row = try store.get(key) ?? ModelRow(number: 0, note: "")
            row.number += event.number
            row.note = event.type
            try store.put(key, row)
          }
          context.markApplied()
          try context.schedule(key, at: context.record.timestamp + .milliseconds(delay))
        })
    }
    guard node.emits else { return }
    fired.to(
      ModelPlan.topic(of: node), key: StringSerde(), value: EmittedEventSerde(enter: { _ in }))
  }

  private func rows<Rows: Serde>(_ node: ModelPlan.Node, _ serde: Rows) -> ModelRowsSerde<Rows> {
    ModelRowsSerde(rows: serde, refuses: node.refusesRows)
  }

  private func emit<Row>(
    _ table: KTable<String, Row>, of node: ModelPlan.Node, as serde: some Serde<Row>
  ) {
    guard node.emits else { return }
    table.toStream().to(ModelPlan.topic(of: node), key: StringSerde(), value: serde)
  }
}

/// The rows of a store, some of which may have no bytes.
struct ModelRowsSerde<Rows: Serde>: Serde {
  let rows: Rows
  let refuses: Bool
  var name: String { rows.name }
  var everyValueHasBytes: Bool { rows.everyValueHasBytes && !refuses }
  func serialize(_ value: Rows.Value, into bytes: inout [UInt8]) throws {
    let start = bytes.count
    try rows.serialize(value, into: &bytes)
    if refuses, !ModelUserCode.hasBytes(String(decoding: bytes[start...], as: UTF8.self)) {
      throw SerdeError("a row without bytes")
    }
  }
  func deserialize(_ bytes: RawSpan) throws -> Rows.Value { try rows.deserialize(bytes) }
}

/// Rows of events.
struct StoredEventSerde: Serde {
  var name: String { "model event" }
  func serialize(_ value: ModelEvent, into bytes: inout [UInt8]) {
    bytes += Array(value.stored.utf8)
  }
  func deserialize(_ bytes: RawSpan) throws -> ModelEvent {
    guard let event = ModelEvent(stored: try StringSerde().deserialize(bytes)) else {
      throw SerdeError("no model event")
    }
    return event
  }
}

/// Events of a source without an envelope.
struct PlainEventSerde: Serde {
  let code: ModelUserCode
  var name: String { "plain model event" }
  func serialize(_ value: ModelEvent, into bytes: inout [UInt8]) {
    bytes += Array(value.stored.utf8)
  }
  func deserialize(_ bytes: RawSpan) throws -> ModelEvent {
    let event = try StoredEventSerde().deserialize(bytes)
    try code.enter("decode", event)
    return event
  }
}

/// Events on their way out; may fail as its operator is told.
struct EmittedEventSerde: Serde {
  let enter: @Sendable (ModelEvent) throws -> Void
  var name: String { "emitted event" }
  func serialize(_ value: ModelEvent, into bytes: inout [UInt8]) throws {
    try enter(value)
    bytes += Array(value.text.utf8)
    if value.isOversized {
      bytes += [UInt8](repeating: 0x78, count: ModelPlan.recordBytesMax)
    }
  }
  func deserialize(_ bytes: RawSpan) throws -> ModelEvent {
    throw SerdeError("emitted events are not read back")
  }
}

struct ModelRowSerde: Serde {
  var name: String { "model row" }
  func serialize(_ value: ModelRow, into bytes: inout [UInt8]) { bytes += Array(value.text.utf8) }
  func deserialize(_ bytes: RawSpan) throws -> ModelRow {
    guard let row = ModelRow(text: try StringSerde().deserialize(bytes)) else {
      throw SerdeError("no model row")
    }
    return row
  }
}

struct ModelFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
