/// The one encoding of a record's headers inside the engine: batches, the embedded log, the
/// outbox, held records and dead letters share it.
///
/// A header is its name's length (UInt16, little-endian), its value's length (Int32,
/// little-endian, -1 for null), its name, its value; headers follow each other without a count.
public enum EncodedHeaders {
  /// Bytes before a header's name.
  @usableFromInline static let prefix = 6

  /// Names are cut off nowhere: a header name beyond 65,535 bytes is a programmer's error.
  public static func encode(_ headers: [Header]) -> [UInt8] {
    var bytes: [UInt8] = []
    for header in headers { append(name: header.name.utf8, value: header.value, to: &bytes) }
    return bytes
  }

  @inlinable
  public static func append(
    name: some Collection<UInt8>, value: (some Collection<UInt8>)?, to bytes: inout [UInt8]
  ) {
    precondition(name.count <= UInt16.max, "a header's name has at most 65,535 bytes")
    let nameLength = UInt16(name.count)
    let valueLength = value.map { Int32($0.count) } ?? -1
    withUnsafeBytes(of: nameLength.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    withUnsafeBytes(of: valueLength.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: name)
    if let value { bytes.append(contentsOf: value) }
  }

  /// The headers in order. Bytes that are no encoding end the list.
  public static func decode(_ bytes: ArraySlice<UInt8>) -> [Header] {
    var headers: [Header] = []
    forEach(in: bytes.span.bytes) { name, value in
      headers.append(
        Header(
          String(
            decoding: bytes[
              bytes.startIndex + name.lowerBound..<bytes.startIndex + name.upperBound],
            as: UTF8.self),
          value.map {
            Array(bytes[bytes.startIndex + $0.lowerBound..<bytes.startIndex + $0.upperBound])
          }))
    }
    return headers
  }

  /// Where one header lies, in offsets of the bytes it was found in.
  @frozen
  public struct Place {
    public let name: Range<Int>
    /// `nil` for a null value.
    public let value: Range<Int>?
    /// Where the next header begins.
    public let end: Int

    @inlinable
    init(name: Range<Int>, value: Range<Int>?, end: Int) {
      self.name = name
      self.value = value
      self.end = end
    }
  }

  /// The header at `position` of headers that end at `end`; `nil` at their end, and for bytes that
  /// are no encoding.
  @inlinable
  public static func next(in bytes: RawSpan, at position: Int, end: Int) -> Place? {
    guard position + prefix <= end else { return nil }
    let nameLength = Int(
      unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt16.self))
    let valueLength = Int(
      unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position + 2, as: Int32.self))
    let name = position + prefix..<position + prefix + nameLength
    let valueEnd = name.upperBound + max(valueLength, 0)
    guard valueEnd <= end else { return nil }
    return Place(
      name: name, value: valueLength < 0 ? nil : name.upperBound..<valueEnd, end: valueEnd)
  }

  /// Calls `body` with the ranges of each header's name and value, relative to `bytes`.
  @inlinable
  public static func forEach(in bytes: RawSpan, _ body: (Range<Int>, Range<Int>?) -> Void) {
    var position = 0
    while let header = next(in: bytes, at: position, end: bytes.byteCount) {
      body(header.name, header.value)
      position = header.end
    }
  }

  /// The value of the last header of that name, as Kafka's `lastHeader`, relative to `bytes`.
  ///
  /// - Returns: `nil` where there is no such header or its value is null.
  @inlinable
  public static func last(_ name: StaticString, in bytes: RawSpan) -> Range<Int>? {
    var found: Range<Int>?
    forEach(in: bytes) { candidate, value in
      guard candidate.count == name.utf8CodeUnitCount else { return }
      for index in 0..<candidate.count
      where unsafe bytes.unsafeLoad(fromByteOffset: candidate.lowerBound + index, as: UInt8.self)
        != name.utf8Start[index]
      { return }
      found = value
    }
    return found
  }
}
