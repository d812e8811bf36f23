/// Escapes of strings: only what must be, quote, backslash and control characters.
enum JSONEscapes {
  /// Whether any byte needs an escape; eight at a time, as most have none.
  @inline(__always)
  static func areNeeded(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    let count = text.count
    guard let start = unsafe UnsafeRawPointer(text.baseAddress), count > 0 else { return false }
    // SAFETY: every load below ends at `count` at the latest.
    guard count >= 8 else {
      // Loads that overlap cover all of a short text.
      var word: UInt64
      if count >= 4 {
        word = unsafe UInt64(start.loadUnaligned(as: UInt32.self)) << 32
        word |= unsafe UInt64(start.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
      } else {
        word = unsafe UInt64(start.load(as: UInt8.self)) &* 0x0101_0101_0101_0101
        for position in 1..<max(count, 1) {
          word = unsafe word << 8 | UInt64(start.load(fromByteOffset: position, as: UInt8.self))
        }
      }
      return areNeeded(word)
    }
    var position = 0
    while position + 8 < count {
      let word = unsafe start.loadUnaligned(fromByteOffset: position, as: UInt64.self)
      if areNeeded(word) { return true }
      position += 8
    }
    return unsafe areNeeded(start.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self))
  }

  @inline(__always)
  private static func areNeeded(_ word: UInt64) -> Bool {
    // A borrow reaches the high bit of a byte below the one subtracted. (Bit Twiddling Hacks,
    // "Determine if a word has a byte less than n".)
    let ones: UInt64 = 0x0101_0101_0101_0101
    let (quote, backslash) = (word ^ (ones &* 0x22), word ^ (ones &* 0x5C))
    let found =
      ((word &- ones &* 0x20) & ~word) | ((quote &- ones) & ~quote)
      | ((backslash &- ones) & ~backslash)
    return found & (ones &* 0x80) != 0
  }

  static func escaped(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count + 16)
    for position in 0..<text.count {
      let byte = unsafe text[position]
      if byte >= 0x20 && byte != 0x22 && byte != 0x5C {
        bytes.append(byte)
        continue
      }
      bytes.append(0x5C)
      switch byte {
      case 0x08: bytes.append(0x62)
      case 0x09: bytes.append(0x74)
      case 0x0A: bytes.append(0x6E)
      case 0x0C: bytes.append(0x66)
      case 0x0D: bytes.append(0x72)
      case 0x22, 0x5C: bytes.append(byte)
      default:
        bytes += [0x75, 0x30, 0x30, 0x30 + byte >> 4]
        let low = byte & 15
        bytes.append(low < 10 ? 0x30 + low : 0x57 + low)
      }
    }
    return bytes
  }
}
