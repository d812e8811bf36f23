import Glibc
package import StateStore

/// How many files the process may have open: each task takes a few.
package enum OpenFiles {
  /// Of one task: data, meta and lock file of its environment, and the lock on its directory.
  private static let perTask = 4
  /// Log, library, standard streams.
  private static let others = 64

  /// Raises the soft limit for the process to what the system allows it.
  ///
  /// - Throws: ``StateStore/StoreError`` with `.failed` where that is too little for so many tasks.
  static func provide(forTasks count: Int) throws(StoreError) {
    var limit = rlimit()
    guard unsafe getrlimit(resource, &limit) == 0 else { return }
    if limit.rlim_cur < limit.rlim_max {
      limit.rlim_cur = limit.rlim_max
      // What it is then is what counts.
      _ = unsafe setrlimit(resource, &limit)
      guard unsafe getrlimit(resource, &limit) == 0 else { return }
    }
    try check(forTasks: count, allowed: Int(clamping: limit.rlim_cur))
  }

  private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

  /// - Throws: ``StateStore/StoreError`` with `.failed`, saying what to set.
  package static func check(forTasks count: Int, allowed: Int) throws(StoreError) {
    let needed = count * perTask + others
    guard needed > allowed else { return }
    throw StoreError(
      .failed,
      "\(count) tasks need \(needed) open files, and this process may have \(allowed); raise the hard "
        + "limit (`ulimit -Hn \(needed)`, or LimitNOFILE=\(needed) of its systemd unit), or run fewer "
        + "partitions with --partition", store: "")
  }
}
