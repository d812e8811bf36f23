/// A command for one task that its loop carries out between two slices of records, in steps: each a
/// bounded part, after which the interval may be committed and a stop be heard.
protocol TaskWork: AnyObject {
  /// Does a part of it, in the task's open interval.
  ///
  /// - Returns: how many records it processed, and whether there is more; after the last part the
  ///   interval is committed.
  /// - Throws: what closes the task.
  func step(_ task: StreamTask) throws -> (records: Int, hasMore: Bool)
  /// It is over: committed, or ended before by an error. Called once, on any thread.
  func end(_ failure: (any Error)?)
}
