public import StreamCore

/// Writes compact JSON to the end of an array of bytes, members in the order of the calls.
///
///     writer.beginObject()
///     writer.field("orderId", order.id)
///     writer.field("total", order.total)
///     writer.endObject()
public struct JSONWriter {
  /// Longer than what is written: appending byte by byte would check it each time.
  private var buffer: [UInt8]
  private var count: Int
  /// Whether a comma goes before what comes next.
  private var needsComma = false
  /// The first value that JSON cannot express (`nan`, an infinity); null stands in its place, and
  /// ``JSONSerde`` throws this.
  public private(set) var failure: SerdeError?

  /// - Parameter bytes: what is appended to.
  public init(appendingTo bytes: consuming [UInt8] = []) {
    count = bytes.count
    buffer = bytes
  }

  /// What was appended to and what was written; the writer is then empty.
  public mutating func finish() -> [UInt8] {
    // Swapped out, so that nobody else holds it and cutting it off copies nothing.
    var bytes: [UInt8] = []
    swap(&bytes, &buffer)
    bytes.removeLast(bytes.count - count)
    count = 0
    needsComma = false
    return bytes
  }

  public mutating func beginObject() { open(0x7B) }
  public mutating func endObject() { close(0x7D) }
  public mutating func beginArray() { open(0x5B) }
  public mutating func endArray() { close(0x5D) }

  /// The name of the value written next.
  public mutating func name(_ name: StaticString) {
    unsafe quoted(
      UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), isName: true)
  }

  /// As ``name(_:)`` for a name known only at run time.
  public mutating func name(dynamic name: String) { text(name, isName: true) }

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
  public mutating func value(_ value: String) { text(value, isName: false) }
  public mutating func value(_ value: Int64) { integer(value) }

  /// A whole number of any type of up to 64 bits.
  public mutating func integer(_ value: some FixedWidthInteger) {
    var rest = UInt64(truncatingIfNeeded: value.magnitude)
    let isNegative = value < 0
    unsafe put(20) { room in
      // Filled from the right, then moved.
      var first = 20
      repeat {
        first -= 1
        unsafe room[first] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest != 0
      if isNegative {
        first -= 1
        unsafe room[first] = 0x2D
      }
      unsafe room.update(from: room + first, count: 20 - first)
      return 20 - first
    }
  }

  /// All digits of the scale, never through a double.
  public mutating func value(_ value: Decimal) {
    unsafe put(Decimal.textBytesMax) { unsafe value.write(to: $0) }
  }

  public mutating func value(_ value: Instant) {
    unsafe put(Instant.textBytesMax + 2) { room in
      unsafe Self.quote(room, unsafe value.write(to: room + 1))
    }
  }

  public mutating func value(_ value: Timestamp) {
    unsafe put(Timestamp.textBytesMax + 2) { room in
      unsafe Self.quote(room, unsafe value.write(to: room + 1))
    }
  }

  /// The shortest text of a finite number; any other is a ``failure``.
  public mutating func value(_ value: Double) {
    guard value.isFinite else {
      if failure == nil { failure = SerdeError("JSON has no number for \(value)") }
      null()
      return
    }
    unsafe self.value(json: Array(value.description.utf8).span.bytes)
  }

  /// A value as it stands; the caller answers for its being JSON.
  public mutating func value(json: RawSpan) {
    unsafe json.withUnsafeBytes { json in
      guard let start = unsafe json.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
      unsafe put(json.count) { room in
        unsafe room.update(from: start, count: json.count)
        return json.count
      }
    }
  }

  // MARK: Details

  private static let zeros = [UInt8](repeating: 0, count: 1024)

  /// Writes a comma where one is due, and what `body` writes into room for `size` bytes.
  @inline(__always)
  private mutating func put(
    _ size: Int, comma: Bool = true, _ body: (UnsafeMutablePointer<UInt8>) -> Int
  ) {
    if count + size + 1 > buffer.count { grow(size + 1) }
    let separator = needsComma ? 1 : 0
    let position = count
    count += unsafe buffer.withUnsafeMutableBufferPointer { buffer in
      let room = unsafe buffer.baseAddress.unsafelyUnwrapped + position
      unsafe room.pointee = 0x2C
      return unsafe separator + body(room + separator)
    }
    needsComma = comma
  }

  @inline(never)
  private mutating func grow(_ size: Int) {
    // What is reserved, where it is enough: an array written again and again is not moved again.
    let free = buffer.capacity - buffer.count
    var more = free >= size ? max(size, min(free, 1024)) : max(size, buffer.count, 256)
    while more > 0 {
      let zeros = Self.zeros[..<min(more, Self.zeros.count)]
      buffer.append(contentsOf: zeros)
      more -= zeros.count
    }
  }

  private mutating func open(_ bracket: UInt8) {
    unsafe put(1, comma: false) { room in
      unsafe room.pointee = bracket
      return 1
    }
  }

  private mutating func close(_ bracket: UInt8) {
    needsComma = false
    unsafe put(1) { room in
      unsafe room.pointee = bracket
      return 1
    }
  }

  private mutating func literal(_ text: StaticString) {
    unsafe put(5) { room in
      unsafe room.update(from: text.utf8Start, count: text.utf8CodeUnitCount)
      return text.utf8CodeUnitCount
    }
  }

  /// Puts quotes around `count` bytes behind the first of `room`.
  private static func quote(_ room: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
    unsafe room[0] = 0x22
    unsafe room[count + 1] = 0x22
    return count + 2
  }

  private mutating func text(_ text: String, isName: Bool) {
    let done: Void? = unsafe text.utf8.withContiguousStorageIfAvailable {
      unsafe quoted($0, isName: isName)
    }
    guard done == nil else { return }
    let bytes = Array(text.utf8)
    unsafe bytes.withUnsafeBufferPointer { unsafe quoted($0, isName: isName) }
  }

  private mutating func quoted(_ text: UnsafeBufferPointer<UInt8>, isName: Bool) {
    guard unsafe !JSONEscapes.areNeeded(text) else {
      let escaped = unsafe JSONEscapes.escaped(text)
      return unsafe escaped.withUnsafeBufferPointer { unsafe plain($0, isName: isName) }
    }
    unsafe plain(text, isName: isName)
  }

  @inline(__always)
  private mutating func plain(_ text: UnsafeBufferPointer<UInt8>, isName: Bool) {
    unsafe put(text.count + 3, comma: !isName) { room in
      if let start = text.baseAddress {
        unsafe (room + 1).update(from: start, count: text.count)
      }
      let count = unsafe Self.quote(room, text.count)
      guard isName else { return count }
      unsafe room[count] = 0x3A
      return count + 1
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
