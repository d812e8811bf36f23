/// How much one commit interval may hold.
package struct IntervalBudget: Hashable, Sendable {
  /// Records of one task: below 20,000 is slow, and far above 50,000 gains little.
  package var records = 100_000
  /// Bytes of anonymous memory that the process aims at, seen ids and buffers included; above them,
  /// what the allocator has free goes back to the system after a commit.
  package var memory = 240 << 20
  /// Topologies of the process whose open intervals share the memory.
  package var shares = 1
  /// An interval is closed at this age even while more records wait: how old a view may be behind
  /// a log that never runs dry.
  package var age = Duration.seconds(5)

  package init() {}

  /// Bytes that the open intervals may take, with what their commits will: the lesser part of the
  /// memory, for it comes on top of what commits left.
  package var dirtyBytes: Int { max(8 << 20, memory / 5 * 2 / shares) }

  /// The same where several loops take turns: what a commit left is given back before the next of
  /// them needs it, so that there may be more.
  package var dirtyBytesInTurns: Int { max(8 << 20, memory / 2 / shares) }

  /// Allocated bytes above which a task gives back what its commit left with LMDB, for the next
  /// interval to use. So little that the memory suffices for the next one on top of what other tasks
  /// kept: to open an environment again costs far less than to fault in anew all that a process
  /// beyond its memory gives back to the system.
  package var allocatedAfterCommit: Int { memory / 4 }
}
