import StateStore
package import StreamCore

/// How far a task's state is: what two states of one history are compared by.
package struct Standing: Hashable, Sendable {
  /// Units since the state was begun.
  package var units: Int64 = 0
  /// The offset behind the last record taken of each input, or where it was begun.
  package var positions: [TopicPartition: Offset] = [:]
  /// The last number given out to each destination.
  package var numbers: [String: Int64] = [:]

  package init(
    units: Int64 = 0, positions: [TopicPartition: Offset] = [:], numbers: [String: Int64] = [:]
  ) {
    self.units = units
    self.positions = positions
    self.numbers = numbers
  }

  /// Whether it lies beyond another in anything.
  func isBeyond(_ other: Standing) -> Bool {
    units > other.units
      || positions.contains { input, offset in other.positions[input].map { offset > $0 } ?? false }
      || numbers.contains { destination, number in number > other.numbers[destination] ?? 0 }
  }
}

/// An interval that a task committed, as its outputs are told of: where it ended.
package struct OutputInterval: Hashable, Sendable {
  package var end: Standing
  /// Something was due when it ended: what the next interval sends may be of records before it.
  package var isDue: Bool
  /// The number of the last entry of the task's journal.
  package var journalLast: Int64

  package init(end: Standing = Standing(), isDue: Bool = false, journalLast: Int64 = 0) {
    self.end = end
    self.isDue = isDue
    self.journalLast = journalLast
  }
}
