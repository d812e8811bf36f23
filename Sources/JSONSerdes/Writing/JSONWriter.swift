import Glibc
public import StreamCore

/// Writes compact JSON, members in the order of the calls.
///
///     writer.beginObject()
///     writer.field("orderId", order.id)
///     writer.field("total", order.total)
///     writer.endObject()
@safe
public struct JSONWriter: ~Copyable {
  // Memory of its own, so that a write costs a comparison with its end and no more. Invariant:
  // `start ... end` is one allocation, and `next` lies in it; `reserve` comes before each write.
  private var start: UnsafeMutablePointer<UInt8>
  @usableFromInline var next: UnsafeMutablePointer<UInt8>
  @usableFromInline var end: UnsafeMutablePointer<UInt8>
  /// The first value that JSON cannot express (`nan`, an infinity); null stands in its place, and
  /// ``JSONSerde`` throws this.
  public private(set) var failure: SerdeError?

  public init() {
    // Most rows fit, and malloc keeps blocks of this size at hand.
    let capacity = 1_000
    unsafe start = .allocate(capacity: capacity)
    unsafe next = unsafe start
    unsafe end = unsafe start + capacity
  }

  deinit { unsafe start.deallocate() }

  /// What was written; the writer is then empty.
  public mutating func finish() -> [UInt8] {
    var bytes: [UInt8] = []
    finish(appendingTo: &bytes)
    return bytes
  }

