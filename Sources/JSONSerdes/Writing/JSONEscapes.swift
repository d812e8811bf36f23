/// Escapes of strings: only what must be, quote, backslash and control characters.
@usableFromInline
enum JSONEscapes {
  /// The most bytes that one becomes: `\u001f`.
  static let bytesMax = 6

  /// Copies text that needs no escape; eight bytes at a time, as most has none.
  ///
  /// - Parameter onlyASCII: whether other text is refused as well.
  /// - Returns: whether it needs none; else what was copied is not to be used.
  @inlinable
  @inline(__always)
  @unsafe
  static func copyPlain(
    _ text: UnsafeBufferPointer<UInt8>, to room: UnsafeMutablePointer<UInt8>,
    onlyASCII: Bool = false
  ) -> Bool {
    let count = text.count
    guard let start = unsafe UnsafeRawPointer(text.baseAddress), count > 0 else { return true }
    let room = UnsafeMutableRawPointer(room)
    var found: UInt64 = 0
    // SAFETY: words overlap rather than reach beyond `count`.
    if count >= 8 {
      var position = 0
      while position < count - 8 {
        let word = unsafe start.loadUnaligned(fromByteOffset: position, as: UInt64.self)
        unsafe room.storeBytes(of: word, toByteOffset: position, as: UInt64.self)
        found |= marks(word) | (onlyASCII ? word : 0)
        position += 8
      }
      let word = unsafe start.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
      unsafe room.storeBytes(of: word, toByteOffset: count - 8, as: UInt64.self)
      found |= marks(word) | (onlyASCII ? word : 0)
    } else if count >= 4 {
      let first = unsafe start.loadUnaligned(as: UInt32.self)
      let last = unsafe start.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
      unsafe room.storeBytes(of: first, as: UInt32.self)
      unsafe room.storeBytes(of: last, toByteOffset: count - 4, as: UInt32.self)
      let word = UInt64(first) << 32 | UInt64(last)
      found = marks(word) | (onlyASCII ? word : 0)
    } else {
      for position in 0..<count {
        let byte = unsafe start.load(fromByteOffset: position, as: UInt8.self)
        unsafe room.storeBytes(of: byte, toByteOffset: position, as: UInt8.self)
        let word = UInt64(byte) &* 0x0101_0101_0101_0101
        found |= marks(word) | (onlyASCII ? word : 0)
      }
    }
    return found & 0x8080_8080_8080_8080 == 0
  }

  /// Has the high bit of each byte that needs an escape, and of others only beside one of them.
  @inlinable
  @inline(__always)
  static func marks(_ word: UInt64) -> UInt64 {
    // A borrow reaches the high bit of a byte below the one subtracted. (Bit Twiddling Hacks,
    // "Determine if a word has a byte less than n".)
    let ones: UInt64 = 0x0101_0101_0101_0101
    let (quote, backslash) = (word ^ (ones &* 0x22), word ^ (ones &* 0x5C))
    return ((word &- ones &* 0x20) | (quote &- ones) | (backslash &- ones)) & ~word
  }

  /// Copies text with its escapes to room for ``bytesMax`` times as many bytes.
  ///
  /// - Returns: how many bytes it became.
  @unsafe
  static func copy(
    _ text: UnsafeBufferPointer<UInt8>, to room: UnsafeMutablePointer<UInt8>
  ) -> Int {
    var count = 0
    func put(_ byte: UInt8) {
      unsafe room[count] = byte
      count += 1
    }
    for position in 0..<text.count {
      let byte = unsafe text[position]
      if byte >= 0x20 && byte != 0x22 && byte != 0x5C {
        put(byte)
        continue
      }
      put(0x5C)
      switch byte {
      case 0x08: put(0x62)
      case 0x09: put(0x74)
      case 0x0A: put(0x6E)
      case 0x0C: put(0x66)
      case 0x0D: put(0x72)
      case 0x22, 0x5C: put(byte)
      default:
        put(0x75)
        put(0x30)
        put(0x30)
        put(0x30 + byte >> 4)
        let low = byte & 15
        put(low < 10 ? 0x30 + low : 0x57 + low)
      }
    }
    return count
  }
}
