/// Whose state an environment holds; recorded in it, and compared when it is opened.
package struct TaskIdentity: Hashable, Sendable {
  /// The version of the layout of everything in an environment.
  package static let formatVersion = 2

  package var topology: String
  package var subtopology: String
  package var partition: Int
  package var partitionCount: Int
  /// How keys find their partition: `murmur2`, as the Java client does.
  package var partitioner: String
  /// The fingerprint of each store's origin, by the store's name.
  package var lineage: [String: String]
  package var generation: Int

  package init(
    topology: String, subtopology: String, partition: Int, partitionCount: Int,
    partitioner: String = "murmur2", lineage: [String: String] = [:], generation: Int = 1
  ) {
    self.topology = topology
    self.subtopology = subtopology
    self.partition = partition
    self.partitionCount = partitionCount
    self.partitioner = partitioner
    self.lineage = lineage
    self.generation = generation
  }

  private static let lineagePrefix = "lineage/"

  private var fields: [(String, String)] {
    [
      ("format", String(Self.formatVersion)), ("topology", topology),
      ("subtopology", subtopology), ("partition", String(partition)),
      ("partitionCount", String(partitionCount)), ("partitioner", partitioner),
      ("generation", String(generation)),
    ] + lineage.map { (Self.lineagePrefix + $0.key, $0.value) }
  }

  func write(_ transaction: Transaction, _ table: Table) throws(StoreError) {
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
    return TaskIdentity(
      topology: fields["topology"] ?? "", subtopology: fields["subtopology"] ?? "",
      partition: try number("partition"), partitionCount: try number("partitionCount"),
      partitioner: fields["partitioner"] ?? "", lineage: lineage,
      generation: try number("generation"))
  }

  /// Refuses a snapshot that the state of this identity cannot begin from; the generation may be
  /// any.
  ///
  /// - Throws: ``StoreError``: `foreign`, `lineageChanged`.
  package func check(snapshot: StateReader) throws(StoreError) {
    var wanted = self
    wanted.generation = snapshot.identity.generation
    try wanted.check(stored: snapshot.identity, directory: snapshot.directory)
  }

  /// Refuses stored state that is not of this identity.
  ///
  /// - Throws: ``StoreError``: `foreign`, `lineageChanged` with what changed per store.
  func check(stored: TaskIdentity, directory: String) throws(StoreError) {
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
    for name in Set(lineage.keys).union(stored.lineage.keys).sorted() {
      switch (stored.lineage[name], lineage[name]) {
      case (let old?, let new?) where old != new:
        changes.append("store '\(name)' was \(old), is \(new)")
      case (let old?, nil): changes.append("store '\(name)' (\(old)) is gone")
      case (nil, let new?): changes.append("store '\(name)' (\(new)) is new")
      default: continue
      }
    }
    if !changes.isEmpty {
      throw StoreError(
        .lineageChanged,
        "the topology is not the one that built this state: \(changes.joined(separator: "; ")); "
          + "rebuild it with `projector rewind \(topology) --to earliest`, or run the topology "
          + "that built it", store: directory)
    }
  }
}
