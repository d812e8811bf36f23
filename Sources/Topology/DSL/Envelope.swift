/// Where a source's envelope fields are found: for each field a chain of rules, of which the first
/// that yields a value wins.
///
/// The default is that of `order-events`: headers first, then fields of the value, flat or nested
/// record by record. Foreign envelopes name their own headers and paths.
public struct Envelope: Hashable, Sendable {
  /// Where one field may be found.
  public struct Rule: Hashable, Sendable, CustomStringConvertible {
    enum Place: Hashable, Sendable {
      case header(String)
      case path([String])
      case key
      case aggregateSequence
      case position
    }
    let place: Place
    var prefix: String?

    /// The last header of that name, as Kafka's `lastHeader`.
    public static func header(_ name: String) -> Rule { Rule(place: .header(name)) }
    /// A field of the value, as `subject.userId`.
    public static func path(_ path: String) -> Rule {
      Rule(place: .path(path.split(separator: ".").map(String.init)))
    }
    /// The record's key.
    public static let key = Rule(place: .key)
    /// `aggregateId:sequenceNumber`, with `aggregateType/` before it where the event has one; for
    /// event ids. A guess: the same one with another content is a conflict.
    public static let aggregateSequence = Rule(place: .aggregateSequence)
    /// `topic:partition:offset`, for event ids: it protects from redelivery of the record, not
    /// from a producer that sent it twice.
    public static let position = Rule(place: .position)

    /// Takes `prefix` off the front of the text where it is there, as `PERSON ` of `PERSON <uuid>`.
    public func strippingPrefix(_ prefix: String) -> Rule {
      var rule = self
      rule.prefix = prefix
      return rule
    }

    public var description: String {
      let text =
        switch place {
        case .header(let name): "header \(name)"
        case .path(let path): "path \(path.joined(separator: "."))"
        case .key: "key"
        case .aggregateSequence: "aggregateId:sequenceNumber"
        case .position: "topic:partition:offset"
        }
      return prefix.map { "\(text) without '\($0)'" } ?? text
    }
  }

  /// What of the value is the event's payload.
  public enum Payload: Hashable, Sendable {
    /// The value itself.
    case flat
    /// The object `payload` of the value.
    case nested
    /// `payload` where the value has such an object, else the value itself, record by record.
    case either
    /// The object at a path.
    case path(String)
  }

  public var payload: Payload
  public var eventID: [Rule]
  public var eventType: [Rule]
  /// Decimal text or a number; absent is 1.
  public var schemaVersion: [Rule]
  public var aggregateID: [Rule]
  public var aggregateType: [Rule]
  public var sequenceNumber: [Rule]
  public var occurredAt: [Rule]
  public var correlationID: [Rule]

  public init(
    payload: Payload = .flat,
    eventID: [Rule] = [.header("eventId"), .path("eventId"), .aggregateSequence, .position],
    eventType: [Rule] = [.header("eventType"), .path("eventType")],
    schemaVersion: [Rule] = [.header("schemaVersion"), .path("schemaVersion"), .path("version")],
    aggregateID: [Rule] = [.path("aggregateId"), .key],
    aggregateType: [Rule] = [.path("aggregateType")],
    sequenceNumber: [Rule] = [.path("sequenceNumber")],
    occurredAt: [Rule] = [.path("occurredAt")],
    correlationID: [Rule] = [
      .header("correlationId"), .path("metadata.correlationId"), .path("correlationId"),
    ]
  ) {
    self.payload = payload
    self.eventID = eventID
    self.eventType = eventType
    self.schemaVersion = schemaVersion
    self.aggregateID = aggregateID
    self.aggregateType = aggregateType
    self.sequenceNumber = sequenceNumber
    self.occurredAt = occurredAt
    self.correlationID = correlationID
  }

  /// The value is the payload.
  public static let flat = Envelope()
  /// The payload is the object `payload` of the value.
  public static let nested = Envelope(payload: .nested)
  /// Flat or nested, record by record.
  public static let either = Envelope(payload: .either)

  private var fields: [(name: String, rules: [Rule])] {
    [
      ("eventID", eventID), ("eventType", eventType), ("schemaVersion", schemaVersion),
      ("aggregateID", aggregateID), ("aggregateType", aggregateType),
      ("sequenceNumber", sequenceNumber), ("occurredAt", occurredAt),
      ("correlationID", correlationID),
    ]
  }

  /// What lineage and `describe` say of it.
  var parameters: [OperatorParameter] {
    let payload =
      switch payload {
      case .flat: "flat"
      case .nested: "nested"
      case .either: "either"
      case .path(let path): "path \(path)"
      }
    return [OperatorParameter("payload", payload)]
      + fields.map { OperatorParameter($0.name, .list($0.rules.map(\.description))) }
  }
}
