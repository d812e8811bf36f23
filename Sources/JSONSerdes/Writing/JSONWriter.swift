public import StreamCore

/// Writes compact JSON to the end of an array of bytes, members in the order of the calls.
///
///     writer.beginObject()
///     writer.field("orderId", order.id)
///     writer.field("total", order.total)
///     writer.endObject()
public struct JSONWriter {
  public internal(set) var bytes: [UInt8]
  /// Whether a comma goes before what comes next.
  @usableFromInline var needsComma = false
  /// The first value that JSON cannot express (`nan`, an infinity); null stands in its place, and
  /// ``JSONSerde`` throws this.
  public internal(set) var failure: SerdeError?

  /// - Parameter bytes: what is appended to.
  public init(appendingTo bytes: consuming [UInt8] = []) { self.bytes = bytes }

  /// The bytes, without a copy of them.
  @inlinable
  public consuming func finish() -> [UInt8] { bytes }

  public mutating func beginObject() { open(0x7B) }
  public mutating func endObject() { close(0x7D) }
  public mutating func beginArray() { open(0x5B) }
  public mutating func endArray() { close(0x5D) }

  /// The name of the value written next.
  public mutating func name(_ name: StaticString) {
    separate()
    unsafe appendQuoted(
      UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    bytes.append(0x3A)
    needsComma = false
  }

  /// As ``name(_:)`` for a name known only at run time.
  public mutating func name(dynamic name: String) {
    separate()
    var name = name
    name.withUTF8 { unsafe appendQuoted($0) }
    bytes.append(0x3A)
    needsComma = false
  }

  /// A name and its value.
  @inlinable
  public mutating func field(_ name: StaticString, _ value: some JSONEncodable) {
    self.name(name)
    value.encode(to: &self)
  }

  /// As ``field(_:_:)``, or nothing where the value is `nil`: absent, not null.
  @inlinable
  public mutating func field(_ name: StaticString, ifPresent value: (some JSONEncodable)?) {
    if let value { field(name, value) }
  }

  // MARK: Values

  public mutating func null() { literal("null") }
  public mutating func value(_ value: Bool) { literal(value ? "true" : "false") }

  public mutating func value(_ value: String) {
    separate()
    var value = value
    value.withUTF8 { unsafe appendQuoted($0) }
    needsComma = true
  }

  public mutating func value(_ value: Int64) { integer(value) }

  /// A whole number of any type of up to 64 bits.
  public mutating func integer(_ value: some FixedWidthInteger) {
    separate()
    // 20 digits and a sign at most, filled from the right.
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { text in
      var first = 24
      var rest = UInt64(truncatingIfNeeded: value.magnitude)
      repeat {
        first -= 1
        unsafe text[first] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest != 0
      if value < 0 {
        first -= 1
        unsafe text[first] = 0x2D
      }
      unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[first...]))
    }
    needsComma = true
  }

  /// All digits of the scale, never through a double.
  public mutating func value(_ value: Decimal) {
    separate()
    value.append(to: &bytes)
    needsComma = true
  }

  public mutating func value(_ value: Instant) {
    separate()
    bytes.append(0x22)
    value.append(to: &bytes)
    bytes.append(0x22)
    needsComma = true
  }

  public mutating func value(_ value: Timestamp) {
    separate()
    bytes.append(0x22)
    value.append(to: &bytes)
    bytes.append(0x22)
    needsComma = true
  }

  /// The shortest text of a finite number; any other is a ``failure``.
  public mutating func value(_ value: Double) {
    guard value.isFinite else {
      if failure == nil { failure = SerdeError("JSON has no number for \(value)") }
      null()
      return
    }
    separate()
    bytes.append(contentsOf: value.description.utf8)
    needsComma = true
  }

  /// A value as it stands; the caller answers for its being JSON.
  public mutating func value(json: RawSpan) {
    separate()
    unsafe json.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    needsComma = true
  }

  // MARK: Details

  @inline(__always)
  private mutating func separate() {
    if needsComma { bytes.append(0x2C) }
  }

  private mutating func open(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func close(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  private mutating func literal(_ text: StaticString) {
    separate()
    unsafe bytes.append(
      contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    needsComma = true
  }

  /// Escapes only what must be: quote, backslash and control characters.
  private mutating func appendQuoted(_ text: UnsafeBufferPointer<UInt8>) {
    bytes.append(0x22)
    var start = 0
    for position in 0..<text.count {
      let byte = unsafe text[position]
      guard byte < 0x20 || byte == 0x22 || byte == 0x5C else { continue }
      unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<position]))
      start = position + 1
      appendEscape(byte)
    }
    unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start...]))
    bytes.append(0x22)
  }

  private mutating func appendEscape(_ byte: UInt8) {
    bytes.append(0x5C)
    switch byte {
    case 0x08: bytes.append(0x62)
    case 0x09: bytes.append(0x74)
    case 0x0A: bytes.append(0x6E)
    case 0x0C: bytes.append(0x66)
    case 0x0D: bytes.append(0x72)
    case 0x22, 0x5C: bytes.append(byte)
    default:
      bytes.append(contentsOf: [0x75, 0x30, 0x30, 0x30 + byte >> 4])
      let low = byte & 15
      bytes.append(low < 10 ? 0x30 + low : 0x57 + low)
    }
  }
}

/// A type that writes itself as JSON: the fast way; `Codable` is the convenient one.
public protocol JSONEncodable: SendableMetatype {
  /// Writes exactly one value.
  func encode(to writer: inout JSONWriter)
}

extension String: JSONEncodable {
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
extension Bool: JSONEncodable {
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
extension Int: JSONEncodable {
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(Int64(self)) }
}
extension Int64: JSONEncodable {
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
extension Int32: JSONEncodable {
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(Int64(self)) }
}
extension Double: JSONEncodable {
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
extension Decimal: JSONEncodable {
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
extension Instant: JSONEncodable {
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
extension Timestamp: JSONEncodable {
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
/// `nil` is null; ``JSONWriter/field(_:ifPresent:)`` leaves the member out instead.
extension Optional: JSONEncodable where Wrapped: JSONEncodable {
  @inlinable public func encode(to writer: inout JSONWriter) {
    if let self { self.encode(to: &writer) } else { writer.null() }
  }
}
extension Array: JSONEncodable where Element: JSONEncodable {
  @inlinable public func encode(to writer: inout JSONWriter) {
    writer.beginArray()
    for element in self { element.encode(to: &writer) }
    writer.endArray()
  }
}
/// Members in the order of their names: a dictionary's own order is another in each process.
extension Dictionary: JSONEncodable where Key == String, Value: JSONEncodable {
  @inlinable public func encode(to writer: inout JSONWriter) {
    writer.beginObject()
    for (name, value) in self.sorted(by: { $0.key < $1.key }) {
      writer.name(dynamic: name)
      value.encode(to: &writer)
    }
    writer.endObject()
  }
}
