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
