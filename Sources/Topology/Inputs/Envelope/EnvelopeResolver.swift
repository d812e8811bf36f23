import StateStore
import StreamCore

/// An ``Envelope`` compiled for one source of one task: finds a record's envelope fields as slices
/// of the record, decoding only numbers.
///
/// Rules are plain values without references: walking them for each record counts none. They are
/// set in `init` alone, so no access to them is checked at run time for overlapping ones.
final class EnvelopeResolver {
  private enum Place: UInt8 { case header, slot, key, aggregateSequence, position }
  private struct Rule {
    let place: Place
    /// Of the header name or the path.
    let index: Int32
    /// Of the prefix to take off; -1 for none.
    let prefix: Int32
  }

  /// What the document reader must find, in the order of the slots.
  private(set) var paths: [[String]] = []
  @exclusivity(unchecked) private var headerNames: [[UInt8]] = []
  @exclusivity(unchecked) private var prefixes: [[UInt8]] = []
  private let payload: Envelope.Payload
  @exclusivity(unchecked) private var payloadSlot = -1
  @exclusivity(unchecked) private var eventID: [Rule] = []
  @exclusivity(unchecked) private var eventType: [Rule] = []
  @exclusivity(unchecked) private var schemaVersion: [Rule] = []
  @exclusivity(unchecked) private var aggregateID: [Rule] = []
  @exclusivity(unchecked) private var aggregateType: [Rule] = []
  @exclusivity(unchecked) private var sequenceNumber: [Rule] = []
  @exclusivity(unchecked) private var occurredAt: [Rule] = []
  @exclusivity(unchecked) private var correlationID: [Rule] = []
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
  }

  private func slot(_ path: [String]) -> Int {
    if let known = paths.firstIndex(of: path) { return known }
    paths.append(path)
    return paths.count - 1
  }

  private func compile(_ rules: [Envelope.Rule]) -> [Rule] {
    rules.map { rule in
      let (place, index): (Place, Int) =
        switch rule.place {
        case .header(let name): (.header, header(Array(name.utf8)))
        case .path(let path): (.slot, slot(path))
        case .key: (.key, -1)
        case .aggregateSequence: (.aggregateSequence, -1)
        case .position: (.position, -1)
        }
      var prefix = -1
      if let text = rule.prefix, !text.isEmpty {
        prefix = prefixes.count
        prefixes.append(Array(text.utf8))
      }
      return Rule(place: place, index: Int32(index), prefix: Int32(prefix))
    }
  }

  private func header(_ name: [UInt8]) -> Int {
    if let known = headerNames.firstIndex(of: name) { return known }
    headerNames.append(name)
    return headerNames.count - 1
  }

  /// Finds the record's envelope and sets the context's fields.
  ///
  /// - Parameters:
  ///   - bytes: those of the context's batch.
  ///   - slots: the document's fields; ranges relative to the value.
  ///   - text: a string field's text with its escapes resolved.
  /// - Throws: ``ProcessingFailure`` of the stage `decode` for a field of a wrong type.
  func resolve(
    _ context: RecordContext, _ bytes: RawSpan, slots: [FieldSlot], text: (FieldSlot) -> String
  ) throws {
    let entry = context.entry
    let value = entry.value ?? 0..<0
    var found = HeaderRanges(count: headerNames.count)
    if !entry.headers.isEmpty, !headerNames.isEmpty {
      findHeaders(bytes, entry.headers, &found)
    }
    var envelope = ResolvedEnvelope()
    func find(_ rules: [Rule], _ field: EnvelopeField) throws -> FieldRange {
      for rule in rules {
        var range: FieldRange
        switch rule.place {
        case .header: range = found[Int(rule.index)]
        case .key: range = FieldRange(entry.key)
        case .slot:
          let slot = slots[Int(rule.index)]
          switch slot.kind {
          case .absent, .null: continue
          case .string where slot.hasEscapes:
            let text = strip(rule, text(slot))
            if text.isEmpty, field == .eventID { continue }
            context.compose(field, text)
            return .composed
          case .string, .number:
            range = FieldRange(
              start: slot.range.lowerBound + value.lowerBound, count: slot.range.count)
          default: throw wrongType(rule, slot.kind, "text")
          }
        case .aggregateSequence, .position: continue
        }
        if range.isAbsent { continue }
        if rule.prefix >= 0 { range = strip(rule, range, bytes) }
        // An id of no bytes is no id.
        if range.isEmpty, field == .eventID { continue }
        return range
      }
      return .absent
    }
    envelope.aggregateID = try find(aggregateID, .aggregateID)
    envelope.eventID = try find(eventID, .eventID)
    // Before the fields that may be wrong: a record that fails is kept under its id and key.
    context.envelope.aggregateID = envelope.aggregateID
    if !envelope.eventID.isAbsent {
      context.envelope.eventID = envelope.eventID
      identify(context, envelope.eventID, bytes)
    }
    envelope.eventType = try find(eventType, .eventType)
    envelope.aggregateType = try find(aggregateType, .aggregateType)
    envelope.correlationID = try find(correlationID, .correlationID)
    envelope.occurredAt = try find(occurredAt, .occurredAt)
    let sequence = try find(sequenceNumber, .sequenceNumber)
    context.sequenceNumber =
      sequence.isAbsent ? nil : try number(sequence, .sequenceNumber, bytes)
    let version = try find(schemaVersion, .schemaVersion)
    context.schemaVersion = version.isAbsent ? 1 : Int(try number(version, .schemaVersion, bytes))
    envelope.payload = FieldRange(try payloadRange(value, slots))
    context.envelope = envelope
    if envelope.eventID.isAbsent { identify(context, envelope.eventID, bytes) }
  }

  /// Finds the event's id by headers and key alone, for a record whose value cannot be read.
  func identify(_ context: RecordContext) throws {
    guard !context.isIdentified else { return }
    let record = context.batch.bytes
    let bytes = record.span.bytes
    let entry = context.entry
    var found = HeaderRanges(count: headerNames.count)
    if !entry.headers.isEmpty { findHeaders(bytes, entry.headers, &found) }
    var id = FieldRange.absent
    for rule in eventID where id.isAbsent {
      switch rule.place {
      case .header: id = found[Int(rule.index)]
      case .key: id = FieldRange(entry.key)
      case .slot, .aggregateSequence, .position: continue
      }
      if !id.isAbsent, rule.prefix >= 0 { id = strip(rule, id, bytes) }
      if id.isEmpty { id = .absent }
    }
    context.envelope.eventID = id
    context.sequenceNumber = nil
    identify(context, id, bytes)
  }

  /// The slot of the payload's object in the document just resolved; `nil` where the value itself
  /// is the payload.
  func payloadSlot(_ slots: [FieldSlot]) -> Int? {
    guard payloadSlot >= 0, slots[payloadSlot].kind == .object else { return nil }
    return payloadSlot
  }

  private func findHeaders(_ bytes: RawSpan, _ range: Range<Int>, _ found: inout HeaderRanges) {
    var position = range.lowerBound
    while let header = EncodedHeaders.next(in: bytes, at: position, end: range.upperBound) {
      for index in headerNames.indices where bytes.holds(headerNames[index], at: header.name) {
        found[index] = FieldRange(header.value)
      }
      position = header.end
    }
  }

  private func number(
    _ range: FieldRange, _ field: EnvelopeField, _ bytes: RawSpan
  ) throws -> Int64 {
    guard let range = range.range, let value = bytes.wholeNumber(at: range) else {
      let rules = field == .sequenceNumber ? sequenceNumber : schemaVersion
      let path = rules.first.map { name($0) } ?? ""
      throw ProcessingFailure(.decode, .decode, "\(path): is no whole number of 64 bits")
    }
    return value
  }

  /// The id by the first rule that yields one: a field; `aggregateId:sequenceNumber`, with
  /// `aggregateType/` before it where the event has one; or the record's position, which needs no
  /// place among the seen ids.
  private func identify(_ context: RecordContext, _ id: FieldRange, _ bytes: RawSpan) {
    context.hasDurableID = true
    context.isIdentified = true
    if let range = id.range {
      context.identify(as: Hash128(bytes.extracting(range), scope: scope))
      return
    }
    if id.isAbsent {
      if eventID.contains(where: { $0.place == .aggregateSequence }),
        let number = context.sequenceNumber, let aggregate = context.aggregateID,
        !aggregate.isEmpty
      {
        // Two kinds of aggregates may number alike.
        let type = context.aggregateType.flatMap { $0.isEmpty ? nil : "\($0)/" } ?? ""
        context.compose(.eventID, "\(type)\(aggregate):\(number)")
        context.envelope.eventID = .composed
        context.hasComposedID = true
      } else {
        context.hasDurableID = false
      }
    }
    context.idHash = Hash128(Array(context.eventID.utf8).span.bytes, scope: scope)
  }

  private func payloadRange(_ value: Range<Int>, _ slots: [FieldSlot]) throws -> Range<Int> {
    guard payloadSlot >= 0 else { return value }
    let slot = slots[payloadSlot]
    if slot.kind == .object {
      return slot.range.lowerBound + value.lowerBound..<slot.range.upperBound + value.lowerBound
    }
    if payload == .either { return value }
    throw ProcessingFailure(
      .decode, .decode,
      "\(paths[payloadSlot].joined(separator: ".")): "
        + (slot.kind == .absent ? "is missing" : "is no object"))
  }

  private func strip(_ rule: Rule, _ range: FieldRange, _ bytes: RawSpan) -> FieldRange {
    let prefix = prefixes[Int(rule.prefix)]
    guard let found = range.range, found.count >= prefix.count,
      bytes.holds(prefix, at: found.lowerBound..<found.lowerBound + prefix.count)
    else { return range }
    return FieldRange(found.lowerBound + prefix.count..<found.upperBound)
  }

  private func strip(_ rule: Rule, _ text: String) -> String {
    guard rule.prefix >= 0 else { return text }
    let prefix = String(decoding: prefixes[Int(rule.prefix)], as: UTF8.self)
    return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
  }

  private func name(_ rule: Rule) -> String {
    switch rule.place {
    case .header: "header \(String(decoding: headerNames[Int(rule.index)], as: UTF8.self))"
    case .slot: paths[Int(rule.index)].joined(separator: ".")
    case .key: "key"
    case .aggregateSequence, .position: "eventId"
    }
  }

  private func wrongType(_ rule: Rule, _ kind: FieldSlot.Kind, _ expected: String)
    -> ProcessingFailure
  {
    ProcessingFailure(.decode, .decode, "\(name(rule)): is \(kind), expected \(expected)")
  }
}
