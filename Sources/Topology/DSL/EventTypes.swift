/// The event types a source dispatches on, their versions and decoders.
///
///     EventTypes<JSONView, OrderEvent>(unknownType: .ignore)
///       .on("ORDER_CREATED", version: 2) { json, _ in .created(try OrderCreated(json: json)) }
///       .upcast("ORDER_CREATED", from: 1) { json, bytes in
///         json.copy(setting: "currency", to: "EUR", into: &bytes)
///       }
///
/// Handlers see only the latest version: a payload of an older one passes its upcasters in order.
public struct EventTypes<Document, Event>: Sendable {
  public typealias Decoder =
    @Sendable (_ payload: Document, _ context: RecordContext) throws -> Event
  /// Writes the payload of the next version; a pure function of its input.
  public typealias Upcaster = @Sendable (_ payload: Document, _ next: inout [UInt8]) throws -> Void

  @usableFromInline
  struct Handler: Sendable {
    let name: String
    @usableFromInline let version: Int
    @usableFromInline let decode: Decoder
    @usableFromInline var upcasters: [Int: Upcaster] = [:]
  }

  let unknownType: UnknownTypePolicy
  let unknownVersion: UnknownVersionPolicy
  @usableFromInline var handlers: [Handler] = []
  @usableFromInline var anyHandler: Decoder?
  /// Problems of declaration, reported by `build()`.
  @usableFromInline var problems: [String] = []

  /// - Parameter unknownType: must be written: an event type nobody handles is never dropped
  ///   without a declaration.
  public init(unknownType: UnknownTypePolicy, unknownVersion: UnknownVersionPolicy = .deadLetter) {
    self.unknownType = unknownType
    self.unknownVersion = unknownVersion
  }

  /// Decodes events of `type`, whose latest schema version is `version`.
  public func on(_ type: String, version: Int = 1, decode: @escaping Decoder) -> EventTypes {
    var types = self
    if handlers.contains(where: { $0.name == type }) {
      types.problems.append("event type '\(type)' has two handlers; keep one")
    }
    if version < 1 { types.problems.append("event type '\(type)': versions count from 1") }
    types.handlers.append(
      Handler(name: type, version: version, decode: decode))
    return types
  }

  /// Decodes events of every type that has no handler of its own, in any version.
  public func onAny(decode: @escaping Decoder) -> EventTypes {
    var types = self
    if anyHandler != nil { types.problems.append("onAny is declared twice; keep one") }
    types.anyHandler = decode
    return types
  }

  /// Turns payloads of `type` from version `from` into the next version.
  public func upcast(_ type: String, from: Int, _ upcaster: @escaping Upcaster) -> EventTypes {
    var types = self
    guard let index = handlers.firstIndex(where: { $0.name == type }) else {
      types.problems.append("upcaster for '\(type)', which has no handler; declare `on` before it")
      return types
    }
    if from < 1 || from >= handlers[index].version {
      types.problems.append(
        "upcaster of '\(type)' from version \(from), but the latest is \(handlers[index].version)")
    }
    if types.handlers[index].upcasters.updateValue(upcaster, forKey: from) != nil {
      types.problems.append("'\(type)' has two upcasters from version \(from); keep one")
    }
    return types
  }

  /// Types by name with the versions that are taken, as `ORDER_CREATED v1 v2`: for `describe` and
  /// lineage. They are dispatched by name, so the order of declaration says nothing.
  @usableFromInline var signature: [String] {
    let names = handlers.map { handler in
      let versions = Set(handler.upcasters.keys).union([handler.version]).sorted()
      return "\(handler.name) \(versions.map { "v\($0)" }.joined(separator: " "))"
    }
    return names.sorted() + (anyHandler == nil ? [] : ["any"])
  }

  /// What a source needs to know without the types of document and event.
  @usableFromInline var table: EventTypeTable {
    EventTypeTable(
      entries: handlers.map {
        EventTypeTable.Entry(
          name: $0.name, nameBytes: Array($0.name.utf8), version: $0.version,
          upcasts: Set($0.upcasters.keys))
      }, takesAny: anyHandler != nil, unknownType: unknownType, unknownVersion: unknownVersion)
  }
}
