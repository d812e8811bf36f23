/// A position in one partition: 0 for its first record ever, rising by at least one a record.
///
/// As a position it names the next record to read, not the last one read (Kafka's convention).
public typealias Offset = Int64

/// One partition of one topic.
public struct TopicPartition: Hashable, Sendable, Comparable, CustomStringConvertible {
  public let topic: String
  /// Counted from 0.
  public let partition: Int

  @inlinable
  public init(_ topic: String, _ partition: Int) {
    self.topic = topic
    self.partition = partition
  }

  /// `order-events-3`, as Kafka prints it.
  public var description: String { "\(topic)-\(partition)" }

  public static func < (left: TopicPartition, right: TopicPartition) -> Bool {
    (left.topic, left.partition) < (right.topic, right.partition)
  }
}
