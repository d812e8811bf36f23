/// A rule for years to come, as POSIX writes it in `TZ`: `CET-1CEST,M3.5.0,M10.5.0/3`.
struct TimeZoneRule: Sendable {
  /// A day of each year and a time of that day.
  private struct Change {
    enum Day {
      /// 1 ... 365, without 29 February.
      case julian(Int)
      /// 0 ... 365.
      case ordinal(Int)
      /// Sunday is 0; the fifth week is the last.
      case weekday(month: Int, week: Int, day: Int)
    }
    let day: Day
    /// Seconds behind midnight of local time, also beyond the day.
    let time: Int
  }

  private let standard: Int
  private let summer: (offset: Int, start: Change, end: Change)?

  /// - Returns: `nil` where `text` is no rule.
  init?(_ text: String) {
    var parser = Parser(text: Array(text.utf8))
    guard parser.skipName(), let offset = parser.offset() else { return nil }
    standard = -offset
    guard !parser.isAtEnd else {
      summer = nil
      return
    }
    guard parser.skipName() else { return nil }
    var summerOffset = standard + 3600
    if !parser.isNext(",") {
      guard let offset = parser.offset() else { return nil }
      summerOffset = -offset
    }
    guard let start = parser.change(), let end = parser.change(), parser.isAtEnd else {
      return nil
    }
    summer = (summerOffset, start, end)
  }

  /// Seconds east of UTC.
  func offset(at seconds: Int64) -> Int {
    guard let summer else { return standard }
    let year = Self.year(ofDay: Self.floor(seconds + Int64(standard), 86_400))
    let start = Self.second(of: summer.start, in: year) - Int64(standard)
    let end = Self.second(of: summer.end, in: year) - Int64(summer.offset)
    let isSummer = start < end ? start..<end ~= seconds : !(end..<start ~= seconds)
    return isSummer ? summer.offset : standard
  }

  private static func floor(_ value: Int64, _ divisor: Int64) -> Int64 {
    let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
    return rest < 0 ? quotient - 1 : quotient
  }

  /// Days from the epoch to 1 January, in the proleptic Gregorian calendar.
  private static func day(ofYear year: Int64) -> Int64 {
    let before = year - 1
    return 365 * (year - 1970) + floor(before, 4) - floor(before, 100) + floor(before, 400) - 477
  }

  private static func year(ofDay day: Int64) -> Int64 {
    // 146,097 days are 400 years; the estimate is off by one at most.
    var year = 1970 + floor(day * 400, 146_097)
    while Self.day(ofYear: year) > day { year -= 1 }
    while Self.day(ofYear: year + 1) <= day { year += 1 }
    return year
  }

  /// When the change comes in a year, in seconds of local time since the epoch.
  private static func second(of change: Change, in year: Int64) -> Int64 {
    let first = day(ofYear: year)
    let isLeap = day(ofYear: year + 1) - first == 366
    let day: Int64
    switch change.day {
    case .julian(let number): day = first + Int64(number) - (isLeap && number >= 60 ? 0 : 1)
    case .ordinal(let number): day = first + Int64(number)
    case .weekday(let month, let week, let weekday):
      let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
      let start = first + Int64(lengths[..<(month - 1)].reduce(0, +))
      // 1970-01-01 was a Thursday, day 4.
      let startWeekday = (start + 4) - floor(start + 4, 7) * 7
      var number = (Int64(weekday) - startWeekday + 7) % 7 + Int64(week - 1) * 7
      if number >= Int64(lengths[month - 1]) { number -= 7 }
      day = start + number
    }
    return day * 86_400 + Int64(change.time)
  }

  private struct Parser {
    let text: [UInt8]
    private var position = 0

    init(text: [UInt8]) { self.text = text }

    var isAtEnd: Bool { position == text.count }

    func isNext(_ character: Unicode.Scalar) -> Bool {
      position < text.count && text[position] == UInt8(ascii: character)
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
      guard isNext(character) else { return false }
      position += 1
      return true
    }

    /// Letters, or anything between `<` and `>`.
    mutating func skipName() -> Bool {
      let start = position
      if take("<") {
        while !isAtEnd, !isNext(">") { position += 1 }
        return take(">")
      }
      while position < text.count,
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(text[position] | 0x20)
      {
        position += 1
      }
      return position - start >= 3
    }

    mutating func number(upTo limit: Int) -> Int? {
      let start = position
      var value = 0
      while position < text.count, position - start < 4, (0x30...0x39).contains(text[position]) {
        value = value * 10 + Int(text[position] - 0x30)
        position += 1
      }
      return position > start && value <= limit ? value : nil
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    mutating func offset() -> Int? {
      let isNegative = take("-")
      if !isNegative { _ = take("+") }
      guard let hours = number(upTo: 167) else { return nil }
      var seconds = hours * 3600
      if take(":") {
        guard let minutes = number(upTo: 59) else { return nil }
        seconds += minutes * 60
        if take(":") {
          guard let rest = number(upTo: 59) else { return nil }
          seconds += rest
        }
      }
      return isNegative ? -seconds : seconds
    }

    mutating func change() -> Change? {
      guard take(",") else { return nil }
      let day: Change.Day
      if take("M") {
        guard let month = number(upTo: 12), month > 0, take("."), let week = number(upTo: 5),
          week > 0, take("."), let weekday = number(upTo: 6)
        else { return nil }
        day = .weekday(month: month, week: week, day: weekday)
      } else if take("J") {
        guard let number = number(upTo: 365), number > 0 else { return nil }
        day = .julian(number)
      } else {
        guard let number = number(upTo: 365) else { return nil }
        day = .ordinal(number)
      }
      guard take("/") else { return Change(day: day, time: 7200) }
      return offset().map { Change(day: day, time: $0) }
    }
  }
}
