import StateStore
package import StreamCore

/// How a task's state came to be, as its words say: where it began, how far it is, what it lacks.
package struct TaskProgress: Hashable, Sendable {
  /// Next offsets to process, by partition.
  package private(set) var positions: [TopicPartition: Offset] = [:]
  /// Where it began to read; 0 is the first record there ever was.
  package private(set) var starts: [TopicPartition: Offset] = [:]
  /// Up to where records are missing in the middle, because the log had removed them.
  package private(set) var gaps: [TopicPartition: Offset] = [:]
  /// How many units it ran since it was begun.
  package private(set) var units: Int64 = 0
  /// The fates of all records, by counter: they change with the state where no position does.
  private var fates: [String: Int64] = [:]

  init(words: [String: Int64]) {
    for (name, value) in words {
      if let partition = Self.partition(name, "position/") {
        positions[partition] = value
      } else if let partition = Self.partition(name, "start/") {
        starts[partition] = value
      } else if let partition = Self.partition(name, "gap/"), value > 0 {
        gaps[partition] = value
      } else if name == "units" {
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
    try StateReader.open(directory).read { TaskProgress(words: try $0.words()) }
  }

  /// Whether it holds every record of a partition up to its position.
  func isWhole(_ partition: TopicPartition) -> Bool {
    starts[partition] ?? 0 == 0 && gaps[partition] == nil
  }

  /// `order-events-3` behind a prefix.
  private static func partition(_ word: String, _ prefix: String) -> TopicPartition? {
    guard word.hasPrefix(prefix) else { return nil }
    return TopicPosition(parsing: "\(word.dropFirst(prefix.count))@0")?.topicPartition
  }
}
