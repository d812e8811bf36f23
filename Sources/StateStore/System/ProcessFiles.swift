import Glibc

/// How many files this process may have open.
package enum ProcessFiles {
  /// The files of one open environment: data, the same once more for meta pages, and lock.
  package static let perEnvironment = 3

  /// Raises the soft limit of open files to `count`, and the hard one where this process may.
  ///
  /// - Throws: ``StoreError`` with `filesFull`: the hard limit is lower.
  package static func raiseLimit(to count: Int) throws(StoreError) {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard unsafe getrlimit(resource, &limit) == 0 else {
      throw StoreError(lmdb: errno, "asking for the limit on open files", store: "process")
    }
    let wanted = rlim_t(max(0, count))
    if limit.rlim_cur >= wanted { return }
    let hard = limit.rlim_max
    limit.rlim_cur = wanted
    limit.rlim_max = max(hard, wanted)
    guard unsafe setrlimit(resource, &limit) == 0 else {
      throw StoreError(
        .filesFull,
        "\(count) open files are needed and the hard limit is \(hard); raise it (ulimit -Hn "
          + "\(count), LimitNOFILE=\(count) of systemd, --ulimit nofile=\(count) of Docker), or "
          + "name fewer partitions", store: "process")
    }
  }
}
