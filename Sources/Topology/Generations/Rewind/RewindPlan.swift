import StateStore
package import StreamCore

/// What a rewind will do, found without changing anything: the answer of `--dry-run`.
package struct RewindPlan: Sendable {
  package let target: RewindTarget
  package let options: RewindOptions
  /// Where a task of the new generation begins to read that has no snapshot to begin from.
  package let start: [TopicPartition: Offset]
  /// The state as of here is what was asked for; everything behind it follows.
  package let asOf: [TopicPartition: Offset]
  /// The copies that tasks begin from; one not named begins from the log.
  package let bases: [TaskName: SnapshotBase]
  package let lines: [String]
  /// The tasks of the new generation.
  let tasks: [TaskOpener.Planned]
  /// What a task may begin from, for one whose base turns out to be damaged.
  let choices: [TaskName: RewindChoice]

  /// - Throws: ``TaskError`` with `.recordsGone` where records that are needed were removed and no
  ///   snapshot holds what they did, ``StateStore/StoreError`` or ``StreamCore/LogError``.
  package static func make(
    _ topology: Topology, to target: RewindTarget, options: RewindOptions, log: any RecordLog,
    directory: StateDirectory
  ) throws -> RewindPlan {
    let tasks = try tasks(of: topology, log, directory)
    let partitions = tasks.flatMap(\.inputs)
    let held = try log.offsets(of: partitions.uniqued())
    let asOf = try positions(target, partitions, held, log)
    var start: [TopicPartition: Offset] = [:]
    var bases: [TaskName: SnapshotBase] = [:]
    var choices: [TaskName: RewindChoice] = [:]
    var lines: [String] = []
    for task in tasks {
      let inputs = task.inputs.map { partition in
        RewindInput(
          partition: partition, log: held[partition] ?? 0..<0, asOf: asOf[partition] ?? 0,
          isCompacted: topology.isCompacted(partition.topic))
      }
      if options.fromEmpty {
        for input in inputs {
          try input.check(from: input.asOf, allowTruncated: options.allowTruncated)
          start[input.partition] = max(input.asOf, input.log.lowerBound)
        }
      } else {
        let (usable, refused) = try SnapshotBase.all(
          of: topology.identity(
            task.sub, partition: task.name.partition, of: task.partitionCount, generation: 0),
          task.name, in: directory)
        lines += refused.map { "task \(task.name): \($0)" }
        var choice = RewindChoice(inputs: inputs, bases: usable)
        var base = try choice.base(for: target, allowTruncated: options.allowTruncated)
        while let chosen = base, let damage = try chosen.damage() {
          lines.append("task \(task.name): \(damage)")
          choice.pass(over: chosen)
          base = try choice.base(for: target, allowTruncated: options.allowTruncated)
        }
        choices[task.name] = choice
        bases[task.name] = base
        for input in inputs { start[input.partition] = input.log.lowerBound }
      }
      lines += inputs.map { $0.line(start[$0.partition] ?? 0, bases[task.name]) }
    }
    return RewindPlan(
      target: target, options: options, start: start, asOf: asOf, bases: bases, lines: lines,
      tasks: tasks, choices: choices)
  }

  /// The tasks here: of the partitions that the serving generation has, or of all. One that has all
  /// there were gets those that came since.
  private static func tasks(
    of topology: Topology, _ log: any RecordLog, _ directory: StateDirectory
  ) throws -> [TaskOpener.Planned] {
    let planned = try TaskOpener.plan(topology, on: log, partitions: nil)
    guard let current = try directory.current(), let here = try directory.partitions(),
      try !directory.hasAllPartitions(current)
    else { return planned }
    return planned.filter { here.contains($0.name.partition) }
  }

  private static func positions(
    _ target: RewindTarget, _ partitions: [TopicPartition],
    _ held: [TopicPartition: Range<Offset>], _ log: any RecordLog
  ) throws -> [TopicPartition: Offset] {
    var positions: [TopicPartition: Offset] = [:]
    switch target {
    case .earliest: positions = held.mapValues(\.lowerBound)
    case .time(let time):
      for partition in partitions { positions[partition] = try offset(at: time, partition, log) }
    case .offsets(let named):
      for (partition, offset) in named {
        guard let offsets = held[partition] else {
          throw LogError(
            .partitionMissing, "\(partition) is no partition of this topology's sources")
        }
        guard offset >= 0, offset <= offsets.upperBound else {
          throw LogError(
            .offsetOutOfRange,
            "\(partition)@\(offset) lies outside the log, which holds "
              + "\(offsets.lowerBound) to \(offsets.upperBound)")
        }
      }
      let time = try named.compactMap { try recordTime($0.key, $0.value, held, log) }.min()
      for partition in partitions {
        if let offset = named[partition] {
          positions[partition] = offset
        } else if let time {
          positions[partition] = try offset(at: time, partition, log)
        } else {
          positions[partition] = held[partition]?.upperBound
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
    _ partition: TopicPartition, _ offset: Offset, _ held: [TopicPartition: Range<Offset>],
    _ log: any RecordLog
  ) throws -> Timestamp? {
    guard held[partition]?.contains(offset) == true else { return nil }
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
