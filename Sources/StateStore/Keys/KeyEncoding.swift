public import StreamCore

/// Appends components of keys in their order-preserving form.
@usableFromInline
enum KeyEncoding {
  @usableFromInline
  static func append(integer: Int64, to bytes: inout [UInt8]) {
    append(tag: KeyTag.integer, ordered: integer, to: &bytes)
  }

  @usableFromInline
  static func append(timestamp: Timestamp, to bytes: inout [UInt8]) {
    append(tag: KeyTag.timestamp, ordered: timestamp.milliseconds, to: &bytes)
  }

  @usableFromInline
  static func append(instant: Instant, to bytes: inout [UInt8]) {
    append(tag: KeyTag.instant, ordered: instant.seconds, to: &bytes)
    bytes.append(bigEndian: UInt32(instant.nanoseconds))
  }

  @usableFromInline
  static func append(boolean: Bool, to bytes: inout [UInt8]) {
    bytes.append(KeyTag.boolean)
    bytes.append(boolean ? 1 : 0)
  }

  static func append(tag: UInt8, ordered value: Int64, to bytes: inout [UInt8]) {
    bytes.append(tag, bigEndian: UInt64(bitPattern: value) ^ (1 << 63))
  }

  /// UTF-8 with 00 escaped as 00 FF and terminated by 00; a canonical lower-case UUID as 16 bytes.
  @usableFromInline
  static func append(string: String, to bytes: inout [UInt8]) {
    // A span, for what takes a closure counts a reference to the string.
    // SAFETY: bytes have no padding.
    let text = unsafe string.utf8Span.span.bytes
    if text.byteCount == 36 && appendUUID(text, to: &bytes) { return }
    bytes.append(KeyTag.string)
    if contains(0, text) {
      for index in 0..<text.byteCount {
        let byte = text.unsafeByte(index)
        bytes.append(byte)
        if byte == 0 { bytes.append(0xFF) }
      }
    } else {
      bytes.append(text)
    }
    bytes.append(0)
  }

  @inline(__always)
  private static func contains(_ byte: UInt8, _ text: RawSpan) -> Bool {
    unsafe text.withUnsafeBytes { unsafe $0.contains(byte) }
  }

  /// Writes a UUID that ends a key out as the text it is, for more is to come behind it: only the
  /// last component of a key takes 16 bytes.
  ///
  /// - Parameter start: where the key begins; all of it is whole components.
  @usableFromInline
  static func writeOutUUID(_ bytes: inout [UInt8], from start: Int) {
    guard bytes.count >= start + 17, bytes[bytes.count - 17] == KeyTag.uuid else { return }
    var last = start
    while let end = TextOrder.end(ofComponentAt: last, of: bytes), end < bytes.count { last = end }
    guard last == bytes.count - 17 else { return }
    bytes = TextOrder.order(of: bytes, last: last)
  }

  /// Appends 36 bytes as a UUID, if they are one in lower case.
  private static func appendUUID(_ text: RawSpan, to bytes: inout [UInt8]) -> Bool {
    guard text.unsafeByte(8) == 0x2D, text.unsafeByte(13) == 0x2D, text.unsafeByte(18) == 0x2D,
      text.unsafeByte(23) == 0x2D
    else { return false }
    // The digits without the dashes, eight at a time, the first in the highest byte.
    guard let first = packed(text.word(at: 0)),
      let second = packed(text.halfWord(at: 9) << 32 | text.halfWord(at: 14)),
      let third = packed(text.halfWord(at: 19) << 32 | text.halfWord(at: 24)),
      let fourth = packed(text.word(at: 28))
    else { return false }
    bytes.append(KeyTag.uuid, bigEndian: first << 32 | second, third << 32 | fourth)
    return true
  }

  /// The 32 bits of eight lower-case hexadecimal digits, all at once; `nil` for anything else.
  @inline(__always)
  private static func packed(_ digits: UInt64) -> UInt64? {
    let ones: UInt64 = 0x0101_0101_0101_0101
    // A letter has bit 6, and its low four bits begin with 1 for `a`.
    let values = (digits & (ones &* 0x0F)) &+ ((digits >> 6) & ones) &* 9
    let letters = ((values &+ ones &* 6) >> 4) & ones
    // Written again, values up to 15 give the digits they came from.
    guard values & (ones &* 0xF0) == 0, values &+ ones &* 0x30 &+ letters &* 0x27 == digits else {
      return nil
    }
    let pairs = (values | values >> 4) & 0x00FF_00FF_00FF_00FF
    let quads = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF
    return (quads | quads >> 16) & 0xFFFF_FFFF
  }

