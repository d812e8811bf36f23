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

  /// Calls `body` with the ranges of each header's name and value, relative to `bytes`.
  @inlinable
  public static func forEach(in bytes: RawSpan, _ body: (Range<Int>, Range<Int>?) -> Void) {
    var position = 0
    while position + prefix <= bytes.byteCount {
      let nameLength = Int(
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt16.self))
      let valueLength = Int(
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position + 2, as: Int32.self))
      let name = position + prefix..<position + prefix + nameLength
      let end = name.upperBound + max(valueLength, 0)
      guard end <= bytes.byteCount else { return }
      body(name, valueLength < 0 ? nil : name.upperBound..<end)
      position = end
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
