import StateStore
import StreamCore

extension GenerationRun {
  /// Processes dead letters again: those with the named numbers (of all tasks), or all.
  ///
  /// - Throws: what stopped a task.
  ///
  /// - Parameter request: the id of the request that asks for it: each task commits it with the
  ///   effect, so that after a crash before the answer it is not carried out twice.
  package func retryDeadLetters(_ ids: [DeadLetterID]?, request: String? = nil) throws -> Reply {
    let tallies = try perform { task -> [String: Int]? in
      let done = request.map { CarriedOutRequest($0, in: task.state.words) }
      if let done, done.isKnown { return nil }
      let mine = ids.map {
        $0.filter { $0.task == task.name }
      }
      let numbers = try mine.map { $0.map(\.number) } ?? task.deadLetterNumbers()
      var tally: [String: Int] = [:]
      for number in numbers {
        let fate = try task.retryDeadLetter(number)
        tally[fate?.name ?? "not found", default: 0] += 1
      }
      if let done {
        try task.openInterval()
        done.note()
        task.state.commitUnit()
        task.markDirty()
      }
      try task.commit()
      return tally
    }
    if tallies.allSatisfy({ $0 == nil }) {
      return Reply(succeeded: true, message: "carried out before")
    }
    let total = tallies.compactMap(\.self).reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
    let parts = total.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    return Reply(
      succeeded: true,
      message: parts.isEmpty ? "no dead letters" : "retried: \(parts.joined(separator: ", "))")
  }

  func retry(_ request: Request) throws -> Reply {
    var ids: [DeadLetterID]?
    if let text = request.arguments["ids"] {
      ids = text.split(separator: ",").compactMap { DeadLetterID(parsing: String($0)) }
      if ids?.count != text.split(separator: ",").count {
        return Reply(
          succeeded: false, message: "'\(text)' is no list of dead letters; take ids from `list`")
      }
    }
    return try retryDeadLetters(ids, request: request.id)
  }

  /// Sends what the outboxes hold, to their ends.
  func publishToEnd() throws {
    for (task, publisher) in zip(tasks, try makePublishers()) {
      guard let publisher else { continue }
      try task.state.makeDurable()
      try publisher.publish()
      publisher.close()
    }
  }

  /// Forgets outputs up to the cut: the generation before sent them.
  func dropOutbox() throws {
    for task in tasks {
      try task.openInterval()
      for topic in topology.outputTopics {
        let destination = task.state.outbox.destination(topic)
        try task.state.outbox.trim(
          destination, upTo: task.state.outbox.lastNumber(destination))
      }
      task.markDirty()
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

/// A request among the last ones that a task carried out, remembered in a ring of words by hashes
/// of the ids: only those whose answers may have been lost can come again.
private struct CarriedOutRequest {
  private static let remembered = 16

  private let hash: Int64
  private let words: Words
  private let slots: [Int]
  private let nextSlot: Int

  init(_ id: String, in words: Words) {
    let bytes = Array(id.utf8)
    // 0 is an empty place.
    hash = Int64(bitPattern: max(1, hash64(bytes.span.bytes)))
    self.words = words
    slots = (0..<Self.remembered).map { words.register("request.\($0)") }
    nextSlot = words.register("request.next")
  }

  var isKnown: Bool { slots.contains { words[$0] == hash } }

  /// Inside the interval that has the effect.
  func note() {
    words[slots[Int(words[nextSlot]) % Self.remembered]] = hash
    words[nextSlot] += 1
  }
}

/// Names a dead letter on the command line: `SUBTOPOLOGY-PARTITION-NUMBER`.
package struct DeadLetterID: Hashable, Sendable, CustomStringConvertible {
  package let task: TaskName
  package let number: Int64

  package init(task: TaskName, number: Int64) {
    self.task = task
    self.number = number
  }

  package init?(parsing text: String) {
    guard let dash = text.lastIndex(of: "-"), let task = TaskName(parsing: text[..<dash]),
      let number = Int64(text[text.index(after: dash)...])
    else { return nil }
    self.init(task: task, number: number)
    if description != text { return nil }
  }

  package var description: String { "\(task)-\(number)" }
}

extension StreamTask {
  /// Numbers of all dead letters, oldest first.
  func deadLetterNumbers() throws -> [Int64] {
    var all: [Int64] = []
    while true {
      let page = try state.deadLetters.numbers(after: all.last ?? 0, limit: 1_000)
      if page.isEmpty { return all }
      all += page
    }
  }
}
