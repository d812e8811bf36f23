import StateStore
import StreamCore

/// An ``Envelope`` compiled for one source of one task: finds a record's envelope fields as slices
/// of the record, decoding only numbers.
struct EnvelopeResolver {
  private enum Place {
    case header(Int)
    case slot(Int)
    case key
    case aggregateSequence
    case position
  }
  private struct Rule {
    let place: Place
    let prefix: [UInt8]
    let path: String
  }

  /// What the document reader must find, in the order of the slots.
  private(set) var paths: [[String]] = []
  private var headerNames: [[UInt8]] = []
  private var headers: [Range<Int>?] = []
  private let payload: Envelope.Payload
  private var payloadSlot = -1
  private var eventID: [Rule] = []
  private var eventType: [Rule] = []
  private var schemaVersion: [Rule] = []
  private var aggregateID: [Rule] = []
  private var aggregateType: [Rule] = []
  private var sequenceNumber: [Rule] = []
  private var occurredAt: [Rule] = []
  private var correlationID: [Rule] = []
  private let scope: UInt64

  /// - Parameter scope: the source topic, or the common scope of event ids.
  init(_ envelope: Envelope, scope: String) {
    payload = envelope.payload
    self.scope = hash64(Array(scope.utf8).span.bytes)
    switch envelope.payload {
    case .flat: break
    case .nested, .either: payloadSlot = slot(["payload"])
    case .path(let path): payloadSlot = slot(path.split(separator: ".").map(String.init))
    }
    eventID = compile(envelope.eventID)
    eventType = compile(envelope.eventType)
    schemaVersion = compile(envelope.schemaVersion)
    aggregateID = compile(envelope.aggregateID)
    aggregateType = compile(envelope.aggregateType)
    sequenceNumber = compile(envelope.sequenceNumber)
    occurredAt = compile(envelope.occurredAt)
    correlationID = compile(envelope.correlationID)
    headers = Array(repeating: nil, count: headerNames.count)
  }

  private mutating func slot(_ path: [String]) -> Int {
    if let known = paths.firstIndex(of: path) { return known }
    paths.append(path)
    return paths.count - 1
  }

  private mutating func compile(_ rules: [Envelope.Rule]) -> [Rule] {
    rules.map { rule in
      let place: Place =
        switch rule.place {
        case .header(let name): .header(header(Array(name.utf8)))
        case .path(let path): .slot(slot(path))
        case .key: .key
        case .aggregateSequence: .aggregateSequence
        case .position: .position
        }
      return Rule(
        place: place, prefix: Array((rule.prefix ?? "").utf8), path: rule.description)
    }
  }

  private mutating func header(_ name: [UInt8]) -> Int {
    if let known = headerNames.firstIndex(of: name) { return known }
    headerNames.append(name)
    return headerNames.count - 1
  }

  /// Finds the record's envelope and sets the context's fields.
  ///
  /// - Parameters:
  ///   - slots: the document's fields; ranges relative to the value.
  ///   - valueStart: where the value lies in the batch.
  /// - Throws: ``ProcessingFailure`` of the stage `decode` for a field of a wrong type.
  mutating func resolve(
    _ context: RecordContext, slots: [FieldSlot], valueStart: Int, text: (FieldSlot) -> String
  ) throws {
    findHeaders(context)
    let source = Source(
      headers: headers, slots: slots, valueStart: valueStart,
      key: context.batch.entries[context.index].key)
    try source.withBytes(context.batch) { bytes in
      context.envelope.aggregateID = try find(aggregateID, source, bytes, text)
      context.sequenceNumber = try number(sequenceNumber, source, bytes, text)
      context.schemaVersion = Int(try number(schemaVersion, source, bytes, text) ?? 1)
      context.envelope.eventType = try find(eventType, source, bytes, text)
      context.envelope.aggregateType = try find(aggregateType, source, bytes, text)
      context.envelope.correlationID = try find(correlationID, source, bytes, text)
      context.envelope.occurredAt = try find(
        occurredAt, source, bytes, text, allowing: [.string, .number])
      try findID(context, source, bytes, text)
      let value = context.batch.entries[context.index].value ?? 0..<0
      context.envelope.payload = try payloadRange(value, source)
    }
  }

  /// Whether the payload of the document just resolved is the node behind ``payloadSlot``.
  func payloadIsNested(_ slots: [FieldSlot]) -> Int? {
    guard payloadSlot >= 0, slots[payloadSlot].kind == .object else { return nil }
    return payloadSlot
  }

  private struct Source {
    let headers: [Range<Int>?]
    let slots: [FieldSlot]
    let valueStart: Int
    let key: Range<Int>?

    func withBytes(_ batch: RecordBatch, _ body: (RawSpan) throws -> Void) rethrows {
      try body(batch.bytes.span.bytes)
    }
  }

  private mutating func findHeaders(_ context: RecordContext) {
    for index in headers.indices { headers[index] = nil }
    let range = context.batch.entries[context.index].headers
    guard !range.isEmpty, !headers.isEmpty else { return }
    let record = context.batch.bytes
    let bytes = record.span.bytes
    let names = headerNames
    EncodedHeaders.forEach(in: bytes.extracting(range)) { name, value in
      let absolute = range.lowerBound + name.lowerBound..<range.lowerBound + name.upperBound
      for index in names.indices where bytes.holds(names[index], at: absolute) {
        headers[index] = value.map {
          range.lowerBound + $0.lowerBound..<range.lowerBound + $0.upperBound
        }
      }
    }
  }

