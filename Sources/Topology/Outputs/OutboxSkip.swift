package import StateStore
package import StreamCore

extension StreamTask {
  /// Leaves an entry of the outbox out when it comes to be sent, as a unit of its own; the interval
  /// goes on.
  ///
  /// - Returns: whether it waits in the outbox.
  /// - Throws: ``StateStore/StoreError``; ``TaskError``.
  package func skipOutboxEntry(_ number: Int64, to destination: String) throws -> Bool {
    guard let slot = state.outbox.destinations.firstIndex(of: destination),
      number > state.outbox.trimmed(slot), number <= state.outbox.lastNumber(slot) ?? 0
    else { return false }
    try begin(
      .decided(
        .decision(
          Decision(.outboxSkip, Self.unitName(number, to: destination)), entry: number)))
    state.outbox.skip(slot, number)
    try endUnit()
    return true
  }

  /// Carries out what the journal says of an entry, where it waits here; else it was sent, or is not
  /// kept.
  func followOutboxSkip(_ decision: Decision, entry number: Int64) throws {
    for destination in state.outbox.destinations
    where Self.unitName(number, to: destination) == decision.unit {
      if try skipOutboxEntry(number, to: destination) { return }
    }
    try begin(.decided(.decision(decision, entry: number)))
    try endUnit()
  }

  private static func unitName(_ number: Int64, to destination: String) -> UnitName {
    .derived(Hash128(Array("\(destination)/\(number)".utf8).span.bytes))
  }
}

extension GenerationRun {
  /// Drops entries that the log refuses from the outboxes of their tasks, in the calling thread, and
  /// commits that.
  ///
  /// - Returns: those that were dropped.
  /// - Throws: what stopped a task.
  package func skipOutboxEntries(_ ids: [OutboxEntryID]) throws -> [OutboxEntryID] {
    try tasks.flatMap { task in
      let done = try ids.filter {
        try $0.task == task.name && task.skipOutboxEntry($0.number, to: $0.destination)
      }
      if !done.isEmpty { try task.commit() }
      return done
    }
  }
}

/// An entry that waits in an outbox, as `outbox list` shows it.
package struct OutboxEntrySummary: Hashable, Sendable {
  package let id: OutboxEntryID
  package let record: ProducerRecord

  /// Entries that wait in the outbox of a task, from any process.
  ///
  /// - Parameters:
  ///   - after: the numbers up to which a page before it came, by destination.
  ///   - limit: entries of each destination.
  /// - Throws: ``StateStore/StoreError``; ``StreamCore/SerdeError`` for a damaged entry.
  package static func list(
    _ reader: StateReader, after: [String: Int64] = [:], limit: Int
  ) throws -> [OutboxEntrySummary] {
    let task = TaskName(reader.identity)
    return try reader.read { view in
      try view.outboxEntries(after: after, limit: limit).map { destination, entry in
        OutboxEntrySummary(
          id: OutboxEntryID(task: task, number: entry.number, destination: destination),
          record: try OutboxRecord(entry.bytes).record)
      }
    }
  }
}
