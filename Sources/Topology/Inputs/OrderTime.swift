package import StreamCore

/// The time by which a unit is ordered among those of a task's other inputs.
///
/// What has none (a record that cannot be decoded, one that is ahead of the log's clock, a row of a
/// global table) lies below every timestamp: it goes next and moves no clock.
package struct OrderTime: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let timestamp: Timestamp?

  package init(_ timestamp: Timestamp?) { self.timestamp = timestamp }

  /// Below every timestamp.
  package static let none = OrderTime(nil)

  @inline(__always)
  package static func < (left: OrderTime, right: OrderTime) -> Bool {
    guard let time = right.timestamp else { return false }
    guard let other = left.timestamp else { return true }
    return other < time
  }

  package var description: String { timestamp.map(\.description) ?? "no time" }
}
