import ChildProcesses
import Foundation
import StateStore
import Synchronization
import Testing

/// What other processes, limits and damage do to an environment that is open or being opened.
@Suite struct EnvironmentUnderPressureTests {
  private let directory = TemporaryDirectory()

  private func run(_ verb: String) throws -> (String, ChildProcess.Ending) {
    let worker = try ChildProcess(
      try ForeignReaderTests.worker(), [verb, directory.path], output: .captured)
    let line = try worker.line() ?? ""
    return (line, worker.wait())
  }

  @Test("any use of an environment whose map could not grow is an error, never a trap")
  func crampedMap() throws {
    let (line, ending) = try run("cramped")
    #expect(line == "refused 0 0 0 0 false t")
    #expect(ending == .exit(0))
  }

  @Test("pages stay where no file can be opened, and the environment goes on")
  func noFileLeft() throws {
    let (line, ending) = try run("files")
    #expect(line == "whole")
    #expect(ending == .exit(0))
  }

  /// FINDINGS of a review: a reader killed with -9 pinned pages until the owner's next start.
  @Test("a reader that was killed keeps no page for longer than a while")
  func killedReader() throws {
    func open(_ every: Duration) throws -> TaskState {
      try TaskState.open(
        directory: directory.path, identity: identity(),
        options: .init(mapSize: 1 << 26, staleReadersEvery: every))
    }
    func commit(_ state: TaskState) throws {
      try state.begin()
      state.journal.append([UInt8](repeating: 7, count: 2_000).span.bytes)
      state.commitUnit()
      try state.commit()
    }
    for (every, isCleared) in [(Duration.seconds(3_600), false), (.zero, true)] {
      let state = try open(every)
      try commit(state)
      let reader = try ChildProcess(
        try ForeignReaderTests.worker(), ["hold", directory.path], output: .captured)
      #expect(try reader.line()?.hasPrefix("reads ") == true)
      reader.kill()
      _ = reader.wait()
      for _ in 0..<5 { try commit(state) }
      #expect((state.environment.oldestReaderLag == 0) == isCleared)
    }
  }

