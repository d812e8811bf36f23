/// How much one commit interval may hold.
package struct IntervalBudget: Hashable, Sendable {
  /// Records of one task: below 20,000 is slow, and far above 50,000 gains little.
  package var records = 100_000
  /// Bytes of anonymous memory that the process aims at, seen ids and buffers included; above them,
  /// what the allocator has free goes back to the system after a commit.
  package var memory = 240 << 20
  /// Threads, and topologies of the process, whose open intervals share the memory.
  package var shares = 1
  /// An interval is closed at this age even while more records wait: how old a view may be behind
  /// a log that never runs dry.
  package var age = Duration.seconds(5)

  package init() {}

  /// Bytes that the open intervals of one thread's tasks may be about to write: the lesser part of
  /// the memory, for what a commit takes comes on top of what the others left.
  package var dirtyBytes: Int { max(8 << 20, memory / 5 * 2 / shares) }

  /// Allocated bytes above which a task gives back what its commit left with LMDB, for the next
  /// interval to use.
  package var allocatedAfterCommit: Int { memory / 2 }
}