  private func find(
    _ rules: [Rule], _ source: Source, _ bytes: RawSpan, _ text: (FieldSlot) -> String,
    allowing kinds: [FieldSlot.Kind] = [.string, .number]
  ) throws -> FieldText {
    for rule in rules {
      switch rule.place {
      case .header(let index):
        if let range = source.headers[index] {
          return FieldText(range: strip(rule.prefix, range, bytes))
        }
      case .key:
        if let range = source.key { return FieldText(range: strip(rule.prefix, range, bytes)) }
      case .slot(let index):
        let slot = source.slots[index]
        switch slot.kind {
        case .absent, .null: continue
        case .string where slot.hasEscapes:
          let whole = text(slot)
          let prefix = String(decoding: rule.prefix, as: UTF8.self)
          return FieldText(
            composed: whole.hasPrefix(prefix) ? String(whole.dropFirst(prefix.count)) : whole)
        case .string, .number:
          let range =
            slot.range.lowerBound + source.valueStart..<slot.range.upperBound + source.valueStart
          return FieldText(range: strip(rule.prefix, range, bytes))
        default: throw wrongType(rule, slot.kind, "text")
        }
      case .aggregateSequence, .position: continue
      }
    }
    return FieldText()
  }

  private func number(
    _ rules: [Rule], _ source: Source, _ bytes: RawSpan, _ text: (FieldSlot) -> String
  ) throws -> Int64? {
    for rule in rules {
      let range: Range<Int>
      switch rule.place {
      case .header(let index):
        guard let found = source.headers[index] else { continue }
        range = strip(rule.prefix, found, bytes)
      case .slot(let index):
        let slot = source.slots[index]
        if slot.kind == .absent || slot.kind == .null { continue }
        guard slot.kind == .number || slot.kind == .string else {
          throw wrongType(rule, slot.kind, "a whole number")
        }
        range =
          slot.range.lowerBound + source.valueStart..<slot.range.upperBound + source.valueStart
      case .key:
        guard let key = source.key else { continue }
        range = strip(rule.prefix, key, bytes)
      case .aggregateSequence, .position: continue
      }
      guard let value = bytes.wholeNumber(at: range) else {
        throw ProcessingFailure(.decode, .decode, "\(rule.path): is no whole number of 64 bits")
      }
      return value
    }
    return nil
  }

  private func findID(
    _ context: RecordContext, _ source: Source, _ bytes: RawSpan, _ text: (FieldSlot) -> String
  ) throws {
    var id = FieldText()
    search: for rule in eventID {
      switch rule.place {
      case .position: break search
      case .aggregateSequence:
        guard let number = context.sequenceNumber, let aggregate = context.aggregateID else {
          continue
        }
        id = FieldText(composed: "\(aggregate):\(number)")
        break search
      default:
        id = try find([rule], source, bytes, text)
        if id.range != nil || id.composed != nil { break search }
      }
    }
    context.envelope.eventID = id
    if let range = id.range {
      context.idHash = Hash128(bytes.extracting(range), scope: scope)
      context.hasDurableID = true
    } else if let composed = id.composed {
      context.idHash = Hash128(Array(composed.utf8).span.bytes, scope: scope)
      context.hasDurableID = true
    } else {
      context.idHash = Hash128(Array(context.eventID.utf8).span.bytes, scope: scope)
      context.hasDurableID = false
    }
  }

  private func payloadRange(_ value: Range<Int>, _ source: Source) throws -> Range<Int> {
    guard payloadSlot >= 0 else { return value }
    let slot = source.slots[payloadSlot]
    if slot.kind == .object {
      return slot.range.lowerBound + source.valueStart..<slot.range.upperBound + source.valueStart
    }
    if payload == .either { return value }
    throw ProcessingFailure(
      .decode, .decode,
      "\(paths[payloadSlot].joined(separator: ".")): \(slot.kind == .absent ? "is missing" : "is no object")"
    )
  }

  private func strip(_ prefix: [UInt8], _ range: Range<Int>, _ bytes: RawSpan) -> Range<Int> {
    guard !prefix.isEmpty, range.count >= prefix.count,
      bytes.holds(prefix, at: range.lowerBound..<range.lowerBound + prefix.count)
    else { return range }
    return range.lowerBound + prefix.count..<range.upperBound
  }

  private func wrongType(_ rule: Rule, _ kind: FieldSlot.Kind, _ expected: String)
    -> ProcessingFailure
  {
    ProcessingFailure(.decode, .decode, "\(rule.path): is \(kind), expected \(expected)")
  }
}

extension RawSpan {
  /// Whether exactly these bytes stand at `range`.
  func holds(_ expected: [UInt8], at range: Range<Int>) -> Bool {
    guard range.count == expected.count else { return false }
    for index in expected.indices
    where unsafe unsafeLoad(fromByteOffset: range.lowerBound + index, as: UInt8.self)
      != expected[index]
    { return false }
    return true
  }

  /// Decimal text as a number; `nil` for anything else or beyond 64 bits.
  func wholeNumber(at range: Range<Int>) -> Int64? {
    guard !range.isEmpty, range.count <= 20 else { return nil }
    var value: Int64 = 0
    var position = range.lowerBound
    let first = unsafe unsafeLoad(fromByteOffset: position, as: UInt8.self)
    let negative = first == 0x2d
    if negative { position += 1 }
    guard position < range.upperBound else { return nil }
    while position < range.upperBound {
      let byte = unsafe unsafeLoad(fromByteOffset: position, as: UInt8.self)
      guard byte >= 0x30, byte <= 0x39 else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.subtractingReportingOverflow(Int64(byte - 0x30))
      if overflow || carry { return nil }
      value = sum
      position += 1
    }
    if negative { return value }
    return value == .min ? nil : -value
  }
}
