import StreamCore

/// One input of a task that is to be rebuilt.
struct RewindInput: Sendable {
  let partition: TopicPartition
  /// What the log has.
  let log: Range<Offset>
  /// The target.
  let asOf: Offset
  let isCompacted: Bool

  /// Whether the log still has every record from an offset on.
  func isHeld(from offset: Offset) -> Bool { isCompacted || log.lowerBound <= offset }

  /// - Throws: ``TaskError`` with `.recordsGone` where it lacks some, unless that is allowed.
  func check(from offset: Offset, allowTruncated: Bool, _ snapshots: String = "") throws {
    guard !isHeld(from: offset), !allowTruncated else { return }
    throw TaskError(
      .recordsGone, partition, offset,
      "records before offset \(log.lowerBound) of \(partition) are gone\(snapshots): a rebuild would "
        + "lack them; rewind with --allow-truncated to go on without them, or keep the state")
  }

  /// What a plan says of it.
  func line(_ start: Offset, _ base: SnapshotBase?) -> String {
    let log = "log \(log.lowerBound) to \(log.upperBound)"
    let compacted = isCompacted ? " (compacted: superseded records may be missing)" : ""
    guard let base else { return "\(partition): read from \(start), \(log)\(compacted)" }
    let position = base.progress.positions[partition] ?? 0
    let gap =
      isHeld(from: position) ? "" : " (records \(position) to \(self.log.lowerBound - 1) are gone)"
    return
      "\(partition): read from \(position) on snapshot \(StateDirectory.name(base.snapshot)), "
      + "\(log)\(compacted)\(gap)"
  }
}

/// What the rebuild of one task begins from: the newest snapshot at or before the target, else the
/// log's start.
///
/// Whatever it is, the state must come out as a rebuild from the first record there ever was would
/// make it. So a snapshot serves that holds every record up to its positions and behind which the
/// log still has all; the log's start serves where nothing was removed. Where that cannot be had,
/// only `--allow-truncated` goes on.
struct RewindChoice: Sendable {
  let inputs: [RewindInput]
  /// Usable copies of the task, oldest first.
  private(set) var bases: [SnapshotBase]

  init(inputs: [RewindInput], bases: [SnapshotBase]) {
    self.inputs = inputs
    self.bases = bases
  }

  /// A copy that cannot be used after all.
  mutating func pass(over base: SnapshotBase) { bases.removeAll { $0 == base } }

  /// - Returns: `nil` for the log's start.
  /// - Throws: ``TaskError`` with `.recordsGone`.
  func base(for target: RewindTarget, allowTruncated: Bool) throws -> SnapshotBase? {
    let candidates = bases.filter { isWhole($0) && isCovered($0) }
    if let base = candidates.last(where: isBeforeTarget) { return base }
    if inputs.allSatisfy({ $0.isHeld(from: 0) }) { return nil }
    // Nothing earlier can be had: as far back as there is a whole state is what `earliest` means.
    if target == .earliest, let base = candidates.first { return base }
    if allowTruncated {
      let begins = bases.filter { isBeforeTarget($0) && beginsBeforeLog($0) }
      return begins.last(where: isWhole) ?? begins.last
    }
    let more =
      candidates.first.map {
        ", and the first snapshot that covers them is \(StateDirectory.name($0.snapshot)), behind the "
          + "target (`--to earliest` begins from it)"
      } ?? " and no snapshot covers them"
    for input in inputs { try input.check(from: 0, allowTruncated: false, more) }
    return nil
  }

  private func position(_ base: SnapshotBase, _ input: RewindInput) -> Offset {
    base.progress.positions[input.partition] ?? 0
  }

  private func isBeforeTarget(_ base: SnapshotBase) -> Bool {
    inputs.allSatisfy { position(base, $0) <= $0.asOf }
  }

  /// It lacks no record up to its positions.
  private func isWhole(_ base: SnapshotBase) -> Bool {
    inputs.allSatisfy { $0.isCompacted || base.progress.isWhole($0.partition) }
  }

  /// The log has all records behind it.
  private func isCovered(_ base: SnapshotBase) -> Bool {
    inputs.allSatisfy { $0.isHeld(from: position(base, $0)) }
  }

  /// It holds no less than the log's records from their start.
  private func beginsBeforeLog(_ base: SnapshotBase) -> Bool {
    inputs.allSatisfy { base.progress.starts[$0.partition] ?? 0 <= $0.log.lowerBound }
  }
}
