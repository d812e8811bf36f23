public import StreamCore

/// Prints records as lines of JSON that ``RecordLineParser`` reads back as the same records.
public final class RecordLinePrinter {
  private let parser = JSONParser()

  public init() {}

  /// Appends one line with its end. `value` is JSON only where it is an object or array that
  /// stands on one line; else a string, where it is UTF-8; else Base64.
  public func append(_ record: ConsumerRecord, to bytes: inout [UInt8]) {
    var writer = JSONWriter()
    writer.beginObject()
    writer.field("topic", record.topicPartition.topic)
    writer.field("partition", record.topicPartition.partition)
    writer.field("offset", record.offset)
    if let timestamp = record.timestamp { write(timestamp, to: &writer) }
    switch record.key {
    case nil: writer.field("key", String?.none)
    case .some(let key):
      if let text = text(key) {
        writer.field("key", text)
      } else {
        writer.field("keyBase64", Base64.encode(key))
      }
    }
    if !record.headers.isEmpty { write(record.headers, to: &writer) }
    switch record.value {
    case nil: writer.field("value", String?.none)
    case .some(let value):
      if isJSON(value) {
        writer.name("value")
        unsafe writer.value(json: value.span.bytes)
      } else if let text = text(value) {
        writer.field("value", text)
      } else {
        writer.field("valueBase64", Base64.encode(value))
      }
    }
    writer.endObject()
    writer.finish(appendingTo: &bytes)
    bytes.append(0x0A)
  }

  /// RFC 3339, or milliseconds where the year is not of four digits.
  private func write(_ timestamp: Timestamp, to writer: inout JSONWriter) {
    let text = timestamp.description
    if text.utf8.last == 0x5A {
      writer.field("timestamp", text)
    } else {
      writer.field("timestamp", timestamp.milliseconds)
    }
  }

  private func write(_ headers: [Header], to writer: inout JSONWriter) {
    let isArray = Set(headers.map(\.name)).count < headers.count
    writer.name("headers")
    if isArray { writer.beginArray() } else { writer.beginObject() }
    for header in headers {
      if isArray {
        writer.beginArray()
        writer.value(header.name)
      } else {
        writer.name(dynamic: header.name)
      }
      switch header.value {
      case nil: writer.null()
      case .some(let value):
        if let text = text(value) {
          writer.value(text)
        } else {
          writer.beginObject()
          writer.field("base64", Base64.encode(value))
          writer.endObject()
        }
      }
      if isArray { writer.endArray() }
    }
    if isArray { writer.endArray() } else { writer.endObject() }
  }

  private func text(_ bytes: [UInt8]) -> String? { String(validating: bytes, as: UTF8.self) }

  /// Whether the bytes are an object or array that survives as it stands: without line ends, with
  /// nothing around it, and not so deep that the line would be too deep.
  private func isJSON(_ value: [UInt8]) -> Bool {
    guard let first = value.first, let last = value.last,
      (first == 0x7B && last == 0x7D) || (first == 0x5B && last == 0x5D),
      !value.contains(where: { $0 == 0x0A || $0 == 0x0D })
    else { return false }
    let enclosed = [0x5B] + value + [0x5D]
    do {
      return unsafe try parser.withDocument(enclosed.span.bytes) { root in
        // `[1],[2]` would pass as two elements.
        var elements = try root.elements()
        return elements.next() != nil && elements.next() == nil
      }
    } catch {
      return false
    }
  }
}
