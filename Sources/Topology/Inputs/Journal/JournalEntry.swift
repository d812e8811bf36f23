package import StreamCore

/// One input of a task besides its records, at its place: the number of the unit that it belongs
/// to, counted since the state was begun.
package struct JournalEntry: Hashable, Sendable {
  package enum Content: Hashable, Sendable {
    // What a unit is, where records and clock alone do not say it.

    /// The next unit of an input, at this position, which the merge rule puts before units that
    /// went since `since`.
    case departure(input: InputID, position: Int64, since: Int64)
    /// Stream time went on while all inputs were at their ends.
    case idleAdvance(to: Timestamp)
    /// Stream time was brought to that of the state a rebuild follows.
    case clockAtCut(Timestamp)
    /// No more is to come: windows close, timers fire.
    case endOfTime
    /// Punctuation by the wall clock, at this time.
    case wallClockFiring(operatorName: String, time: Timestamp)
    /// What an operator of the process asked for, and the number under which the unit was kept.
    case decision(Decision, entry: Int64 = 0)

    // How a unit ended, where running it again may end otherwise.

    /// It failed for good; a replay lets it die again without running it.
    case died(UnitName, Death)
    /// Its handler ends the process; it is not run.
    case trapped(UnitName)
    /// It was tried so often, and then succeeded or not.
    case retried(UnitName, attempts: Int, succeeded: Bool)

    // How a task's inputs stand, for a replay's look ahead.

    /// Nothing of an input is taken since a unit; its next one is a departure.
    case absent(input: InputID, since: Int64)
  }

  package let unit: Int64
  package let content: Content

  package init(_ unit: Int64, _ content: Content) {
    self.unit = unit
    self.content = content
  }
}

/// An input by a hash of its name: it stays the same where a topology gains another input.
package struct InputID: Hashable, Sendable {
  package let hash: UInt64

  package init(hash: UInt64) { self.hash = hash }
}

/// How a unit died: what its dead letter says.
package struct Death: Hashable, Sendable {
  /// A word of the dead letters' reasons.
  package let reason: String
  package let message: String
  package let operatorName: String
  package let attempts: Int
  /// Later records of its key wait behind it.
  package let parks: Bool
  /// An operator of the process had skipped it in a generation before: it has no dead letter, and
  /// its id is known from then on.
  package let wasSkipped: Bool

  package init(
    reason: String, message: String, operatorName: String = "", attempts: Int, parks: Bool,
    wasSkipped: Bool = false
  ) {
    self.reason = reason
    self.message = message
    self.operatorName = operatorName
    self.attempts = attempts
    self.parks = parks
    self.wasSkipped = wasSkipped
  }
}

extension JournalEntry.Content {
  /// It says what its unit is, so a task begins the unit by it.
  package var beginsUnit: Bool {
    switch self {
    case .departure, .idleAdvance, .clockAtCut, .endOfTime, .wallClockFiring, .decision: true
    case .died, .trapped, .retried, .absent: false
    }
  }
}
