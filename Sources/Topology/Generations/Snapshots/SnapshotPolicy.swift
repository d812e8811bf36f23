/// When a running topology takes snapshots of its state, and how many stay.
package struct SnapshotPolicy: Hashable, Sendable {
  /// From one to the next, by the wall clock: nothing in the state depends on it.
  package var interval: Duration
  /// The newest so many stay.
  package var kept: Int

  package init(interval: Duration = .seconds(3_600), kept: Int = 2) {
    precondition(kept > 0, "a policy that keeps no snapshot takes none")
    self.interval = interval
    self.kept = kept
  }
}
