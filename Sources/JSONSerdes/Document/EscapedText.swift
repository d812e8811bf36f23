/// Strings with escapes, whose bytes are not their text.
@usableFromInline
enum EscapedText {
  /// The text of a string's bytes without its quotes, whose escapes were found right.
  @usableFromInline
  static func bytes(_ escaped: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(escaped.count)
    var position = 0
    while position < escaped.count {
      let byte = unsafe escaped[position]
      guard byte == 0x5C else {
        text.append(byte)
        position += 1
        continue
      }
      let escape = unsafe escaped[position + 1]
      position += 2
      switch escape {
      case 0x62: text.append(0x08)
      case 0x66: text.append(0x0C)
      case 0x6E: text.append(0x0A)
      case 0x72: text.append(0x0D)
      case 0x74: text.append(0x09)
      case 0x75:
        var scalar = unsafe unit(escaped, position)
        position += 4
        if scalar & 0xFC00 == 0xD800 {
          let low = unsafe unit(escaped, position + 2)
          scalar = 0x10000 + (scalar & 0x3FF) << 10 + (low & 0x3FF)
          position += 6
        }
        guard let scalar = Unicode.Scalar(scalar) else {
          preconditionFailure("the parse has checked surrogates")
        }
        unsafe text.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)
      default: text.append(escape)
      }
    }
    return text
  }

  @usableFromInline
  static func string(_ escaped: UnsafeBufferPointer<UInt8>) -> String {
    String(decoding: unsafe bytes(escaped), as: UTF8.self)
  }

  private static func unit(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int) -> UInt32 {
    guard let base = bytes.baseAddress, let unit = unsafe hex(base + position) else {
      preconditionFailure("the parse has checked escapes")
    }
    return unit
  }

  /// Four hexadecimal digits.
  static func hex(_ digits: UnsafePointer<UInt8>) -> UInt32? {
    var unit: UInt32 = 0
    for index in 0..<4 {
      let digit = unsafe digits[index]
      switch digit {
      case 0x30...0x39: unit = unit << 4 | UInt32(digit - 0x30)
      case 0x41...0x46: unit = unit << 4 | UInt32(digit - 0x37)
      case 0x61...0x66: unit = unit << 4 | UInt32(digit - 0x57)
      default: return nil
      }
    }
    return unit
  }
}
