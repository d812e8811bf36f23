import StreamCore

/// Parts of times and durations (cel-spec, "Date/Time Functions").
enum TimeFunctions {
  static func functions(_ zones: some TimeZones) -> [Function] {
    let parts: [(String, @Sendable (CivilTime) -> Int)] = [
      ("getFullYear", { $0.year }), ("getMonth", { $0.month - 1 }), ("getDate", { $0.day }),
      ("getDayOfMonth", { $0.day - 1 }), ("getDayOfWeek", \.dayOfWeek),
      ("getDayOfYear", \.dayOfYear), ("getHours", { $0.hour }), ("getMinutes", { $0.minute }),
      ("getSeconds", { $0.second }), ("getMilliseconds", { $0.millisecond }),
    ]
    return parts.map { name, part in
      Function(name, overloads(part, zones) + (durations[name].map { [duration($0)] } ?? []))
    }
  }

  private static func overloads(
    _ part: @escaping @Sendable (CivilTime) -> Int, _ zones: some TimeZones
  ) -> [Overload] {
    [
      .member([.timestamp], .int, cost: .constant) { instant in
        guard case .timestamp(let instant) = instant else { return .mismatch }
        return .int(Int64(part(CivilTime(instant, offset: 0))))
      },
      .member([.timestamp, .string], .int) { instant, zone in
        guard case .timestamp(let instant) = instant, case .string(let zone) = zone else {
          return .mismatch
        }
        guard
          let offset = FixedTimeZones.offset(of: zone)
            ?? zones.offset(of: zone, at: instant.seconds)
        else {
          return .error(.invalidArgument, "unknown time zone \(zone.quoted)")
        }
        return .int(Int64(part(CivilTime(instant, offset: offset))))
      },
    ]
  }

  private static let durations: [String: @Sendable (Int128) -> Int128] = [
    "getHours": { $0 / 3_600_000_000_000 }, "getMinutes": { $0 / 60_000_000_000 },
    "getSeconds": { $0 / 1_000_000_000 },
    // The part below the second, where the others are the whole duration.
    "getMilliseconds": { $0 / 1_000_000 % 1000 },
  ]

  private static func duration(_ part: @escaping @Sendable (Int128) -> Int128) -> Overload {
    .member([.duration], .int, cost: .constant) { duration in
      guard case .duration(let duration) = duration else { return .mismatch }
      return .int(Int64(part(TimeArithmetic.nanoseconds(duration))))
    }
  }
}

/// A time as clocks and calendars show it in a zone.
struct CivilTime {
  let year: Int
  let month: Int
  let day: Int
  let hour: Int
  let minute: Int
  let second: Int
  let millisecond: Int
  private let days: Int

  /// - Parameter offset: seconds east of UTC.
  init(_ instant: Instant, offset: Int) {
    let seconds = Int(instant.seconds) &+ offset
    let perDay = Int(CivilDate.secondsPerDay)
    days = seconds >= 0 ? seconds / perDay : -((perDay - 1 - seconds) / perDay)
    let ofDay = seconds - days * perDay
    (year, month, day) = CivilDate.date(days: days)
    hour = ofDay / 3600
    minute = ofDay / 60 % 60
    second = ofDay % 60
    millisecond = Int(instant.nanoseconds) / 1_000_000
  }

  /// 0 for Sunday. The epoch was a Thursday.
  var dayOfWeek: Int { ((days + 4) % 7 + 7) % 7 }

  /// From 0.
  var dayOfYear: Int { days - CivilDate.days(year: year, month: 1, day: 1) }
}
