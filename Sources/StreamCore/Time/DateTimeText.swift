/// The parts of an ISO 8601 date-time, checked; see ``Instant/init(parsing:in:zone:)``.
struct DateTimeText {
  /// Seconds since the epoch as if the text were UTC.
  let local: Int64
  let nanoseconds: Int32
  /// Seconds east of UTC; 0 where ``isLocal``.
  let offset: Int
  /// Whether the text has no offset.
  let isLocal: Bool

  /// `YYYY-MM-DDThh:mm:ssZ`, with or without milliseconds, as nearly all times are written; `nil`
  /// for any other text.
  static func usual(_ text: UnsafeRawBufferPointer) -> Instant? {
    guard text.count == 20 || text.count == 24, unsafe text[text.count - 1] == 0x5A else {
      return nil
    }
    // `YYYY-MM-`, `DDThh:mm` and `hh:mm:ss`, the first character in the lowest byte.
    let date = unsafe UInt64(littleEndian: text.loadUnaligned(as: UInt64.self))
    let middle = unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    let time = unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: 11, as: UInt64.self))
    guard let date = DigitPairs(date, separators: 0x2D00_002D_0000_0000),
      let middle = DigitPairs(middle, separators: 0x0000_3A00_0054_0000),
      let time = DigitPairs(time, separators: 0x0000_3A00_003A_0000)
    else { return nil }
    var nanoseconds: Int32 = 0
    if text.count == 24 {
      guard unsafe text[19] == 0x2E else { return nil }
      for position in 20..<23 {
        let digit = unsafe text[position] &- 0x30
        guard digit <= 9 else { return nil }
        nanoseconds = nanoseconds * 10 + Int32(digit)
      }
      nanoseconds *= 1_000_000
    }
    let year = date[0] * 100 + date[2]
    let (month, day) = (date[5], middle[0])
    let (hour, minute, second) = (time[0], time[3], time[6])
    guard month >= 1, month <= 12, day >= 1, hour < 24, minute < 60, second < 60,
      day <= 28 || day <= CivilDate.daysInMonth(year: year, month: month)
    else { return nil }
    let days = Int64(CivilDate.days(year: year, month: month, day: day))
    return Instant(
      seconds: days * CivilDate.secondsPerDay + Int64(hour * 3600 + minute * 60 + second),
      nanoseconds: nanoseconds)
  }

  /// Eight characters as numbers of two digits, all at once.
  private struct DigitPairs {
    /// Each number in the byte of its first digit.
    let numbers: UInt64

    /// `nil` where the text has no digit, or another separator.
    ///
    /// - Parameter separators: what stands between the digits; 0 for a digit.
    @inline(__always)
    init?(_ text: UInt64, separators: UInt64) {
      // All bits of a byte where its separator, which is no digit and below 0x80, has any.
      let marks = (separators &+ 0x7F7F_7F7F_7F7F_7F7F) & 0x8080_8080_8080_8080
      let mask = (marks >> 7) &* 0xFF
      let digits = (text ^ 0x3030_3030_3030_3030) & ~mask
      guard text & mask == separators,
        (digits | (digits &+ 0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080 == 0
      else { return nil }
      numbers = digits &* 10 &+ digits >> 8
    }

    subscript(position: Int) -> Int {
      Int(truncatingIfNeeded: numbers >> UInt64(8 * position) & 0xFF)
    }
  }

  init(_ text: UnsafeRawBufferPointer) throws(TimeError) {
    // `YYYY-MM-DDThh:mm` is the shortest.
    guard text.count >= 16 else { throw .malformed }
    // A sum of digits' errors: checked once, as nearly all texts are right.
    var wrong: UInt8 = 0
    @inline(__always) func two(_ position: Int) -> Int {
      let (tens, ones) = unsafe (text[position] &- 0x30, text[position + 1] &- 0x30)
      wrong |= (tens > 9 ? 1 : 0) | (ones > 9 ? 1 : 0)
      return Int(tens) * 10 + Int(ones)
    }
    let year = two(0) * 100 + two(2)
    let (month, day, hour, minute) = (two(5), two(8), two(11), two(14))
    let separator = unsafe text[10]
    guard wrong == 0, unsafe text[7] == 0x2D, unsafe text[13] == 0x3A,
      separator | 0x20 == 0x74 || separator == 0x20
    else { throw .malformed }
    var position = 16
    var second = 0
    var nanoseconds: Int32 = 0
    if text.count >= 19, unsafe text[16] == 0x3A {
      second = two(17)
      guard wrong == 0 else { throw .malformed }
      position = 19
      if position < text.count, unsafe text[position] == 0x2E || text[position] == 0x2C {
        position += 1
        let first = position
        var unit: Int32 = 100_000_000
        while position < text.count {
          let digit = unsafe text[position] &- 0x30
          guard digit <= 9 else { break }
          nanoseconds += Int32(digit) * unit
          unit /= 10
          position += 1
        }
        guard position > first else { throw .malformed }
      }
    }
    guard month >= 1, month <= 12, day >= 1, hour < 24, minute < 60, second < 60,
      day <= 28 || day <= CivilDate.daysInMonth(year: year, month: month)
    else { throw .outOfRange }
    local =
      Int64(CivilDate.days(year: year, month: month, day: day)) * CivilDate.secondsPerDay
      + Int64(hour * 3600 + minute * 60 + second)
    self.nanoseconds = nanoseconds
    guard position < text.count else {
      offset = 0
      isLocal = true
      return
    }
    isLocal = false
    offset = try unsafe Self.offset(text, &position)
    if position < text.count, unsafe text[position] == 0x5B {
      guard text.count > position + 2, unsafe text[text.count - 1] == 0x5D
      else { throw .malformed }
      position = text.count
    }
    guard position == text.count else { throw .malformed }
  }

  /// `Z`, `+01:00`, `+0100` or `+01`, in seconds.
  private static func offset(
    _ text: UnsafeRawBufferPointer, _ position: inout Int
  ) throws(TimeError) -> Int {
    let first = unsafe text[position]
    position += 1
    if first | 0x20 == 0x7A { return 0 }
    guard first == 0x2B || first == 0x2D else { throw .malformed }
    func two(_ start: Int) throws(TimeError) -> Int {
      guard start + 2 <= text.count else { throw .malformed }
      let (tens, ones) = unsafe (text[start] &- 0x30, text[start + 1] &- 0x30)
      guard tens <= 9, ones <= 9 else { throw .malformed }
      return Int(tens) * 10 + Int(ones)
    }
    let hours = try two(position)
    position += 2
    var minutes = 0
    if position < text.count {
      let next = unsafe text[position]
      if next == 0x3A || next &- 0x30 <= 9 {
        if next == 0x3A { position += 1 }
        minutes = try two(position)
        position += 2
      }
    }
    guard minutes < 60, hours * 60 + minutes <= 18 * 60 else { throw .outOfRange }
    return (first == 0x2D ? -1 : 1) * (hours * 3600 + minutes * 60)
  }
}
