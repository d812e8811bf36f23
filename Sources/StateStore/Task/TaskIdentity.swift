/// Whose state an environment holds; recorded in it, and compared when it is opened.
package struct TaskIdentity: Hashable, Sendable {
  /// The version of the layout of everything in an environment.
  package static let formatVersion = 3

  package var topology: String
  package var subtopology: String
  package var partition: Int
  package var partitionCount: Int
  /// How keys find their partition: `murmur2`, as the Java client does.
  package var partitioner: String
  /// The text of each store's ``StoreLineage``, by the store's name.
  package var lineage: [String: String]
  /// Stores of the topology that this state lacks: they came to it later, and wait for a rebuild.
  package var waiting: Set<String>
  package var generation: Int

  package init(
    topology: String, subtopology: String, partition: Int, partitionCount: Int,
    partitioner: String = "murmur2", lineage: [String: String] = [:], waiting: Set<String> = [],
    generation: Int = 1
  ) {
    self.topology = topology
    self.subtopology = subtopology
    self.partition = partition
    self.partitionCount = partitionCount
    self.partitioner = partitioner
    self.lineage = lineage
    self.waiting = waiting
    self.generation = generation
  }

  private static let lineagePrefix = "lineage/"
  private static let waitingPrefix = "waiting/"

  private var fields: [(String, String)] {
    [
      ("format", String(Self.formatVersion)), ("topology", topology),
      ("subtopology", subtopology), ("partition", String(partition)),
      ("partitionCount", String(partitionCount)), ("partitioner", partitioner),
      ("generation", String(generation)),
    ] + lineage.map { (Self.lineagePrefix + $0.key, $0.value) }
      + waiting.map { (Self.waitingPrefix + $0, "rebuild") }
  }

  /// Writes itself in place of what an environment said of itself so far.
  func write(_ transaction: Transaction, _ table: Table) throws(StoreError) {
    let names = Set(fields.map(\.0))
    for entry in try TreeWalk.page(transaction, table, limit: .max).entries
    where !names.contains(String(decoding: entry.key, as: UTF8.self)) {
      try transaction.delete(table, entry.key.raw)
    }
    for (name, value) in fields {
      try transaction.put(table, name.utf8Bytes.raw, value.utf8Bytes.raw)
    }
  }

  /// What an environment says of itself; `nil` if it says nothing.
  ///
  /// - Throws: ``StoreError``: `newer`, `older`, `corrupted`.
  static func read(
    _ transaction: Transaction, _ table: Table, directory: String
  ) throws(StoreError) -> TaskIdentity? {
    var fields: [String: String] = [:]
    for entry in try TreeWalk.page(transaction, table, limit: .max).entries {
      fields[String(decoding: entry.key, as: UTF8.self)] =
        String(decoding: entry.value, as: UTF8.self)
    }
    if fields.isEmpty { return nil }
    func number(_ name: String) throws(StoreError) -> Int {
      guard let number = fields[name].flatMap({ Int($0) }) else {
        throw StoreError(
          .corrupted, "'\(name)' of the state is not a number; restore a snapshot or rebuild",
          store: directory)
      }
      return number
    }
    let format = try number("format")
    guard format == formatVersion else {
      throw StoreError(
        format > formatVersion ? .newer : .older,
        "the state has format \(format), this program reads \(formatVersion): use the version that "
          + "wrote it, or remove the state and build it anew from its log", store: directory)
    }
    var lineage: [String: String] = [:]
    for (name, value) in fields where name.hasPrefix(lineagePrefix) {
      lineage[String(name.dropFirst(lineagePrefix.count))] = value
    }
    let waiting = fields.keys.filter { $0.hasPrefix(waitingPrefix) }
      .map { String($0.dropFirst(waitingPrefix.count)) }
    return TaskIdentity(
      topology: fields["topology"] ?? "", subtopology: fields["subtopology"] ?? "",
      partition: try number("partition"), partitionCount: try number("partitionCount"),
      partitioner: fields["partitioner"] ?? "", lineage: lineage,
      waiting: Set(waiting), generation: try number("generation"))
  }

  /// Refuses a snapshot that the state of this identity cannot begin from: it has every store; the
  /// generation may be any.
  ///
  /// - Throws: ``StoreError``: `foreign`, `lineageChanged`.
  package func check(snapshot: StateReader) throws(StoreError) {
    var wanted = self
    wanted.generation = snapshot.identity.generation
    let settled = try wanted.settled(with: snapshot.identity, directory: snapshot.directory)
    guard settled.waiting.isEmpty else {
      throw StoreError(
        .lineageChanged,
        "the snapshot lacks \(settled.waiting.sorted().map { "'\($0)'" }.joined(separator: ", "))",
        store: snapshot.directory)
    }
  }

  /// What the state says of itself once this identity runs on it; it refuses stored state that is
  /// not of this identity.
  ///
  /// Stores that the state lacks are no change of the others: they wait.
  ///
  /// - Throws: ``StoreError``: `foreign`, `lineageChanged` with what changed per store.
  func settled(with stored: TaskIdentity, directory: String) throws(StoreError) -> TaskIdentity {
    let compared = [
      ("topology", topology, stored.topology),
      ("sub-topology", subtopology, stored.subtopology),
      ("partition", String(partition), String(stored.partition)),
      ("partition count", String(partitionCount), String(stored.partitionCount)),
      ("partitioner", partitioner, stored.partitioner),
      ("generation", String(generation), String(stored.generation)),
    ]
    for (name, wanted, found) in compared where wanted != found {
      throw StoreError(
        .foreign,
        "the state is of \(name) \(found), not \(wanted); name another state directory or rebuild",
        store: directory)
    }
    var changes: [String] = []
    for (name, old) in stored.lineage.sorted(by: { $0.key < $1.key }) {
      guard let new = lineage[name] else {
        changes.append("store '\(name)' is gone")
        continue
      }
      // Nearly always; to read them takes longer than all else that opens a task.
      if old == new { continue }
      changes += StoreLineage(text: old).changes(to: StoreLineage(text: new))
        .map { "store '\(name)': \($0)" }
    }
    if !changes.isEmpty {
      throw StoreError(
        .lineageChanged,
        "the topology is not the one that built this state: \(changes.joined(separator: "; ")); "
          + "rebuild it with `projector rewind \(topology) --to earliest`, or run the topology "
          + "that built it", store: directory)
    }
    var settled = self
    settled.lineage = lineage.filter { stored.lineage[$0.key] != nil }
    settled.waiting = waiting.union(lineage.keys.filter { stored.lineage[$0] == nil })
    return settled
  }
}