  /// Appends what was written to `bytes`; the writer is then empty.
  public mutating func finish(appendingTo bytes: inout [UInt8]) {
    dropComma()
    unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: start, count: next - start))
    unsafe next = unsafe start
  }

  public mutating func beginObject() { open(0x7B) }
  public mutating func endObject() { close(0x7D) }
  public mutating func beginArray() { open(0x5B) }
  public mutating func endArray() { close(0x5D) }

  /// The name of the value written next.
  // Inlined always: where the name is a constant, its check is made by the compiler, and writing
  // it is a few stores.
  @inlinable
  @inline(__always)
  public mutating func name(_ name: StaticString) {
    let text = unsafe UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    unsafe reserve(text.count + 3)
    guard unsafe JSONEscapes.copyPlain(text, to: next + 1) else {
      return unsafe escaped(text, 0x3A)
    }
    unsafe quote(text.count, 0x3A)
  }

  /// As ``name(_:)`` for a name known only at run time.
  public mutating func name(dynamic name: String) { text(name, 0x3A) }

  /// As ``name(_:)`` for a name that is a JSON string already.
  mutating func name(json: RawSpan) {
    value(json: json)
    // In place of the comma that each value has behind it.
    unsafe next[-1] = 0x3A
  }

  /// A name and its value.
  @inlinable
  @inline(__always)
  public mutating func field(_ name: StaticString, _ value: some JSONEncodable) {
    self.name(name)
    value.encode(to: &self)
  }

  /// As ``field(_:_:)``, or nothing where the value is `nil`: absent, not null.
  @inlinable
  @inline(__always)
  public mutating func field(_ name: StaticString, ifPresent value: (some JSONEncodable)?) {
    if let value { field(name, value) }
  }

  // MARK: Values

  public mutating func null() { literal("null,") }
  public mutating func value(_ value: Bool) { value ? literal("true,") : literal("false,") }
  public mutating func value(_ value: String) { text(value, 0x2C) }
  public mutating func value(_ value: Int64) { integer(value) }

  /// Text in UTF-8, with U+FFFD in place of bytes that are none.
  public mutating func value(utf8 bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { bytes in
      let text = unsafe bytes.bindMemory(to: UInt8.self)
      unsafe reserve(text.count + 3)
      if unsafe JSONEscapes.copyPlain(text, to: next + 1, onlyASCII: true) {
        unsafe quote(text.count, 0x2C)
      } else {
        unsafe value(String(decoding: text, as: UTF8.self))
      }
    }
  }

  /// A whole number of any type of up to 64 bits.
  public mutating func integer(_ value: some FixedWidthInteger) {
    unsafe reserve(22)
    if value < 0 { unsafe put(0x2D) }
    unsafe next += DecimalDigits.write(UInt64(truncatingIfNeeded: value.magnitude), to: next)
    unsafe put(0x2C)
  }

  /// All digits of the scale, never through a double.
  public mutating func value(_ value: Decimal) {
    unsafe reserve(Decimal.textBytesMax + 1)
    unsafe next += value.write(to: next)
    unsafe put(0x2C)
  }

  public mutating func value(_ value: Instant) {
    unsafe reserve(Instant.textBytesMax + 3)
    unsafe quote(value.write(to: next + 1), 0x2C)
  }

  public mutating func value(_ value: Timestamp) {
    unsafe reserve(Timestamp.textBytesMax + 3)
    unsafe quote(value.write(to: next + 1), 0x2C)
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
      unsafe reserve(json.count + 1)
      unsafe UnsafeMutableRawBufferPointer(start: next, count: json.count).copyMemory(from: json)
      unsafe next += json.count
      unsafe put(0x2C)
    }
  }

  /// As ``value(json:)``, less its line breaks: what is written is one line.
  public mutating func value(jsonOnOneLine json: RawSpan) {
    let start = unsafe next - start
    value(json: json)
    // Line breaks of a JSON text are white space.
    removeLineBreaks(from: start)
  }

  // MARK: Details

  private mutating func removeLineBreaks(from position: Int) {
    let first = unsafe start + position
    let count = unsafe next - first
    guard unsafe memchr(first, 0x0A, count) != nil || memchr(first, 0x0D, count) != nil
    else { return }
    var kept = unsafe first
    for position in 0..<count {
      let byte = unsafe first[position]
      if byte == 0x0A || byte == 0x0D { continue }
      unsafe kept.pointee = byte
      unsafe kept += 1
    }
    unsafe next = unsafe kept
  }

  /// Makes room for `size` bytes.
  @inlinable
  @inline(__always)
  @unsafe
  mutating func reserve(_ size: Int) {
    if unsafe end - next < size { grow(size) }
  }

  @usableFromInline
  @inline(never)
  mutating func grow(_ size: Int) {
    let count = unsafe next - start
    let capacity = unsafe max((end - start) * 2, count + size)
    let grown = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    unsafe grown.initialize(from: start, count: count)
    unsafe start.deallocate()
    unsafe start = unsafe grown
    unsafe next = unsafe grown + count
    unsafe end = unsafe grown + capacity
  }

  /// Writes a byte for which there is room.
  @inline(__always)
  @unsafe
  private mutating func put(_ byte: UInt8) {
    unsafe next.pointee = byte
    unsafe next += 1
  }

  private mutating func open(_ bracket: UInt8) {
    unsafe reserve(1)
    unsafe put(bracket)
  }

  private mutating func close(_ bracket: UInt8) {
    dropComma()
    unsafe reserve(2)
    unsafe put(bracket)
    unsafe put(0x2C)
  }

  /// Takes back the comma that each value has behind it.
  @inline(__always)
  private mutating func dropComma() {
    if unsafe next > start && next[-1] == 0x2C { unsafe next -= 1 }
  }

  @inline(__always)
  private mutating func literal(_ text: StaticString) {
    unsafe reserve(text.utf8CodeUnitCount)
    unsafe next.initialize(from: text.utf8Start, count: text.utf8CodeUnitCount)
    unsafe next += text.utf8CodeUnitCount
  }

  /// Puts quotes around the `count` bytes behind the next one, and `last` behind them.
  @inlinable
  @inline(__always)
  @unsafe
  mutating func quote(_ count: Int, _ last: UInt8) {
    unsafe next[0] = 0x22
    unsafe next[count + 1] = 0x22
    unsafe next[count + 2] = last
    unsafe next += count + 3
  }

  @inline(__always)
  private mutating func text(_ text: String, _ last: UInt8) {
    // A span, for what takes a closure counts a reference to the string.
    unsafe text.utf8Span.span.withUnsafeBufferPointer { unsafe quoted($0, last) }
  }

  @inline(__always)
  @unsafe
  private mutating func quoted(_ text: UnsafeBufferPointer<UInt8>, _ last: UInt8) {
    unsafe reserve(text.count + 3)
    guard unsafe JSONEscapes.copyPlain(text, to: next + 1) else {
      return unsafe escaped(text, last)
    }
    unsafe quote(text.count, last)
  }

  @usableFromInline
  @inline(never)
  @unsafe
  mutating func escaped(_ text: UnsafeBufferPointer<UInt8>, _ last: UInt8) {
    unsafe reserve(text.count * JSONEscapes.bytesMax + 3)
    unsafe quote(JSONEscapes.copy(text, to: next + 1), last)
  }
}

