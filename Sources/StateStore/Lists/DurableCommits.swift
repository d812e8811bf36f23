import Synchronization

/// How far the commits of an environment are durable, data and meta page.
///
/// Several threads may ask: who publishes, and who tells a consumer group. One sync serves all that
/// was committed before it.
package final class DurableCommits: Sendable {
  private let environment: Environment
  /// The newest commit that is known to be durable.
  private let synced = Mutex(-1)

  init(_ environment: Environment) { self.environment = environment }

  /// Forces all commits so far to disk, unless they are there.
  ///
  /// - Throws: ``StoreError``: the task must be closed, and nothing of it may leave.
  package func sync() throws(StoreError) {
    let newest = environment.lastTransaction
    if synced.withLock({ $0 >= newest }) { return }
    try environment.sync()
    synced.withLock { $0 = max($0, newest) }
  }
}
