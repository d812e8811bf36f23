/// Days and dates of the proleptic Gregorian calendar.
///
/// Source of the way from a date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
package enum CivilDate {
  package static let secondsPerDay: Int64 = 86_400
  /// 0000-01-01T00:00:00Z and the end of 9999, in seconds since the epoch.
  static let writable: Range<Int64> = -62_167_219_200..<253_402_300_800

  /// Days since 1970-01-01.
  package static func days(year: Int, month: Int, day: Int) -> Int {
    let year = month <= 2 ? year - 1 : year
    let era = (year >= 0 ? year : year - 399) / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  /// The date of a day number, of the years 0 to 9999.
  ///
  /// Source: Neri and Schneider, "Euclidean affine functions and their application to calendar
  /// algorithms" (2022): multiplications in place of divisions, 32 bits wide.
  package static func date(days: Int) -> (year: Int, month: Int, day: Int) {
    // Years begin in March here, and the first is one before the year 0.
    let shifted = UInt32(truncatingIfNeeded: days + 719_468 + 146_097) &* 4 &+ 3
    let century = shifted / 146_097
    let dayOfCentury = shifted % 146_097 | 3
    let product = 2_939_745 &* UInt64(dayOfCentury)
    let yearOfCentury = UInt32(truncatingIfNeeded: product >> 32)
    let dayOfYear = UInt32(truncatingIfNeeded: product) / 2_939_745 / 4
    let scaled = 2_141 &* dayOfYear &+ 197_913
    let (month, day) = (Int(scaled >> 16), Int((scaled & 0xFFFF) / 2_141) + 1)
    let year = Int(100 &* century &+ yearOfCentury) - 400
    return dayOfYear >= 306 ? (year + 1, month - 12, day) : (year, month, day)
  }

  package static func daysInMonth(year: Int, month: Int) -> Int {
    switch month {
    case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}
