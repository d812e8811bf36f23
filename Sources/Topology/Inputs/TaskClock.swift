package import StateStore
package import StreamCore

/// A task's one stream time: lateness, window close, expiry and timers go by it.
///
/// Each record that is taken moves it forward to the time it was ordered by, before its unit and
/// whatever becomes of it; so does each firing. A value, so that a unit that is left untaken, or an
/// interval that is aborted, puts it back; durable with the interval.
package struct TaskClock: Hashable, Sendable {
  /// `nil` before anything had a time.
  package private(set) var time: Timestamp?

  package init(_ time: Timestamp? = nil) { self.time = time }

  /// Moves it forward, never back; what has no time moves nothing.
  package mutating func advance(to time: OrderTime) {
    if OrderTime(self.time) < time { self.time = time.timestamp }
  }

  /// The time at which something due at `time` goes; the clock is then there.
  package mutating func fire(due time: Timestamp) -> Timestamp {
    advance(to: OrderTime(time))
    return self.time ?? time
  }
}

/// What an event's time is to the engine.
package enum JudgedTime: Hashable, Sendable {
  case time(Timestamp)
  /// It could not be decoded, or there is none.
  case none
  /// It lies outside the years 0000 to 9999: the record cannot be decoded.
  case outsideCalendar(Timestamp)
  /// It lies more than `maxAhead` after the time the log took the record, as of a producer whose
  /// clock is wrong: the record is processed at stream time and moves no clock.
  case ahead(Timestamp, logTime: Timestamp)

  /// - Parameters:
  ///   - event: the event's own time.
  ///   - logTime: when the log took the record; `nil` where it does not say.
  ///   - maxAhead: `nil` judges none as ahead.
  package init(_ event: Timestamp?, logTime: Timestamp?, maxAhead: Duration?) {
    guard let event else {
      self = .none
      return
    }
    if !event.isOfCalendar {
      self = .outsideCalendar(event)
    } else if let logTime, let maxAhead, event > logTime + maxAhead {
      self = .ahead(event, logTime: logTime)
    } else {
      self = .time(event)
    }
  }

  /// What the merge rule orders it by.
  package var order: OrderTime {
    if case .time(let time) = self { OrderTime(time) } else { .none }
  }

  /// The time that windows, rows and results have of it.
  ///
  /// - Parameter streamTime: the task's, with this record taken.
  /// - Returns: `nil` where there is none at all.
  package func engineTime(_ streamTime: Timestamp?) -> Timestamp? {
    switch self {
    case .time(let time): time
    case .none, .outsideCalendar: streamTime
    case .ahead(_, let logTime): streamTime ?? logTime
    }
  }
}

/// Where a task's clock lies between commits.
package struct TaskClockWords {
  private let words: Words
  private let known: Int
  private let milliseconds: Int
  private static let knownName = "clock.known"
  private static let name = "clock"
  /// 1 once time has come to its end.
  static let endName = "clock.end"

  /// Outside a unit, as all words are registered.
  package init(_ words: Words) {
    self.words = words
    known = words.register(Self.knownName)
    milliseconds = words.register(Self.name)
  }

  /// What the words of a task's last commit say, read by another.
  struct Committed {
    /// `nil` before anything had a time.
    let time: Timestamp?
    /// What is set up to it is due.
    let horizon: Timestamp?

    init(_ words: [String: Int64]) {
      time =
        words[TaskClockWords.knownName] == 1
        ? words[TaskClockWords.name].map { Timestamp(milliseconds: $0) } : nil
      horizon =
        words[TaskClockWords.endName] == 1 ? Timestamp(milliseconds: .max) : time
    }
  }

  /// As of the last commit.
  package var clock: TaskClock {
    TaskClock(words[known] == 0 ? nil : Timestamp(milliseconds: words[milliseconds]))
  }

  package func save(_ clock: TaskClock) {
    guard let time = clock.time else { return }
    words[known] = 1
    words[milliseconds] = time.milliseconds
  }
}
