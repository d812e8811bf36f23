import StateStore
import StreamCore
import Topology

/// The tasks of one generation that are in this directory, open for reading.
struct TopologyState {
  let directory: StateDirectory
  let generation: Int
  let tasks: [StateReader]

  /// - Parameter generation: `nil` takes the one that serves, resolved once.
  /// - Throws: ``StateStore/StoreError``, or a ``Failure`` where there is none.
  init(_ directory: StateDirectory, generation: Int? = nil) throws {
    guard let number = try generation ?? directory.current() else {
      throw Self.missing(directory)
    }
    self.directory = directory
    self.generation = number
    tasks = try directory.tasks(of: number).map { try StateReader.open(directory.task(number, $0)) }
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
    do {
      return try TopologyState(directory, generation: current)
    } catch let error as StoreError where error.code == .foreign || error.code == .missing {
      return nil
    }
  }

  static func missing(_ directory: StateDirectory) -> Failure {
    Failure(
      .stateRefused, "there is no state of topology '\(directory.topology)'", at: directory.path,
      todo: "run it first, or correct --state")
  }

  /// All views of the topology by name, each with the tasks that hold a part of it.
  func views() throws -> [OpenView] {
    var views: [String: OpenView] = [:]
    for task in tasks {
      for description in try task.read({ try $0.stores() }) where description.isPublished {
        views[description.name, default: OpenView(description)].partitions.append(task)
      }
    }
    return views.values.sorted { $0.description.name < $1.description.name }
  }

  /// - Throws: ``Failure`` with the names there are.
  func view(_ name: String) throws -> OpenView {
    let views = try views()
    if let view = views.first(where: { $0.description.name == name }) { return view }
    if let task = tasks.first(where: { $0.identity.waiting.contains(name) }) {
      throw Failure(
        .stateRefused, "view '\(name)' was added to the topology and is not filled yet",
        at: task.directory,
        todo: "fill it with `projector rewind \(directory.topology) --to earliest`")
    }
    throw Failure(
      .invalid, "there is no view '\(name)'", at: directory.path,
      todo: "it has: \(views.map(\.description.name).joined(separator: ", "))")
  }
}

/// A view with the tasks here that hold a part of it.
struct OpenView {
  let description: StoredView
  var partitions: [StateReader] = []

  init(_ description: StoredView) { self.description = description }

  var name: String { description.name }
  /// Partitions of the whole view, here or elsewhere.
  var partitionCount: Int { partitions.first?.identity.partitionCount ?? 0 }

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
    try partitions.flatMap { try Self.positions(in: $0.read { try $0.words() }) }
      .sorted { $0.partition < $1.partition }
  }

  static func positions(in words: [String: Int64]) -> [(partition: String, offset: Int64)] {
    let prefix = "position/"
    return words.filter { $0.key.hasPrefix(prefix) }
      .map { (String($0.key.dropFirst(prefix.count)), $0.value) }
  }
}
