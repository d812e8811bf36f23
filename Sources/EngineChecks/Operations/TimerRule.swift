/// What timers of one input send where nothing fails: the rule of DESIGN's "One clock decides",
/// over a list.
struct TimerRule {
  /// Due times by what the timer sends; the same key and time twice is one timer.
  private(set) var pending: [String: Int64] = [:]
  /// How often each has gone.
  private(set) var fired: [String: Int] = [:]

  /// Takes the next record of the input.
  ///
  /// - Parameters:
  ///   - isApplied: whether it sets its timer, if it has one.
  ///   - clock: the stream time with it, if there is one.
  mutating func take(_ record: SiteRecord, isApplied: Bool, clock: Int64?) {
    guard let clock else { return }
    // Before a record is taken at T, everything due at or before T has gone.
    fire(upTo: clock)
    guard isApplied, let firing = record.firing, let due = record.due else { return }
    pending[firing] = due
    // A late record's timer may be due already: it goes behind the record's unit.
    fire(upTo: clock)
  }

  private mutating func fire(upTo clock: Int64) {
    for (firing, due) in pending where due <= clock {
      fired[firing, default: 0] += 1
      pending[firing] = nil
    }
  }
}
