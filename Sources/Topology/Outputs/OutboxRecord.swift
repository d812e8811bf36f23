import StreamCore

/// A record in the outbox.
///
/// A byte of flags over the version, the time (8 bytes, little-endian as all here) where there is
/// one, key and value behind their lengths (4) where they are not null, and the headers in the
/// engine's encoding up to the end.
struct OutboxRecord {
  private static let version: UInt8 = 0x20
  private static let hasTime: UInt8 = 1
  private static let hasKey: UInt8 = 2
  private static let hasValue: UInt8 = 4

  let record: ProducerRecord

  /// Begins an entry; its headers follow.
  static func begin(
    _ bytes: inout [UInt8], key: [UInt8]?, value: [UInt8]?, timestamp: Timestamp?
  ) {
    bytes.append(
      version | (timestamp == nil ? 0 : hasTime) | (key == nil ? 0 : hasKey)
        | (value == nil ? 0 : hasValue))
    if let timestamp {
      withUnsafeBytes(of: timestamp.milliseconds.littleEndian) {
        unsafe bytes.append(contentsOf: $0)
      }
    }
    if let key { append(key, to: &bytes) }
    if let value { append(value, to: &bytes) }
  }

  private static func append(_ part: [UInt8], to bytes: inout [UInt8]) {
    withUnsafeBytes(of: UInt32(part.count).littleEndian) { unsafe bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: part)
  }

  /// - Throws: ``StreamCore/SerdeError`` for bytes that are no entry.
  init(_ bytes: [UInt8]) throws {
    let cutOff = SerdeError("an entry of the outbox is cut off")
    guard let flags = bytes.first, flags & 0xF8 == Self.version else {
      throw SerdeError("an entry of the outbox has another version")
    }
    var position = 1
    func number(_ count: Int) throws -> UInt64 {
      guard count <= bytes.count - position else { throw cutOff }
      var value: UInt64 = 0
      for index in (0..<count).reversed() { value = value << 8 | UInt64(bytes[position + index]) }
      position += count
      return value
    }
    func part() throws -> [UInt8] {
      let count = Int(try number(4))
      guard count <= bytes.count - position else { throw cutOff }
      defer { position += count }
      return Array(bytes[position..<position + count])
    }
    let timestamp =
      flags & Self.hasTime == 0
      ? nil : Timestamp(milliseconds: Int64(bitPattern: try number(8)))
    let key = flags & Self.hasKey == 0 ? nil : try part()
    let value = flags & Self.hasValue == 0 ? nil : try part()
    record = ProducerRecord(
      key: key, value: value, headers: EncodedHeaders.decode(bytes[position...]),
      timestamp: timestamp)
  }
}
