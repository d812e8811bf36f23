import StateStore
import StreamCore
import Topology

/// A task of the state, which is opened when it is asked.
struct StoredTask: Sendable {
  let name: TaskName
  let directory: String
  let readers: TaskReaders

  var partition: Int { name.partition }

  /// - Throws: ``StateStore/StoreError``.
  func reader() throws -> StateReader { try readers.reader(directory) }

  /// Runs `body` on one consistent view of the last commit; keep it short.
  func read<Result>(_ body: (StateView) throws -> Result) throws -> Result {
    try reader().read(body)
  }

  func positions() throws -> [(partition: String, offset: Int64)] {
    try read { try $0.positions() }.map { ($0.key, $0.value.position) }
  }
}

/// The tasks of one generation that are in this directory; none is opened before it is asked.
struct TopologyState: Sendable {
  let directory: StateDirectory
  let generation: Int
  let tasks: [StoredTask]

  /// - Parameter generation: `nil` takes the one that serves, resolved once.
  /// - Throws: ``StateStore/StoreError``, or a ``Failure`` where there is none.
  init(_ directory: StateDirectory, generation: Int? = nil) throws {
    guard let number = try generation ?? directory.current() else {
      throw Self.missing(directory)
    }
    self.directory = directory
    self.generation = number
    let readers = TaskReaders()
    tasks = try directory.tasks(of: number).map {
      StoredTask(name: $0, directory: directory.task(number, $0), readers: readers)
    }
    if tasks.isEmpty {
      throw Failure(
        .stateRefused, "there is no generation \(number) with state", at: directory.path,
        todo: "`generations` lists those there are")
    }
  }

  /// The state beside a process that may just be starting; `nil` while it makes its directories.
  static func whereStarted(_ directory: StateDirectory) throws -> TopologyState? {
    guard let current = try directory.current(), try !directory.tasks(of: current).isEmpty else {
      return nil
    }
    return try TopologyState(directory, generation: current)
  }

  static func missing(_ directory: StateDirectory) -> Failure {
    Failure(
      .stateRefused, "there is no state of topology '\(directory.topology)'", at: directory.path,
      todo: "run it first, or correct --state")
  }

  /// A task here of each sub-topology: the others have the same stores.
  ///
  /// - Parameter key: of the row that is looked for: where all partitions are here, its own is taken.
  private func representatives(near key: String? = nil) -> [StoredTask] {
    Dictionary(grouping: tasks, by: \.name.subTopology).sorted { $0.key < $1.key }.compactMap {
      let tasks = $0.value
      guard let key else { return tasks.first }
      let home = StreamCore.partition(forKey: Array(key.utf8), count: tasks.count)
      return tasks.first { $0.partition == home } ?? tasks.first
    }
  }

  private func views(of representative: StoredTask) throws -> [OpenView] {
    let reader = try representative.reader()
    let all = tasks.filter { $0.name.subTopology == representative.name.subTopology }
    return try reader.read { try $0.stores() }.filter(\.isPublished).map {
      OpenView(description: $0, partitionCount: reader.identity.partitionCount, partitions: all)
    }
  }

  /// All views of the topology by name, each with the tasks that hold a part of it.
  func views() throws -> [OpenView] {
    try representatives().flatMap { try views(of: $0) }.sorted { $0.name < $1.name }
  }

  /// - Parameter key: of the row that is looked for: so one task alone is opened, where that can be.
  /// - Throws: ``Failure`` with the names there are.
  func view(_ name: String, near key: String? = nil) throws -> OpenView {
    var names: [String] = []
    for representative in representatives(near: key) {
      let views = try views(of: representative)
      if let view = views.first(where: { $0.name == name }) { return view }
      if try representative.reader().identity.waiting.contains(name) {
        throw Failure(
          .stateRefused, "view '\(name)' was added to the topology and is not filled yet",
          at: directory.path,
          todo: "fill it with `projector rewind \(directory.topology) --to earliest`")
      }
      names += views.map(\.name)
    }
    throw Failure(
      .invalid, "there is no view '\(name)'", at: directory.path,
      todo: "it has: \(names.sorted().joined(separator: ", "))")
  }

  /// The task that an id names.
  ///
  /// - Throws: ``Failure``: `.stateRefused` where its partition is not in this directory,
  ///   `.notFound` where the topology has no such task.
  func task(_ name: TaskName) throws -> StoredTask {
    if let task = tasks.first(where: { $0.name == name }) { return task }
    if let sibling = tasks.first(where: { $0.name.subTopology == name.subTopology }),
      case let count = try sibling.reader().identity.partitionCount, name.partition < count
    {
      throw Failure(
        .stateRefused,
        "partition \(name.partition) of \(count) of '\(name.subTopology)' is not here",
        at: directory.path, todo: "ask where that partition runs")
    }
    let known = representatives().map(\.name.subTopology).joined(separator: ", ")
    throw Failure(
      .notFound, "there is no task '\(name)'", at: directory.path,
      todo: "it has sub-topologies: \(known)")
  }
}

/// A view with the tasks here that hold a part of it.
struct OpenView: Sendable {
  let description: StoredView
  /// Partitions of the whole view, here or elsewhere.
  let partitionCount: Int
  let partitions: [StoredTask]

  var name: String { description.name }

  /// Types of the key as users see it: an audit view adds the sequence number, and the repeat.
  var keyTypes: [KeyType] {
    description.kind == .audit ? description.keyTypes + [.integer, .integer] : description.keyTypes
  }

  /// The key of a text; for composite keys a JSON array, or the first component alone.
  ///
  /// - Throws: ``StateStore/StoreError`` with `.invalid`.
  func components(_ text: String, allowsBeginning: Bool) throws -> [KeyComponent] {
    if keyTypes.count > 1, allowsBeginning, !text.hasPrefix("[") {
      return [try KeyText.component(text, keyTypes[0])]
    }
    return try KeyText.components(
      text, types: keyTypes, allowsBeginning: allowsBeginning || description.kind == .audit)
  }

  /// As printed: JSON of the one component, or an array of several.
  static func json(_ key: [UInt8]) throws -> String {
    let components = try EncodedKey(encoded: key).components()
    return components.count == 1 ? KeyText.json(components[0]) : KeyText.text(components)
  }

  /// The position this state reflects, by partition.
  func positions() throws -> [(partition: String, offset: Int64)] {
    try partitions.flatMap { try $0.positions() }.sorted { $0.partition < $1.partition }
  }

  /// What an answer over all its partitions lacks; `nil` where they are all here.
  var lack: String? {
    guard partitions.count < partitionCount else { return nil }
    let here = partitions.map { String($0.name.partition) }.joined(separator: ", ")
    return "of the \(partitionCount) partitions of view '\(name)' only these are here: \(here)"
  }
}
