public import StreamCore

/// What an event of a model's topology says; the value that flows through the operators.
public struct ModelEvent: Hashable, Sendable {
  public var type: String
  public var number: Int64
  /// The operator, or `decode`, that fails for this event, and how often.
  public var trouble: String?
  public var times: Int
  /// The same for all deliveries of one event: its failures are counted under it.
  public var uid: Int

  public init(type: String, number: Int64, trouble: String?, times: Int, uid: Int) {
    self.type = type
    self.number = number
    self.trouble = trouble
    self.times = times
    self.uid = uid
  }

  /// The event of a plain source.
  init(plain payload: ModelRecord.Payload) {
    self.init(
      type: payload.type ?? "", number: payload.number, trouble: payload.trouble,
      times: payload.times, uid: payload.uid)
  }

  /// As operators emit it.
  public var text: String { "\(type) \(number)" }
  /// Whether it is larger on its way out than any topic takes.
  public var isOversized: Bool { trouble == "size" }
}

/// A record of a model's input with what it means, so that nobody has to parse it.
public struct ModelRecord: Hashable, Sendable {
  public enum Body: Hashable, Sendable {
    case tombstone
    /// No document.
    case garbage(String)
    case event(Payload)
  }

  public struct Payload: Hashable, Sendable {
    /// `nil` has no type at all.
    public var type: String?
    public var version = 1
    public var payloadID: String?
    public var aggregateID: String?
    public var sequence: Int64?
    /// A sequence number that is none.
    public var hasBadSequence = false
    public var occurredAt: Int64?
    public var hasBadTime = false
    public var number: Int64
    public var trouble: String?
    public var times = 0
    public var uid: Int
    /// Bytes of no meaning.
    public var padding = 0

    /// The number as its version writes it.
    var numberJSON: String {
      switch (type, version) {
      case ("TEN", 1): "\"\(number)\""
      case ("TEN", 2): "{\"v\":\(number)}"
      default: "\(number)"
      }
    }
  }

  public var topic: String
  public var partition: Int
  public var offset: Offset = -1
  public var time: Int64
  public var key: String?
  public var body: Body
  public var headerID: String?
  public var correlationID: String?
  /// Type and version are headers, not fields.
  public var typeIsHeader = false
  /// The value is an event as it is stored, without an envelope.
  public var isPlain = false

  /// The value's bytes as text.
  public var value: String? {
    switch body {
    case .tombstone: return nil
    case .garbage(let text): return text
    case .event(let payload) where isPlain: return ModelEvent(plain: payload).stored
    case .event(let payload):
      var fields: [String] = []
      func add(_ name: String, _ json: String?) {
        if let json { fields.append("\"\(name)\":\(json)") }
      }
      func quoted(_ text: String?) -> String? { text.map { "\"\($0)\"" } }
      if !typeIsHeader {
        add("eventType", quoted(payload.type))
        if payload.version != 1 { add("schemaVersion", "\(payload.version)") }
      }
      add("eventId", quoted(payload.payloadID))
      add("aggregateId", quoted(payload.aggregateID))
      add(
        "sequenceNumber", payload.hasBadSequence ? "\"one\"" : payload.sequence.map { "\($0)" })
      add(
        "occurredAt",
        payload.hasBadTime
          ? "\"yesterday\""
          : quoted(payload.occurredAt.map { Timestamp(milliseconds: $0).description }))
      add("n", payload.numberJSON)
      add("trouble", quoted(payload.trouble))
      if payload.times > 0 { add("times", "\(payload.times)") }
      add("uid", "\(payload.uid)")
      if payload.padding > 0 { add("pad", quoted(String(repeating: "p", count: payload.padding))) }
      return "{\(fields.joined(separator: ","))}"
    }
  }

  public var producerRecord: ProducerRecord {
    var headers: [Header] = []
    if let headerID { headers.append(Header("eventId", headerID)) }
    if let correlationID { headers.append(Header("correlationId", correlationID)) }
    if typeIsHeader, case .event(let payload) = body {
      if let type = payload.type { headers.append(Header("eventType", type)) }
      if payload.version != 1 { headers.append(Header("schemaVersion", "\(payload.version)")) }
    }
    return ProducerRecord(
      key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) }, headers: headers,
      timestamp: Timestamp(milliseconds: time), partition: partition)
  }
}

/// The row of a model's projections and processors.
public struct ModelRow: Hashable, Sendable {
  public var number: Int64
  public var sequence: Int64?
  public var note: String

  public init(number: Int64, sequence: Int64? = nil, note: String) {
    self.number = number
    self.sequence = sequence
    self.note = note
  }

  public var text: String { "\(number)|\(sequence.map { "\($0)" } ?? "")|\(note)" }

  /// - Returns: `nil` for text that is no row.
  public init?(text: String) {
    let parts = text.split(separator: "|", omittingEmptySubsequences: false)
    guard parts.count == 3, let number = Int64(parts[0]) else { return nil }
    self.init(number: number, sequence: Int64(parts[1]), note: String(parts[2]))
  }
}
