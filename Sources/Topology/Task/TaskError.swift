import StateStore
public import StreamCore

/// Why a task stopped. Its state is that of its last commit.
public struct TaskError: Error, Sendable, CustomStringConvertible {
  public struct Code: Hashable, Sendable {
    private let name: String
    private init(_ name: String) { self.name = name }
    /// A record failed whose policy is `fail`; the position stays before it.
    public static let recordFailed = Code("recordFailed")
    /// Records between the position and the log's first one are gone.
    public static let recordsGone = Code("recordsGone")
    /// The log does not hold the record that the state was built from.
    public static let diverged = Code("diverged")
    /// Topics of one sub-topology differ in their number of partitions.
    public static let notCopartitioned = Code("notCopartitioned")
    /// The log refuses an entry of the outbox for good.
    public static let outputRefused = Code("outputRefused")
    /// The process was stopped before it was done; nothing changed.
    public static let stopped = Code("stopped")
    /// An error closed the task, which starts again from disk.
    public static let closed = Code("closed")
    /// A kept record is of a topic or an operator that the topology does not have any more.
    public static let sourceRemoved = Code("sourceRemoved")
    /// The fates do not add up: a defect of the engine.
    public static let inconsistent = Code("inconsistent")
  }

  public let code: Code
  public let topicPartition: TopicPartition?
  public let offset: Offset?
  /// What happened and what to do.
  public let message: String

  init(_ code: Code, _ topicPartition: TopicPartition?, _ offset: Offset?, _ message: String) {
    self.code = code
    self.topicPartition = topicPartition
    self.offset = offset
    self.message = message
  }

  public var description: String {
    guard let topicPartition else { return message }
    return "\(message) (\(topicPartition)\(offset.map { "@\($0)" } ?? ""))"
  }
}