/// A type that writes itself as JSON: the fast way; `Codable` is the convenient one.
public protocol JSONEncodable: SendableMetatype {
  /// Writes exactly one value.
  func encode(to writer: inout JSONWriter)
  /// Whether no value writes a `Double`, the one thing that JSON may have no text for, and what is
  /// written reads as an equal value; `false` unless a type says so.
  ///
  /// It spares a store the trial of each row: ``StreamCore/Serde/everyValueHasBytes``.
  static var everyValueHasJSON: Bool { get }
}

extension JSONEncodable {
  @inlinable public static var everyValueHasJSON: Bool { false }
}

extension String: JSONEncodable {
  @inlinable public static var everyValueHasJSON: Bool { true }
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
extension Bool: JSONEncodable {
  @inlinable public static var everyValueHasJSON: Bool { true }
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
extension Int: JSONEncodable {
  @inlinable public static var everyValueHasJSON: Bool { true }
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(Int64(self)) }
}
extension Int64: JSONEncodable {
  @inlinable public static var everyValueHasJSON: Bool { true }
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
extension Int32: JSONEncodable {
  @inlinable public static var everyValueHasJSON: Bool { true }
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(Int64(self)) }
}
extension Double: JSONEncodable {
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
extension Decimal: JSONEncodable {
  @inlinable public static var everyValueHasJSON: Bool { true }
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
extension Instant: JSONEncodable {
  @inlinable public static var everyValueHasJSON: Bool { true }
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
extension Timestamp: JSONEncodable {
  @inlinable public static var everyValueHasJSON: Bool { true }
  @inlinable public func encode(to writer: inout JSONWriter) { writer.value(self) }
}
/// `nil` is null; ``JSONWriter/field(_:ifPresent:)`` leaves the member out instead.
extension Optional: JSONEncodable where Wrapped: JSONEncodable {
  @inlinable public static var everyValueHasJSON: Bool { Wrapped.everyValueHasJSON }
  @inlinable public func encode(to writer: inout JSONWriter) {
    if let self { self.encode(to: &writer) } else { writer.null() }
  }
}
extension Array: JSONEncodable where Element: JSONEncodable {
  @inlinable public static var everyValueHasJSON: Bool { Element.everyValueHasJSON }
  @inlinable public func encode(to writer: inout JSONWriter) {
    writer.beginArray()
    for element in self { element.encode(to: &writer) }
    writer.endArray()
  }
}
/// Members in the order of their names' bytes: a dictionary's own order is another in each process.
extension Dictionary: JSONEncodable where Key == String, Value: JSONEncodable {
  @inlinable public static var everyValueHasJSON: Bool { Value.everyValueHasJSON }
  @inlinable public func encode(to writer: inout JSONWriter) {
    writer.beginObject()
    for (name, value) in self.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
      writer.name(dynamic: name)
      value.encode(to: &writer)
    }
    writer.endObject()
  }
}
