import StateStore
import StreamCore

extension [UInt8] {
  /// The bytes, lent.
  var raw: RawSpan {
    @_lifetime(borrow self)
    get {
      // SAFETY: bytes have no padding.
      unsafe span.bytes
    }
  }
}

/// Builds a small stored value or key.
struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  /// Big-endian, so that keys sort by it.
  mutating func key(_ number: some FixedWidthInteger) {
    unsafe withUnsafeBytes(of: number.bigEndian) { unsafe bytes.append(contentsOf: $0) }
  }

  mutating func number(_ number: some FixedWidthInteger) {
    unsafe withUnsafeBytes(of: number.littleEndian) { unsafe bytes.append(contentsOf: $0) }
  }

  mutating func text(_ text: String) {
    number(UInt32(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  mutating func raw(_ more: some Collection<UInt8>) { bytes.append(contentsOf: more) }

  /// The bytes with their hash behind them.
  consuming func sealed() -> [UInt8] {
    let hash = hash64(bytes.raw)
    number(hash)
    return bytes
  }
}

/// Reads what ``ByteWriter`` sealed: a value that is other than it was written is an error.
struct ByteReader {
  private let bytes: [UInt8]
  private let end: Int
  private var position = 0
  private let what: String

  /// - Throws: ``LogError`` with `.corrupt`.
  init(sealed bytes: [UInt8], _ what: String) throws(LogError) {
    self.bytes = bytes
    self.what = what
    self.end = bytes.count - 8
    guard end >= 0 else { throw Self.corrupt(what) }
    var hash: UInt64 = 0
    for index in 0..<8 { hash |= UInt64(bytes[end + index]) << (8 * UInt64(index)) }
    guard hash == hash64(bytes.raw.extracting(0..<end)) else { throw Self.corrupt(what) }
  }

  mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type = Number.self
  ) throws(LogError) -> Number {
    let size = MemoryLayout<Number>.size
    guard position + size <= end else { throw Self.corrupt(what) }
    let number = unsafe bytes.raw.unsafeLoadUnaligned(
      fromByteOffset: position, as: Number.self)
    position += size
    return Number(littleEndian: number)
  }

  mutating func text() throws(LogError) -> String {
    let count = Int(try number(UInt32.self))
    guard position + count <= end else { throw Self.corrupt(what) }
    defer { position += count }
    return String(decoding: bytes[position..<position + count], as: UTF8.self)
  }

  static func corrupt(_ what: String) -> LogError {
    LogError(.corrupt, "\(what) is damaged; restore the log from a copy")
  }
}
