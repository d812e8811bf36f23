import Glibc
package import StateStore
package import StreamCore

/// Snapshots of a topology's state: `STATE/TOPOLOGY/snapshots/000001` and on, each with a copy of
/// every task, of one commit of it.
///
/// A copy says itself whose it is, of which lineage and at which positions. A snapshot is written
/// under another name, synced and renamed, and renamed before it is removed: one that bears a
/// number is whole.
package struct SnapshotStore: Sendable {
  private let directory: StateDirectory

  package init(_ directory: StateDirectory) { self.directory = directory }

  /// A task whose state is to be copied.
  struct Source: Sendable {
    let task: TaskName
    let environment: Environment
  }

  /// What a snapshot says of itself.
  package struct Meta: Hashable, Sendable {
    package let generation: Int
    package let taken: Timestamp
  }

  package func path(_ number: Int) -> String {
    "\(directory.snapshots)/\(StateDirectory.name(number))"
  }

  package func path(_ number: Int, _ task: TaskName) -> String { "\(path(number))/\(task)" }

  /// Those that are whole, oldest first.
  package func numbers() throws(StoreError) -> [Int] {
    try StateDirectory.numbers(in: directory.snapshots)
  }

  /// - Throws: ``StateStore/StoreError`` with `.corrupted` for a file that this engine did not write.
  package func meta(_ number: Int) throws(StoreError) -> Meta {
    let fields = StateFields(try DurableFile.read("\(path(number))/meta.json") ?? "")
    guard let generation = fields["generation"].flatMap({ Int($0) }),
      let taken = fields["taken"].flatMap({ Int64($0) })
    else {
      throw StoreError(
        .corrupted, "the snapshot does not say when it was taken; remove it", store: path(number))
    }
    return Meta(generation: generation, taken: Timestamp(milliseconds: taken))
  }

  /// Tasks with a copy in a snapshot.
  package func tasks(in number: Int) throws(StoreError) -> [TaskName] {
    try StateDirectory.entries(path(number)).compactMap { TaskName(parsing: $0) }.sorted()
  }

  /// Bytes that a snapshot's files take.
  package func bytes(_ number: Int) throws(StoreError) -> Int {
    try tasks(in: number).reduce(0) { total, task in
      var status = stat()
      let file = "\(path(number, task))/data.mdb"
      return unsafe stat(file, &status) == 0 ? total + Int(status.st_size) : total
    }
  }

  /// Next offsets to process of the copied tasks, by partition.
  ///
  /// - Throws: ``StateStore/StoreError`` for a copy that cannot be read.
  package func positions(_ number: Int) throws -> [TopicPartition: Offset] {
    try tasks(in: number).reduce(into: [:]) { positions, task in
      positions.merge(
        try Self.reader(of: path(number, task)).read { try TaskProgress($0) }
          .positions, uniquingKeysWith: max)
    }
  }

  /// Opens a copy for what it says of itself, whose pages were looked at before: what LMDB would trip
  /// over is an error here. Its rows are not looked at, however many there are: ``check(_:)``.
  ///
  /// - Throws: ``StateStore/StoreError`` with `.corrupted` for a damaged copy.
  static func reader(of path: String) throws(StoreError) -> StateReader {
    let environment = try Environment.open(path, Environment.Options(create: false))
    try environment.checkPages(CopyCancellation(), of: StateReader.descriptionTables)
    return try StateReader.open(path)
  }

  /// Looks at all pages of a copy that is to be begun from.
  ///
  /// - Throws: ``StateStore/StoreError`` with `.corrupted` for a damaged copy.
  static func check(_ path: String) throws(StoreError) {
    let environment = try Environment.open(path, Environment.Options(create: false))
    try environment.checkPages(CopyCancellation())
  }

  // MARK: Taking

  /// Copies the last commit of each task, in the order given: receivers before their senders, so that
  /// a sender's outbox holds all that its receiver's copy lacks.
  ///
  /// - Returns: its number; `nil` where it was cancelled, and nothing is left of it.
  /// - Throws: ``StateStore/StoreError``; the snapshots before it stay.
  func take(
    _ sources: [Source], generation: Int, at time: Timestamp, _ cancellation: CopyCancellation
  ) throws(StoreError) -> Int? {
    try checkSpace(sources)
    let number = (try numbers().last ?? 0) + 1
    let partial = path(number) + ".partial"
    try StateDirectory.removeTree(partial)
    try DurableFile.makeDirectory(partial)
    do throws(StoreError) {
      for source in sources {
        try source.environment.snapshot(
          to: "\(partial)/\(source.task)", cancellation: cancellation)
        // A copy must not outlive, after a power cut, the commit that it is of.
        try source.environment.sync()
      }
      try DurableFile.write(
        "{\"generation\":\"\(generation)\",\"taken\":\"\(time.milliseconds)\"}\n",
        to: "\(partial)/meta.json")
      guard rename(partial, path(number)) == 0 else { throw DurableFile.failure("rename", partial) }
    } catch {
      try StateDirectory.removeTree(partial)
      if error.code == .cancelled { return nil }
      throw error
    }
    try DurableFile.syncDirectory(of: path(number))
    try DurableFile.syncDirectory(of: directory.snapshots)
    return number
  }

  /// A snapshot must not be what fills the disk: commits come first.
  private func checkSpace(_ sources: [Source]) throws(StoreError) {
    var status = statvfs()
    guard unsafe statvfs(directory.path, &status) == 0 else {
      throw DurableFile.failure("measure the disk of", directory.path)
    }
    let free = Int(status.f_bavail) * Int(status.f_frsize)
    let needed = sources.reduce(0) { $0 + $1.environment.usedBytes }
    guard free < needed * 2 else { return }
    throw StoreError(
      .diskFull,
      "the snapshot would take up to \(needed >> 20) MiB of the \(free >> 20) MiB that are free; "
        + "make room, or keep fewer with snapshotsKept", store: directory.snapshots)
  }

  // MARK: Removing

  /// Removes a snapshot, whole at every moment or not there.
  func remove(_ number: Int) throws(StoreError) {
    let removed = path(number) + ".removed"
    try StateDirectory.removeTree(removed)
    guard rename(path(number), removed) == 0 else {
      throw DurableFile.failure("rename", path(number))
    }
    try StateDirectory.removeTree(removed)
  }

  /// Removes what a crash left half-written or half-removed.
  func removeLeftovers() throws(StoreError) {
    for name in try StateDirectory.entries(directory.snapshots)
    where name.hasSuffix(".partial") || name.hasSuffix(".removed") {
      try StateDirectory.removeTree("\(directory.snapshots)/\(name)")
    }
  }

  /// Keeps the newest `kept` that a rewind may start from without loss, and the newest `kept` of
  /// those that lack records which the log had removed; the others go.
  ///
  /// - Parameter isWhole: whether one lacks nothing; `nil` for one that this topology cannot use.
  func prune(keeping kept: Int, isWhole: (Int) throws -> Bool?) throws {
    var counts = [true: 0, false: 0]
    for number in try numbers().reversed() {
      if let kind = try isWhole(number), counts[kind, default: 0] < kept {
        counts[kind, default: 0] += 1
      } else {
        try remove(number)
      }
    }
  }
}
