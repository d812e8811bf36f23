/// What the process tells its caller.
enum ExitStatus: Int32 {
  case done = 0
  /// Failed at run time.
  case failed = 1
  /// Invalid input or topology.
  case invalid = 2
  /// `verify` found a difference.
  case different = 3
  case notFound = 4
  /// Foreign, newer or corrupt state, another lineage, a partition that is not here.
  case stateRefused = 5
  /// Log unreachable, topic missing, records gone, log and state diverged.
  case logRefused = 6
  /// Another process holds the lock.
  case locked = 7
  case usage = 64
}
