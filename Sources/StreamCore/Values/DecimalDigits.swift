/// The digits of whole numbers as text.
package enum DecimalDigits {
  /// Writes a number to room for 20 bytes; how many it has.
  @inline(__always)
  package static func write(_ number: UInt64, to text: UnsafeMutablePointer<UInt8>) -> Int {
    let count = count(number)
    unsafe fill(text, count, number)
    return count
  }

  /// How many digits a number has.
  @inline(__always)
  static func count(_ number: UInt64) -> Int {
    var count = 1
    var limit: UInt64 = 10
    // 10^20 is beyond a word, and no word has more digits.
    while count < 20, number >= limit {
      count += 1
      limit &*= 10
    }
    return count
  }

  /// Fills `count` bytes with the last digits of a number.
  @inline(__always)
  static func fill(_ text: UnsafeMutablePointer<UInt8>, _ count: Int, _ number: UInt64) {
    var position = count
    var rest = number
    while rest > UInt64(UInt32.max), position > 0 {
      position -= 1
      unsafe text[position] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    // Half words are divided in fewer steps.
    var half = UInt32(truncatingIfNeeded: rest)
    while position > 0 {
      position -= 1
      unsafe text[position] = 0x30 + UInt8(truncatingIfNeeded: half % 10)
      half /= 10
    }
  }
}
