public import StreamCore

/// A line that is no record.
public struct RecordLineError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Counted from 1, blank lines too.
  public let line: Int
  public let reason: SerdeError

  public init(line: Int, reason: SerdeError) {
    self.line = line
    self.reason = reason
  }

  public var description: String { "line \(line): \(reason)" }
}

/// Reads records as lines of JSON, as `produce` takes and `consume` prints them:
/// `{"key","headers","timestamp","value"}`, of which only `value` (or `valueBase64`) must be there.
///
/// A string as key, value or header value is its UTF-8 bytes, null is null, any other JSON in
/// `value` is its bytes as they stand. `keyBase64` and `valueBase64` hold the rest; a header value
/// may be `{"base64":…}`. `headers` is an object, or an array of `[name, value]`. `timestamp` is
/// milliseconds or RFC 3339. `topic`, `partition` and `offset` may be there.
public final class RecordLineParser {
  private let parser = JSONParser()
  private let keepsPartitions: Bool

  /// - Parameter keepsPartitions: whether a line's `partition` is the record's; else its key
  ///   decides anew.
  public init(keepsPartitions: Bool = false) { self.keepsPartitions = keepsPartitions }

  /// - Parameter number: of the line, for the error.
  /// - Throws: ``RecordLineError``.
  public func record(from line: RawSpan, number: Int) throws(RecordLineError) -> ProducerRecord {
    do {
      return try parser.withDocument(line, read)
    } catch let reason as SerdeError {
      throw RecordLineError(line: number, reason: reason)
    } catch {
      throw RecordLineError(line: number, reason: SerdeError("\(error)"))
    }
  }

  private func read(_ json: JSONView) throws -> ProducerRecord {
    var record = ProducerRecord(key: nil, value: nil)
    var keys = 0
    var values = 0
    for member in try json.members() {
      let view = member.value
      switch member.name {
      case "key":
        record.key = try textBytes(view)
        keys += 1
      case "keyBase64":
        record.key = try base64(view)
        keys += 1
      case "value":
        record.value =
          view.isNull ? nil : view.kind == .string ? Array(try view.string().utf8) : view.json
        values += 1
      case "valueBase64":
        record.value = try base64(view)
        values += 1
      case "headers": record.headers = try headers(view)
      case "timestamp": record.timestamp = try timestamp(view)
      case "partition":
        let partition = try view.integer(Int32.self)
        guard partition >= 0 else { throw view.error("partitions are counted from 0") }
        if keepsPartitions { record.partition = Int(partition) }
      case "topic": _ = try view.string()
      case "offset": _ = try view.int64()
      default: throw view.error("no member of a record line has this name")
      }
    }
    guard keys <= 1 else { throw json.error("more than one key") }
    guard values > 0 else { throw json.error("no value: a tombstone is written \"value\":null") }
    guard values == 1 else { throw json.error("more than one value") }
    return record
  }

  private func textBytes(_ view: JSONView) throws -> [UInt8]? {
    view.isNull ? nil : Array(try view.string().utf8)
  }

  private func base64(_ view: JSONView) throws -> [UInt8] {
    do { return try Base64.decode(try view.string()) } catch let error as SerdeError
      where error.path.isEmpty
    { throw view.error(error.reason) }
  }

  private func timestamp(_ view: JSONView) throws -> Timestamp? {
    switch view.kind {
    case .null: nil
    case .number: Timestamp(milliseconds: try view.int64())
    default: try view.timestamp()
    }
  }

  private func headers(_ view: JSONView) throws -> [Header] {
    if view.isNull { return [] }
    if view.kind == .object {
      return try view.members().map { member in
        try header(member.name.string, member.value, at: member.value)
      }
    }
    return try view.elements().map { pair in
      let elements = Array(try pair.elements())
      guard elements.count == 2 else { throw pair.error("a header is [name, value]") }
      return try header(try elements[0].string(), elements[1], at: elements[0])
    }
  }

  private func header(_ name: String, _ value: JSONView, at place: JSONView) throws -> Header {
    guard name.utf8.count <= UInt16.max else { throw place.error("a name of over 65,535 bytes") }
    guard value.kind == .object else { return Header(name, try textBytes(value)) }
    return Header(name, try base64(try value.field("base64")))
  }
}