  /// By value: a sign and an exponent in one byte, then the digits in pairs, terminated; negative
  /// numbers inverted.
  ///
  /// The value is 0.d₁d₂d₃… × 10^exponent with d₁ ≠ 0 and no trailing zeros, so 1.50 and 1.5 are
  /// one key.
  @usableFromInline
  static func append(decimal: Decimal, to bytes: inout [UInt8]) {
    bytes.append(KeyTag.decimal)
    if decimal.coefficient == 0 {
      bytes.append(0x80)
      return
    }
    var magnitude = decimal.coefficient.magnitude
    var scale = decimal.scale
    while magnitude % 10 == 0 {
      magnitude /= 10
      scale -= 1
    }
    // Digits from the last to the first.
    var digits = InlineArray<40, UInt8>(repeating: 0)
    var count = 0
    while magnitude > 0 {
      digits[count] = UInt8(truncatingIfNeeded: magnitude % 10)
      magnitude /= 10
      count += 1
    }
    let invert: UInt8 = decimal.coefficient < 0 ? 0xFF : 0
    let exponent = count - scale
    bytes.append(UInt8(0xC0 + exponent) ^ invert)
    var next = count - 1
    while next >= 0 {
      let pair = digits[next] * 10 + (next > 0 ? digits[next - 1] : 0)
      bytes.append((pair + 1) ^ invert)
      next -= 2
    }
    bytes.append(invert)
  }
}

extension RawSpan {
  /// A byte whose index the caller has compared with the length.
  @inline(__always)
  func unsafeByte(_ index: Int) -> UInt8 {
    unsafe unsafeLoad(fromUncheckedByteOffset: index, as: UInt8.self)
  }
}

extension RawSpan {
  /// Eight bytes, the first the highest, at an offset the caller has compared with the length.
  @inline(__always)
  fileprivate func word(at offset: Int) -> UInt64 { bigEndian(UInt64.self, at: offset) }

  @inline(__always)
  fileprivate func halfWord(at offset: Int) -> UInt64 {
    UInt64(bigEndian(UInt32.self, at: offset))
  }
}

extension [UInt8] {
  /// A byte and a word, in one step.
  mutating func append(_ byte: UInt8, bigEndian word: UInt64) {
    unsafe appendRoom(9) { room in
      unsafe room.storeBytes(of: byte, as: UInt8.self)
      unsafe room.storeBytes(of: word.bigEndian, toByteOffset: 1, as: UInt64.self)
    }
  }

  /// A byte and two words, in one step.
  mutating func append(_ byte: UInt8, bigEndian first: UInt64, _ second: UInt64) {
    unsafe appendRoom(17) { room in
      unsafe room.storeBytes(of: byte, as: UInt8.self)
      unsafe room.storeBytes(of: first.bigEndian, toByteOffset: 1, as: UInt64.self)
      unsafe room.storeBytes(of: second.bigEndian, toByteOffset: 9, as: UInt64.self)
    }
  }

  @inline(__always)
  mutating func append<Integer: FixedWidthInteger>(
    bigEndian value: Integer
  ) where Integer: BitwiseCopyable {
    unsafe appendRoom(MemoryLayout<Integer>.size) { room in
      unsafe room.storeBytes(of: value.bigEndian, as: Integer.self)
    }
  }

  mutating func append(_ bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { unsafe append($0) }
  }

  @unsafe
  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    unsafe appendRoom(bytes.count) { unsafe $0.copyMemory(from: start, byteCount: bytes.count) }
  }

  /// Appends `count` bytes, which `body` has to write: cheaper than what takes any collection.
  @inline(__always)
  @unsafe
  mutating func appendRoom(_ count: Int, _ body: (UnsafeMutableRawPointer) -> Void) {
    append(addingCapacity: count) { span in
      unsafe span.withUnsafeMutableBufferPointer { room, initialized in
        // SAFETY: the span has room for `count` bytes behind those that are initialized.
        guard let start = UnsafeMutableRawPointer(room.baseAddress) else { return }
        unsafe body(start + initialized)
        initialized += count
      }
    }
  }
}

extension RawSpan {
  /// A big-endian integer at an offset the caller has compared with the length.
  @inline(__always)
  func bigEndian<Integer: FixedWidthInteger>(
    _ type: Integer.Type, at offset: Int
  ) -> Integer where Integer: BitwiseCopyable {
    Integer(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: type))
  }
}
