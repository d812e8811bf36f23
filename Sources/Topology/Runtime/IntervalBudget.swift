/// How much one commit interval may hold.
package struct IntervalBudget: Hashable, Sendable {
  /// Records of one task. About 50,000 was measured best when behind, and below 20,000 is slow.
  package var records = 50_000
  /// Bytes of anonymous memory that the process aims at, seen ids and buffers included.
  package var memory = 256 << 20
  /// Threads, and topologies of the process, whose open intervals share the memory.
  package var shares = 1
  /// An interval is closed at this age even while more records wait: how old a view may be behind
  /// a log that never runs dry.
  package var age = Duration.seconds(5)

  package init() {}

  /// Bytes that the open intervals of one thread's tasks may be about to write: half of the memory,
  /// for what a commit takes comes on top of what the others left.
  package var dirtyBytes: Int { max(8 << 20, memory / 2 / shares) }

  /// Bytes above which a task gives back what its commit left with LMDB and the allocator.
  package var memoryAfterCommit: Int { memory / 3 * 2 }
}
