import StreamCore

/// Writes numbers in as few bytes as they need, and text behind its length.
struct VarintWriter {
  private(set) var bytes: [UInt8] = []

  mutating func append(byte: UInt8) { bytes.append(byte) }

  /// Seven bits a byte, the lowest first.
  mutating func append(unsigned number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  /// The sign lies in the lowest bit, so that small negative numbers are short, too.
  mutating func append(_ number: Int64) {
    append(unsigned: UInt64(bitPattern: number << 1 ^ number >> 63))
  }

  mutating func append(fixed number: UInt64) {
    withUnsafeBytes(of: number.littleEndian) { unsafe bytes.append(contentsOf: $0) }
  }

  mutating func append(_ text: String) {
    append(unsigned: UInt64(text.utf8.count))
    bytes += text.utf8
  }
}

/// Reads what ``VarintWriter`` wrote; anything else is an error, never a trap.
struct VarintReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  mutating func byte() throws(SerdeError) -> UInt8 {
    guard position < bytes.count else { throw SerdeError("it is cut off") }
    position += 1
    return bytes[position - 1]
  }

  mutating func unsigned() throws(SerdeError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: 0, through: 63, by: 7) {
      let byte = try byte()
      // The tenth byte holds one bit.
      guard shift < 63 || byte <= 1 else { break }
      value |= UInt64(byte & 0x7f) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    throw SerdeError("a number has more than 64 bits")
  }

  mutating func number() throws(SerdeError) -> Int64 {
    let value = try unsigned()
    return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
  }

  mutating func fixed() throws(SerdeError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 8) { value |= UInt64(try byte()) << UInt64(shift) }
    return value
  }

  mutating func text() throws(SerdeError) -> String {
    let count = try unsigned()
    guard count <= UInt64(bytes.count - position) else { throw SerdeError("it is cut off") }
    let range = position..<position + Int(count)
    position = range.upperBound
    guard let text = String(validating: bytes[range], as: UTF8.self) else {
      throw SerdeError("a text is no UTF-8")
    }
    return text
  }
}
