/// The parts of an ISO 8601 date-time, checked; see ``Instant/init(parsing:in:zone:)``.
struct DateTimeText {
  /// Seconds since the epoch as if the text were UTC.
  let local: Int64
  let nanoseconds: Int32
  /// Seconds east of UTC; 0 where ``isLocal``.
  let offset: Int
  /// Whether the text has no offset.
  let isLocal: Bool

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
