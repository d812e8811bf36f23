package import StateStore

/// Names a task within its topology, as its directory is called: `order-events-3`.
package struct TaskName: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The first of the sub-topology's inputs as declared: ``SubTopology/name``.
  package let subTopology: String
  package let partition: Int

  package init(subTopology: String, partition: Int) {
    self.subTopology = subTopology
    self.partition = partition
  }

  /// The task whose ``description`` this is; `nil` for any other text.
  package init?(parsing text: some StringProtocol) {
    guard let dash = text.lastIndex(of: "-"), dash > text.startIndex,
      let partition = Int(text[text.index(after: dash)...]), partition >= 0
    else { return nil }
    self.init(subTopology: String(text[..<dash]), partition: partition)
    // What `Int` reads in several spellings names one directory: `+3` and `03` name none.
    if description != text { return nil }
  }

  /// The task that a state says it is of.
  package init(_ identity: TaskIdentity) {
    self.init(subTopology: identity.subtopology, partition: identity.partition)
  }

  package var description: String { "\(subTopology)-\(partition)" }

  package static func < (left: TaskName, right: TaskName) -> Bool {
    (left.subTopology, left.partition) < (right.subTopology, right.partition)
  }
}
