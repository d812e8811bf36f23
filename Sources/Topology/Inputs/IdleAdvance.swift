package import StreamCore

/// What the log said of the ends of a task's inputs.
package struct EndsAnswer: Sendable {
  /// `nil` where it did not say, or could not be read meanwhile.
  package let ends: [TopicPartition: Offset]?
  package let asked: MonotonicTime
  package let answered: MonotonicTime

  package init(_ ends: [TopicPartition: Offset]?, asked: MonotonicTime, answered: MonotonicTime) {
    self.ends = ends
    self.asked = asked
    self.answered = answered
  }
}

/// Moves the stream time of a task on while nothing comes, where its topology declares it.
///
/// It goes on by the time that passed on the monotonic clock, never to the wall clock's time, and
/// only by the time in which all inputs were known to be at their ends: that between two answers of
/// the log which say so. What an answer takes does not count, for a log that is away answers late.
package struct IdleAdvance {
  private let after: Duration
  private var waited = Duration.zero
  /// When the log's last answer came.
  private var knownUntil: MonotonicTime?

  /// - Parameter after: how long nothing comes before time moves.
  package init(after: Duration) { self.after = after }

  /// Something came, or nobody knows whether: what was waited so far does not count.
  package mutating func reset() { (waited, knownUntil) = (.zero, nil) }

  /// The log has answered.
  ///
  /// - Parameter isAtEnd: all inputs are at their ends, as it says, asked after the last fetch.
  package mutating func note(isAtEnd: Bool, asked: MonotonicTime, answered: MonotonicTime) {
    guard isAtEnd else { return reset() }
    if let knownUntil { waited += max(.zero, asked - knownUntil) }
    knownUntil = answered
  }

  /// The time that a clock at `streamTime` may go on to; `nil` while it may not.
  package func reach(from streamTime: Timestamp?) -> Timestamp? {
    guard let streamTime, waited >= after, waited > .zero else { return nil }
    return min(streamTime + waited, .latest)
  }

  /// The clock has gone on.
  package mutating func take() { waited = .zero }
}
