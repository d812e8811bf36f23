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
    try Self.entries(path).compactMap { $0.count == 6 ? Int($0) : nil }.sorted()
  }

  /// Tasks that have a directory in a generation.
  package func tasks(of generation: Int) throws(StoreError) -> [TaskName] {
    try Self.entries(directory(of: generation)).compactMap { TaskName(parsing: $0) }.sorted()
  }

  /// Partitions that the serving generation has tasks of; `nil` where it has none yet.
  package func partitions() throws(StoreError) -> [Int]? {
    guard let generation = try current() else { return nil }
    let partitions = Set(try tasks(of: generation).map(\.partition))
    return partitions.isEmpty ? nil : partitions.sorted()
  }

  /// Names in a directory, without hidden ones; empty where there is none.
  package static func entries(_ path: String) throws(StoreError) -> [String] {
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
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names
  }

  /// Removes a generation's directory with everything in it.
  package func remove(_ generation: Int) throws(StoreError) {
    try Self.removeTree(directory(of: generation))
  }

  package static func removeTree(_ path: String) throws(StoreError) {
    if unlink(path) == 0 || errno == ENOENT { return }
    guard errno == EISDIR || errno == EPERM else { throw DurableFile.failure("remove", path) }
    for name in try entries(path) { try removeTree("\(path)/\(name)") }
    guard rmdir(path) == 0 else { throw DurableFile.failure("remove", path) }
  }
}

/// The lock by which one process owns a topology on a state directory; it ends with the process.
package final class OwnerLock: Sendable {
  private let file: Int32

  /// - Throws: ``StateStore/StoreError`` with `.locked` where another process holds it.
  package init(_ directory: StateDirectory) throws(StoreError) {
    try DurableFile.makeDirectory(directory.path)
    let path = "\(directory.path)/owner"
    let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard opened >= 0 else { throw DurableFile.failure("open", path) }
    guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
      let isTaken = errno == EWOULDBLOCK
      let failure = DurableFile.failure("lock", path)
      Glibc.close(opened)
      guard isTaken else { throw failure }
      throw StoreError(
        .locked,
        "another process runs topology '\(directory.topology)' on \(directory.path); stop it, or "
          + "give this one another --state", store: "")
    }
    // From here on `deinit` closes it: not before nothing can fail, or it would be closed twice.
    file = opened
    ftruncate(file, 0)
    let text = Array("\(getpid())\n".utf8)
    _ = unsafe text.withUnsafeBytes { unsafe write(file, $0.baseAddress, $0.count) }
  }

  deinit {
    // A child process that is just being started may have the file too; the lock ends now.
    flock(file, LOCK_UN)
    Glibc.close(file)
  }
}

/// What `meta.json` says of a generation.
package struct GenerationMeta: Hashable, Sendable {
  package enum Status: String, Hashable, Sendable { case unfinished, serving, retired }
  package var status: Status
  /// RFC 3339.
  package var created: String
  /// The id of the request that asked for it, so that a repeated one is answered and not carried
  /// out again; `nil` for one that nobody waits for.
  package var request: String?

  package init(status: Status, created: String, request: String? = nil) {
    self.status = status
    self.created = created
    self.request = request
  }

  package func write(to directory: String) throws(StoreError) {
    let request = request.map { ",\"request\":\"\($0)\"" } ?? ""
    let text = "{\"status\":\"\(status.rawValue)\",\"created\":\"\(created)\"\(request)}\n"
    try DurableFile.write(text, to: "\(directory)/meta.json")
  }

  /// - Throws: ``StateStore/StoreError`` with `.corrupted` for a file that this engine did not write.
  package static func read(_ directory: String) throws(StoreError) -> GenerationMeta? {
    guard let text = try DurableFile.read("\(directory)/meta.json") else { return nil }
    let fields = StateFields(text)
    guard let word = fields["status"], let status = Status(rawValue: word),
      let created = fields["created"]
    else {
      throw StoreError(.corrupted, "\(directory)/meta.json says no status", store: "")
    }
    return GenerationMeta(status: status, created: created, request: fields["request"])
  }
}
