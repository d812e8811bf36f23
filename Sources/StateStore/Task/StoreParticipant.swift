/// A store as its task drives it. All calls come from the task's thread.
///
/// What an interval wrote stays in the store's cache until ``intervalCommitted()``, so a flush that
/// failed for want of space is repeated from it.
protocol StoreParticipant: AnyObject {
  /// Takes the unit's changes back, if ``Interval/isFirstChange(of:_:)`` was told of any.
  func rollbackUnit()
  /// Writes the interval's changes; without effect on what is cached.
  func flush(_ transaction: Transaction) throws
  /// Forgets what is cached: it is in the transaction, or the interval is dropped.
  func dropCache()
  /// The transaction with the flushed changes is committed.
  func intervalCommitted()
  /// The interval is dropped: state in memory goes back to the last commit.
  func intervalAborted()
  /// Gives back the memory that the next interval would have for its cache, between intervals.
  func releaseMemory()
  /// The task closes.
  func close()
  /// What the cache holds, and what a flush will take.
  var intervalBytes: IntervalBytes { get }
}

extension StoreParticipant {
  /// For who keeps nothing between intervals.
  func releaseMemory() {}
  func intervalCommitted() {}
  func intervalAborted() {}
  func close() {}
}
