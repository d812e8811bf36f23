package import StreamCore

/// Where ordered units of a task come from: a partition of a log, a sender's edge, a partition of a
/// global table.
///
/// A task merges any number of them by ``UnitOrder``, which asks for the standing of an input again
/// whenever it was told that it changed. An input belongs to its task's thread.
package protocol InputPort: AnyObject {
  /// Names the input in journals and messages, as `order-events-3`: unique in its task, and the same
  /// in each process and generation.
  var name: String { get }
  /// What it has for the merge rule at this moment.
  var standing: InputStanding { get }
  /// Where its next unit stands, an offset or an entry's number; asked only while it has a head.
  var headPosition: Int64 { get }
  /// The unit in which its last one was taken, as of the last commit or later; `nil` before the
  /// first. Durable with the position, and set by ``UnitOrder``.
  var lastUnit: Int64? { get set }
}

/// What an input has for the merge rule.
package enum InputStanding: Hashable, Sendable {
  /// A unit lies ready, ordered by this time.
  case head(OrderTime)
  /// Nothing lies ready, and all that is still to come is ordered at the promised time or later.
  /// Without a promise nothing is known of what comes: the input is waited for.
  case open(promise: OrderTime?)
  /// Nothing lies ready, and all that was known to be there was taken.
  ///
  /// - Parameters:
  ///   - reached: the highest time that any input of its sender has reached; none of a log's, whose
  ///     records moved the task's own clock.
  ///   - waitedForUntil: until then it is waited for nevertheless.
  case ended(reached: OrderTime, waitedForUntil: MonotonicTime?)
}
