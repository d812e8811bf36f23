/// 128 bits that print as a random (version 4) UUID.
struct UUIDText: Hashable, Sendable, Comparable {
  static let byteCount = 36

  let high: UInt64
  let low: UInt64

  init(_ random: inout SeededRandom) {
    high = random.next() & 0xffff_ffff_ffff_0fff | 0x4000
    low = random.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
  }

  var text: String {
    var bytes: [UInt8] = []
    bytes.put(self)
    return String(decoding: bytes, as: UTF8.self)
  }

  static func < (left: UUIDText, right: UUIDText) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }
}

/// Writing text without strings in between.
extension [UInt8] {
  mutating func put(_ text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  mutating func put(_ text: some Collection<UInt8>) { append(contentsOf: text) }

  mutating func put(_ uuid: UUIDText) {
    let first = Self.hexDigits(UInt32(truncatingIfNeeded: uuid.high >> 32))
    let second = Self.hexDigits(UInt32(truncatingIfNeeded: uuid.high))
    let third = Self.hexDigits(UInt32(truncatingIfNeeded: uuid.low >> 32))
    let fourth = Self.hexDigits(UInt32(truncatingIfNeeded: uuid.low))
    withUnsafeTemporaryAllocation(byteCount: UUIDText.byteCount, alignment: 8) { text in
      text.storeBytes(of: first.bigEndian, as: UInt64.self)
      text[8] = 0x2d
      text.storeBytes(
        of: UInt32(second >> 32).bigEndian, toByteOffset: 9, as: UInt32.self)
      text[13] = 0x2d
      text.storeBytes(
        of: UInt32(truncatingIfNeeded: second).bigEndian, toByteOffset: 14, as: UInt32.self)
      text[18] = 0x2d
      text.storeBytes(of: UInt32(third >> 32).bigEndian, toByteOffset: 19, as: UInt32.self)
      text[23] = 0x2d
      text.storeBytes(
        of: UInt32(truncatingIfNeeded: third).bigEndian, toByteOffset: 24, as: UInt32.self)
      text.storeBytes(of: fourth.bigEndian, toByteOffset: 28, as: UInt64.self)
      append(contentsOf: text)
    }
  }

  /// Eight lower-case hex digits, the first in the highest byte.
  private static func hexDigits(_ word: UInt32) -> UInt64 {
    var digits = UInt64(word)
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f
    let letters = (digits &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
    return digits &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
  }

  /// All 16 half bytes, the highest first.
  mutating func put(hex word: UInt64) {
    let high = Self.hexDigits(UInt32(truncatingIfNeeded: word >> 32)).bigEndian
    let low = Self.hexDigits(UInt32(truncatingIfNeeded: word)).bigEndian
    Swift.withUnsafeBytes(of: (high, low)) { append(contentsOf: $0) }
  }

  mutating func put(decimal number: Int) {
    guard number > 9 else { return append(0x30 + UInt8(number)) }
    put(decimal: number / 10)
    append(0x30 + UInt8(number % 10))
  }

  /// An amount of hundredths, as `12.50`.
  mutating func put(hundredths amount: Int) {
    put(decimal: amount / 100)
    append(0x2e)
    append(0x30 + UInt8(amount / 10 % 10))
    append(0x30 + UInt8(amount % 10))
  }
}
