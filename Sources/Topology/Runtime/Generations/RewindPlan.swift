package import StreamCore

/// Where a rewind goes back to.
package enum RewindTarget: Hashable, Sendable {
  case earliest
  case time(Timestamp)
  /// Partitions not named follow by the time of the first named record.
  case offsets([TopicPartition: Offset])
}

package struct RewindOptions: Hashable, Sendable {
  /// Begins at the target with empty state, instead of the state as of the target.
  package var fromEmpty = false
  /// Goes on although records before the target are gone.
  package var allowTruncated = false
  /// Removes the generation that served before, once the new one does.
  package var dropPrevious = false

  package init() {}
}

/// What a rewind will do, found without changing anything: the answer of `--dry-run`.
package struct RewindPlan: Sendable {
  package let target: RewindTarget
  package let options: RewindOptions
  /// Where the new generation begins to read, by partition.
  package let start: [TopicPartition: Offset]
  /// The state as of here is what was asked for; everything behind it follows.
  package let asOf: [TopicPartition: Offset]
  package let lines: [String]

  /// - Throws: ``TaskError`` with `.recordsGone` where records that are needed were removed, or
  ///   ``StreamCore/LogError``.
  package static func make(
    _ topology: Topology, to target: RewindTarget, options: RewindOptions, log: any RecordLog
  ) throws -> RewindPlan {
    var partitions: [TopicPartition] = []
    for topic in topology.sources.map(\.topic) {
      guard let description = try log.topic(topic) else {
        throw LogError(
          .topicMissing, "source topic '\(topic)' does not exist on \(log.url); a rebuild needs it")
      }
      partitions += (0..<description.partitions).map { TopicPartition(topic, $0) }
    }
    let asOf = try positions(target, partitions, log)
    var start: [TopicPartition: Offset] = [:]
    var lines: [String] = []
    for partition in partitions {
      let offsets = try log.offsets(of: partition)
      let wanted = options.fromEmpty ? asOf[partition] ?? 0 : 0
      let compacted =
        topology.sources.first { $0.topic == partition.topic }?.isCompacted ?? false
      if offsets.lowerBound > wanted, !options.allowTruncated, !compacted {
        throw TaskError(
          .recordsGone, partition, wanted,
          "records before offset \(offsets.lowerBound) of \(partition) are gone: a rebuild would "
            + "lack them; rewind with --allow-truncated to go on without them, or keep the state")
      }
      start[partition] = max(wanted, offsets.lowerBound)
      let note = compacted ? " (compacted: superseded records may be missing)" : ""
      lines.append(
        "\(partition): read from \(start[partition] ?? 0), log \(offsets.lowerBound) to "
          + "\(offsets.upperBound)\(note)")
    }
    return RewindPlan(target: target, options: options, start: start, asOf: asOf, lines: lines)
  }

  private static func positions(
    _ target: RewindTarget, _ partitions: [TopicPartition], _ log: any RecordLog
  ) throws -> [TopicPartition: Offset] {
    var positions: [TopicPartition: Offset] = [:]
    switch target {
    case .earliest:
      for partition in partitions {
        positions[partition] = try log.offsets(of: partition).lowerBound
      }
    case .time(let time):
      for partition in partitions { positions[partition] = try offset(at: time, partition, log) }
    case .offsets(let named):
      for (partition, offset) in named {
        guard partitions.contains(partition) else {
          throw LogError(
            .partitionMissing, "\(partition) is no partition of this topology's sources")
        }
        let offsets = try log.offsets(of: partition)
        guard offset >= 0, offset <= offsets.upperBound else {
          throw LogError(
            .offsetOutOfRange,
            "\(partition)@\(offset) lies outside the log, which holds "
              + "\(offsets.lowerBound) to \(offsets.upperBound)")
        }
      }
      let time = try named.compactMap { try recordTime($0.key, $0.value, log) }.min()
      for partition in partitions {
        if let offset = named[partition] {
          positions[partition] = offset
        } else if let time {
          positions[partition] = try offset(at: time, partition, log)
        } else {
          positions[partition] = try log.offsets(of: partition).upperBound
        }
      }
    }
    return positions
  }

  private static func offset(
    at time: Timestamp, _ partition: TopicPartition, _ log: any RecordLog
  ) throws -> Offset {
    if let offset = try log.offset(of: partition, at: time) { return offset }
    throw LogError(
      .unsupported, "\(log.url) cannot tell offsets by time; rewind to offsets of every partition")
  }

  private static func recordTime(
    _ partition: TopicPartition, _ offset: Offset, _ log: any RecordLog
  ) throws -> Timestamp? {
    let offsets = try log.offsets(of: partition)
    guard offsets.contains(offset) else { return nil }
    let reader = try log.makeReader(ReaderOptions(batchRecordsMax: 1))
    defer { reader.close() }
    try reader.assign([partition: offset])
    for _ in 0..<50 {
      for batch in try reader.poll(timeout: .milliseconds(100)) {
        if let first = batch.entries.first { return first.timestamp }
        if batch.endOffset.map({ batch.nextOffset >= $0 }) == true { return nil }
      }
    }
    return nil
  }
}
