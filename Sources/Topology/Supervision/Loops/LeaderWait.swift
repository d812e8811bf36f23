import StreamCore

/// How long the task whose interval grows has others wait while it waits itself for the log.
///
/// A log that is fetched ahead, as Kafka is, gives a task that is far behind its records by pieces: a
/// fetch is soon there. One that takes its time would keep the thread idle: all waits of a lead
/// together have a limit.
struct LeaderWait {
  static let max = Duration.milliseconds(50)

  private var left = LeaderWait.max
  private var begun: MonotonicTime?

  /// When it has waited long enough; `nil` while it does not wait.
  var end: MonotonicTime? { begun.map { $0 + left } }

  func isOver(_ now: MonotonicTime) -> Bool { end.map { now >= $0 } ?? false }

  /// It had its turn.
  ///
  /// - Parameter isDry: it had fewer records than it could have taken.
  mutating func note(isDry: Bool, _ now: MonotonicTime) {
    if let begun { left -= now - begun }
    begun = isDry ? now : nil
  }
}
