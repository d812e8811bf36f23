/// Names an entry of an outbox on the command line: `SUBTOPOLOGY-PARTITION-NUMBER/DESTINATION`.
package struct OutboxEntryID: Hashable, Sendable, CustomStringConvertible {
  package let task: TaskName
  package let number: Int64
  package let destination: String

  package init(task: TaskName, number: Int64, destination: String) {
    self.task = task
    self.number = number
    self.destination = destination
  }

  /// The entry whose ``description`` this is; `nil` for any other text.
  package init?(parsing text: String) {
    // A topic's name holds no slash.
    guard let slash = text.firstIndex(of: "/") else { return nil }
    let entry = text[..<slash]
    guard let dash = entry.lastIndex(of: "-"),
      let number = Int64(entry[entry.index(after: dash)...]), number > 0,
      let task = TaskName(parsing: entry[..<dash])
    else { return nil }
    self.init(
      task: task, number: number, destination: String(text[text.index(after: slash)...]))
    if description != text || destination.isEmpty { return nil }
  }

  package var description: String { "\(task)-\(number)/\(destination)" }
}
