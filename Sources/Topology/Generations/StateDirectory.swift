import Glibc
package import StateStore

/// The directory of one topology's state: `STATE/TOPOLOGY`.
package struct StateDirectory: Hashable, Sendable {
  package let path: String
  package let topology: String

  package init(root: String, topology: String) {
    self.topology = topology
    path = "\(root)/\(topology)"
  }

  package var requests: String { "\(path)/requests" }
  package var snapshots: String { "\(path)/snapshots" }

  /// `000001` and on.
  package static func name(_ generation: Int) -> String {
    let digits = String(generation)
    return String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  package func directory(of generation: Int) -> String { "\(path)/\(Self.name(generation))" }

  package func task(_ generation: Int, _ task: TaskName) -> String {
    "\(directory(of: generation))/\(task)"
  }

  /// The generation that serves; `nil` before the first start.
  ///
  /// - Throws: ``StateStore/StoreError`` with `.corrupted` where the file holds no number.
  package func current() throws(StoreError) -> Int? {
    guard let text = try DurableFile.read("\(path)/current") else { return nil }
    let trimmed = text.last == "\n" ? String(text.dropLast()) : text
    guard let generation = Int(trimmed), generation > 0 else {
      throw StoreError(
        .corrupted,
        "\(path)/current holds no generation's number; write the name of the directory that "
          + "should serve into it, as 000001", store: "")
    }
    return generation
  }

  package func setCurrent(_ generation: Int) throws(StoreError) {
    try DurableFile.write("\(Self.name(generation))\n", to: "\(path)/current")
  }

  /// All generations on disk, oldest first.
  package func generations() throws(StoreError) -> [Int] {
    try Self.numbers(in: path)
  }

  /// Tasks that have a directory in a generation.
  package func tasks(of generation: Int) throws(StoreError) -> [TaskName] {
    try Self.entries(directory(of: generation)).compactMap { TaskName(parsing: $0) }.sorted()
  }

  /// Whether anything was ever written of a task: an environment without a page is none.
  func hasState(of name: TaskName, in generation: Int) throws(StoreError) -> Bool {
    var status = stat()
    let path = "\(task(generation, name))/data.mdb"
    guard unsafe stat(path, &status) == 0 else {
      if errno == ENOENT { return false }
      throw DurableFile.failure("look at", path)
    }
    return status.st_size > 0
  }

  /// Refuses a `current` that names a generation which is not there. For the owner alone: to others
  /// it may be replaced between two looks.
  package func checkCurrent() throws(StoreError) {
    guard let generation = try current(), access(directory(of: generation), F_OK) != 0 else {
      return
    }
    throw StoreError(
      .corrupted,
      "\(path)/current names generation \(Self.name(generation)), which is not there; write the "
        + "name of the directory that should serve into it, as 000001", store: "")
  }

  /// Partitions that the serving generation has tasks of; `nil` where it has none yet.
  package func partitions() throws(StoreError) -> [Int]? {
    guard let generation = try current() else { return nil }
    let partitions = Set(try tasks(of: generation).map(\.partition))
    return partitions.isEmpty ? nil : partitions.sorted()
  }

  /// Entries of a directory that ``name(_:)`` gives, in order: of six digits, or more.
  static func numbers(in path: String) throws(StoreError) -> [Int] {
    try entries(path).compactMap { entry in
      Int(entry).flatMap { $0 > 0 && name($0) == entry ? $0 : nil }
    }.sorted()
  }

  /// Names in a directory, without hidden ones; empty where there is none.
  package static func entries(_ path: String) throws(StoreError) -> [String] {
    try allEntries(path).filter { !$0.hasPrefix(".") }
  }

  /// Names in a directory, hidden ones too.
  static func allEntries(_ path: String) throws(StoreError) -> [String] {
    guard let directory = unsafe opendir(path) else {
      if errno == ENOENT { return [] }
      throw DurableFile.failure("list", path)
    }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafePointer(to: entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Removes a generation: whole at every moment, or not there.
  package func remove(_ generation: Int) throws(StoreError) {
    let removed = "\(path)/.removed-\(Self.name(generation))"
    try Self.removeTree(removed)
    guard rename(directory(of: generation), removed) == 0 else {
      if errno == ENOENT { return }
      throw DurableFile.failure("rename", directory(of: generation))
    }
    try Self.removeTree(removed)
  }

  /// Whether a generation has a task of every partition of its topics.
  ///
  /// - Throws: ``StateStore/StoreError`` where a task's state cannot be read.
  func hasAllPartitions(_ generation: Int) throws -> Bool {
    let tasks = try tasks(of: generation)
    guard let first = tasks.first else { return true }
    let count = try StateReader.open(task(generation, first)).identity.partitionCount
    return Set(tasks.map(\.partition)).count >= count
  }

  /// Removes what a crash left half-removed.
  func removeLeftovers() throws(StoreError) {
    for name in try Self.allEntries(path) where name.hasPrefix(".removed-") {
      try Self.removeTree("\(path)/\(name)")
    }
  }

  package static func removeTree(_ path: String) throws(StoreError) {
    if unlink(path) == 0 || errno == ENOENT { return }
    guard errno == EISDIR || errno == EPERM else { throw DurableFile.failure("remove", path) }
    for name in try allEntries(path) { try removeTree("\(path)/\(name)") }
    guard rmdir(path) == 0 else { throw DurableFile.failure("remove", path) }
  }
}
