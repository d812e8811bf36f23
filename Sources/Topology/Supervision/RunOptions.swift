import StateStore
package import StreamCore

/// What a run of one generation needs to know.
package struct RunOptions: Sendable {
  /// Partitions to run; `nil` for all.
  package var partitions: [Int]?
  /// Of these, the tasks to run; `nil` for all.
  package var tasks: Set<TaskName>?
  package var threads = 1
  package var budget = IntervalBudget()
  package var reader = ReaderOptions()
  /// Whether outputs are sent; a generation that fills keeps silent.
  package var publishes = true
  /// Whether outputs are forgotten as they are made: another generation sent them.
  package var dropsOutputs = false
  /// By task, units whose outputs are not forgotten all the same.
  var owed: [TaskName: OwedUnits] = [:]
  /// Positions at which to stop, by partition; partitions not named do not stop.
  package var limitsByPartition: [TopicPartition: Offset] = [:]
  /// Where tasks that are named end instead; a partition of one that is not named gives it nothing.
  package var limitsByTask: [TaskName: [TopicPartition: Offset]] = [:]
  /// Whether time ends in each task that has come to its limits.
  package var endsTime = false
  /// Where fresh tasks begin; a partition not named begins at the log's start.
  package var start: [TopicPartition: Offset] = [:]
  /// Journals to follow instead of deciding; a task not named decides.
  package var replay: [TaskName: FollowedJournal] = [:]
  /// Goes on although records that the state needs are gone; the state remembers that it lacks them.
  package var allowTruncated = false
  /// Stores that tasks do without, though the topology has them.
  package var waiting: [TaskName: Set<String>] = [:]
  package var storeOptions = Environment.Options()
  /// When the owner takes snapshots; `nil` for never.
  package var snapshots: SnapshotPolicy?
  /// Rebuilds a state of another lineage at the start, instead of refusing it.
  package var rebuildsIfChanged = false
  /// How long a run that is to end may take for it; what it has not committed by then is dropped.
  package var stopTimeout = Duration.seconds(3)
  /// What becomes of the outputs of a state that did not write the checkpoints beside it.
  package var outputs: OutputChoice?
  /// At what a task's outbox is full.
  package var outbox = OutboxBound()
  /// Where an owner keeps units that trapped; `nil` for one who only reads, and writes nothing down.
  package var traps: TrapLedger?
  /// Tasks that go in silence to where their checkpoints end; no others are opened then.
  var ways: [TaskName: CatchUp]?

  package init() {}

  /// Bytes of batches read ahead for one of so many inputs: an equal part of an eighth of the memory.
  package func bufferBytes(inputs count: Int) -> Int {
    min(2 << 20, max(8 << 10, budget.memory / 8 / max(1, count)))
  }

  /// How the log is read for so many inputs, each of which may get a batch at once.
  package func reader(inputs count: Int) -> ReaderOptions {
    var options = reader
    options.batchBytesMax = min(options.batchBytesMax, max(8 << 10, bufferBytes(inputs: count) / 2))
    options.pollBytesMax = min(options.pollBytesMax, budget.memory / 16)
    options.fetchedBytesMax = min(options.fetchedBytesMax, budget.memory / 8)
    return options
  }
}