  @Test("a lock that somebody keeps on the file is waited for a while, then named")
  func foreignLock() throws {
    do { _ = try Environment.open(directory.path) }
    let file = open(directory.path + "/data.mdb", O_RDWR)
    defer { close(file) }
    #expect(flock(file, LOCK_EX) == 0)
    let error = #expect(throws: StoreError.self) {
      _ = try Environment.open(directory.path, .init(openTimeout: .milliseconds(40)))
    }
    #expect(error?.code == .locked)
    #expect(
      error?.message.hasPrefix("process \(getpid()) (") == true, "\(String(describing: error))")
    // Others of this process are opened meanwhile, and this one as soon as the lock is gone.
    let opened = Mutex(false)
    let path = directory.path
    Thread.detachNewThread {
      let environment = try? Environment.open(path)
      opened.withLock { $0 = environment != nil }
    }
    let other = TemporaryDirectory()
    _ = try Environment.open(other.path)
    #expect(flock(file, LOCK_UN) == 0)
    while !opened.withLock({ $0 }) { sched_yield() }
  }

  @Test("a new directory is synced into the one above it, from above")
  func syncedDirectories() throws {
    var synced: [String] = []
    let root =
      NSTemporaryDirectory().hasSuffix("/") ? NSTemporaryDirectory() : NSTemporaryDirectory() + "/"
    let name = "state-store-\(UUID().uuidString)"
    let top = TemporaryDirectory(path: root + name)
    try DirectorySync.make(top.path + "/a/b") { path throws(StoreError) in synced.append(path) }
    #expect(synced == [String(root.dropLast()), top.path, top.path + "/a"])
    try DirectorySync.make(top.path + "/a/b/") { path throws(StoreError) in synced.append(path) }
    #expect(synced.count == 3)
    #expect(FileManager.default.fileExists(atPath: top.path + "/a/b"))
  }

  @Test("stores have as many tables as they need, for writer and readers")
  func manyTables() throws {
    do {
      let state = try TaskState.open(
        directory: directory.path, identity: identity(), options: .init(mapSize: 1 << 26))
      let stores = try (0..<150).map { number in
        let store: KeyValueStore<String, Row> = try state.keyValue(
          "s\(number)", serde: RowSerde(), layout: .clustered,
          indexes: [Index("byTotal", [.ascending("total") { $0.total }])])
        return store
      }
      try state.begin()
      for (number, store) in stores.enumerated() { try store.put("k", Row(total: number)) }
      state.commitUnit()
      try state.commit()
    }
    let reader = try StateReader.open(directory.path)
    try reader.read { view in
      for number in [0, 77, 149] {
        let store = try view.store("s\(number)")
        #expect(try view.scanIndex(store, "byTotal", limit: 3).rows.count == 1)
      }
    }
  }

  @Test("the check of a snapshot's pages ends when it is cancelled")
  func cancelledCheck() throws {
    let environment = try Environment.open(directory.path)
    _ = try environment.table("t")
    let cancellation = CopyCancellation()
    try environment.checkPages(cancellation)
    cancellation.cancel()
    let error = #expect(throws: StoreError.self) { try environment.checkPages(cancellation) }
    #expect(error?.code == .cancelled)
  }

  @Test("a map grows beside a copy, which begins again and is whole")
  func growthBesideCopy() throws {
    let environment = try Environment.open(directory.path, .init(mapSize: 1 << 27))
    let table = try environment.table("t")
    let write = try WriteTransaction(environment)
    for number in 0..<8_000 {
      let key = [UInt8(number >> 8), UInt8(number & 255)]
      try write.operations.put(
        table, key.span.bytes, [UInt8](repeating: 7, count: 4_000).span.bytes)
    }
    try write.commit()
    let copies = TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: copies.path, withIntermediateDirectories: true)
    var wereInterrupted = 0
    // Where a copy was done before this thread saw that it had begun, another is made.
    for attempt in 0..<100 where wereInterrupted == 0 {
      let outcome = Mutex<Result<Void, any Error>?>(nil)
      let target = "\(copies.path)/\(attempt)"
      Thread.detachNewThread {
        let result = Result { try environment.snapshot(to: target) }
        outcome.withLock { $0 = result }
      }
      var partial: FileHandle?
      while try outcome.withLock({ $0 == nil }) && (partial?.seekToEnd() ?? 0) == 0 {
        partial =
          partial ?? FileHandle(forReadingAtPath: "\(target).\(getpid()).partial/data.mdb")
      }
      try environment.grow()
      // Held open, it says how far the copy came that was under way.
      let written = try partial?.seekToEnd() ?? .max
      if written < 8_000 * 4_000 { wereInterrupted += 1 }
      while outcome.withLock({ $0 == nil }) { sched_yield() }
      #expect(throws: Never.self) { try outcome.withLock { $0 }?.get() }
      let copy = try Environment.open(target, .init(create: false))
      let copied = try copy.table("t")
      let read = try ReadTransaction(copy)
      #expect(try read.operations.count(copied) == 8_000)
      try FileManager.default.removeItem(atPath: target)
      if environment.mapSize > 1 << 40 { break }
    }
    #expect(wereInterrupted == 1)
  }

  @Test("the limit on open files is raised, and where it cannot be the error says what to set")
  func fileLimit() throws {
    try ProcessFiles.raiseLimit(to: 100)
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    try ProcessFiles.raiseLimit(to: Int(limit.rlim_max))
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    #expect(limit.rlim_cur == limit.rlim_max)
    let error = #expect(throws: StoreError.self) {
      // More than the kernel gives to anybody.
      try ProcessFiles.raiseLimit(to: 1 << 40)
    }
    #expect(error?.code == .filesFull)
    #expect(error?.message.contains("LimitNOFILE=\(1 << 40)") == true)
  }
}
