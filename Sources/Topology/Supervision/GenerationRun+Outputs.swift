import StateStore
import StreamCore

extension GenerationRun {
  func makePublishers(_ stop: StopSignal? = nil) throws -> [OutboxPublisher?] {
    guard !topology.outputTopics.isEmpty else { return tasks.map { _ in nil } }
    let counts = Dictionary(
      tasks.map { ($0.subTopology.name, $0.state.identity.partitionCount) }, uniquingKeysWith: max)
    for topic in topology.outputTopics { try ensure(topic, partitions: counts.values.max() ?? 1) }
    if log.transactions != nil {
      for (name, count) in counts.sorted(by: { $0.key < $1.key }) {
        try ensure(OutboxPublisher.journalTopic(of: topology.name, name), partitions: count)
      }
    }
    return try tasks.map { task in
      guard !task.subTopology.sinks.isEmpty || topology.deadLetterTopic != nil else { return nil }
      try (stop ?? stopSignal).check("its start")
      return try OutboxPublisher(
        task.state, of: task.name, topology: topology.name,
        destinations: (task.subTopology.sinks
          + (topology.deadLetterTopic.map { [$0] } ?? [])).uniqued(),
        log: log)
    }
  }

  /// Output topics are created explicitly, never by a broker's auto-create.
  private func ensure(_ topic: String, partitions: Int) throws {
    guard try log.topic(topic) == nil else { return }
    guard let administration = log.administration else {
      throw LogError(
        .topicMissing,
        "output topic '\(topic)' does not exist; create it with \(partitions) "
          + "partitions")
    }
    do {
      try administration.createTopic(topic, partitions: partitions, retention: TopicRetention())
    } catch {
      // Another process of this topology was faster.
      guard error.code == .topicExists else { throw error }
    }
  }

  /// Sends what the outboxes hold, to their ends; the tasks run on no thread.
  ///
  /// - Parameter stop: ends it; its own stop has ended the run before.
  func publishToEnd(_ stop: StopSignal) throws {
    for (task, publisher) in zip(tasks, try makePublishers(stop)) {
      guard let publisher else { continue }
      defer { publisher.close() }
      try stop.check("the sending of what was not sent yet")
      try task.state.makeDurable()
      try publisher.publish()
    }
  }

  /// Forgets outputs up to the cut: the generation before sent them.
  func dropOutputs() throws {
    for task in tasks {
      try task.dropOutputs()
      try task.commit()
      try task.state.makeDurable()
    }
  }

  /// Says in the sinks' journal that this generation goes on from its present numbers.
  func recordGeneration() throws {
    for publisher in try makePublishers() {
      try publisher?.recordPosition()
      publisher?.close()
    }
  }
}

extension StreamTask {
  /// Forgets what the outbox holds of the interval and before: another generation sent it.
  func dropOutputs() throws {
    for topic in topology.outputTopics {
      let destination = state.outbox.destination(topic)
      let last = state.outbox.lastNumber(destination)
      guard state.outbox.firstPending(destination) <= last else { continue }
      try openInterval()
      try state.outbox.trim(destination, upTo: last)
      state.commitUnit()
      markDirty()
    }
  }
}
