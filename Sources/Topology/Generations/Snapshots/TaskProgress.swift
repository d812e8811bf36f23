import StateStore
package import StreamCore

/// How a task's state came to be, as it says itself: where it began, how far it is, what it lacks.
package struct TaskProgress: Hashable, Sendable {
  /// Next offsets to process, by partition.
  package private(set) var positions: [TopicPartition: Offset] = [:]
  /// Where it began to read; 0 is the first record there ever was.
  package private(set) var starts: [TopicPartition: Offset] = [:]
  /// Up to where records are missing in the middle, because the log had removed them.
  package private(set) var gaps: [TopicPartition: Offset] = [:]
  /// Behind the last record taken, by partition, or where it began.
  package private(set) var taken: [TopicPartition: Offset] = [:]
  /// How many units it ran since it was begun.
  package private(set) var units: Int64 = 0
  /// The fates of all records, by counter: they change with the state where no position does.
  private var fates: [String: Int64] = [:]

  /// - Throws: ``StateStore/StoreError``.
  init(_ view: StateView) throws(StoreError) {
    for (name, input) in try view.positions() {
      guard let partition = TopicPosition(parsing: "\(name)@0")?.topicPartition else { continue }
      positions[partition] = input.position
      starts[partition] = input.start
      if input.gap > 0 { gaps[partition] = input.gap }
      taken[partition] = input.lastOffset < 0 ? input.start : input.lastOffset + 1
    }
    for (name, value) in try view.words() {
      if name == "units" {
        units = value
      } else if name.hasPrefix("count/"), name != "count/\(Counter.unverified)" {
        fates[name] = value
      }
    }
  }

  /// Of the last commit in a task's directory.
  ///
  /// - Throws: ``StateStore/StoreError``.
  static func read(_ directory: String) throws -> TaskProgress {
    try StateReader.open(directory).read { try TaskProgress($0) }
  }

  /// Whether it holds every record of a partition up to its position.
  func isWhole(_ partition: TopicPartition) -> Bool {
    starts[partition] ?? 0 == 0 && gaps[partition] == nil
  }
}
