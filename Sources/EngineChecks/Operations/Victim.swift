package import StreamCore

/// A process that is to die: what it does, and before which of its disk operations it is killed.
package struct Victim {
  /// The seed of the site's shape.
  package var seed: UInt64
  package var state: String
  package var partitions: [Int]
  package var variant: SiteVariant
  package var plan: RunPlan
  package var phase: World.Phase
  /// `nil` runs to the log's end.
  package var rewind: (target: RewindAction.Target, options: RewindAction)?
  package var operation: Int

  /// As the words of a command line.
  package var arguments: [String] {
    var words = [
      "\(seed)", state, partitions.map { "\($0)" }.joined(separator: ","),
      variant.sinks.sorted().joined(separator: ","), "\(variant.hasExtraView)",
      "\(plan.threads)", "\(plan.interval)", "\(plan.batch)", "\(plan.takesSnapshots)",
      "\(phase.rawValue)",
    ]
    guard let rewind else { return words }
    words += ["\(rewind.options.fromEmpty)", "\(rewind.options.dropsPrevious)"]
    if case .offsets(let offsets) = rewind.target {
      words += offsets.map { "\($0.topic) \($0.partition) \($1)" }.sorted()
    }
    return words
  }

  package init(
    seed: UInt64, state: String, partitions: [Int], variant: SiteVariant, plan: RunPlan,
    phase: World.Phase, rewind: (target: RewindAction.Target, options: RewindAction)?,
    operation: Int
  ) {
    self.seed = seed
    self.state = state
    self.partitions = partitions
    self.variant = variant
    self.plan = plan
    self.phase = phase
    self.rewind = rewind
    self.operation = operation
  }

  /// - Returns: `nil` for words that are not ``arguments``.
  package init?(_ words: [String]) {
    guard words.count >= 10, let seed = UInt64(words[0]),
      let threads = Int(words[5]), let interval = Int(words[6]), let batch = Int(words[7]),
      let phase = Int(words[9]).flatMap({ World.Phase(rawValue: $0) })
    else { return nil }
    (self.seed, self.phase, state, operation) = (seed, phase, words[1], 0)
    partitions = words[2].split(separator: ",").compactMap { Int($0) }
    variant = SiteVariant()
    variant.sinks = Set(words[3].split(separator: ",").map(String.init))
    variant.hasExtraView = words[4] == "true"
    plan = RunPlan()
    (plan.threads, plan.interval, plan.batch) = (threads, interval, batch)
    plan.takesSnapshots = words[8] == "true"
    guard words.count >= 12 else { return }
    var options = RewindAction()
    (options.fromEmpty, options.dropsPrevious) = (words[10] == "true", words[11] == "true")
    var offsets: [TopicPartition: Offset] = [:]
    for word in words[12...] {
      let parts = word.split(separator: " ")
      guard parts.count == 3, let partition = Int(parts[1]), let offset = Offset(parts[2]) else {
        return nil
      }
      offsets[TopicPartition(String(parts[0]), partition)] = offset
    }
    rewind = (offsets.isEmpty ? .earliest : .offsets(offsets), options)
  }

  /// What the process does until it dies.
  package func perform(on log: any RecordLog) throws {
    let world = World()
    world.phase = phase
    let engine = SiteEngine(
      SiteShape(seed: seed), world, log, root: state, partitions: partitions)
    if let rewind {
      try engine.rewind(rewind.target, rewind.options, plan, variant)
    } else {
      try engine.run(plan, variant)
    }
  }
}
