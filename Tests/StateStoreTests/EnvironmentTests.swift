import Foundation
import SmallDisk
import StateStore
import Synchronization
import Testing

@Suite struct EnvironmentTests {
  private let directory = TemporaryDirectory()

  @Test("a commit is seen, an abort is not, and one reader keeps its view")
  func isolation() throws {
    let environment = try Environment.open(directory.path)
    let table = try environment.table("t")
    do {
      let write = try WriteTransaction(environment)
      try write.operations.put(table, bytes(1).span.bytes, bytes(10, 11).span.bytes)
      try write.commit()
    }
    let reader = try ReadTransaction(environment)
    do {
      let write = try WriteTransaction(environment)
      try write.operations.put(table, bytes(1).span.bytes, bytes(99).span.bytes)
      #expect(try write.operations.delete(table, bytes(7).span.bytes) == false)
      try write.commit()
    }
    do {
      let write = try WriteTransaction(environment)
      try write.operations.put(table, bytes(2).span.bytes, bytes(5).span.bytes)
    }
    #expect(try reader.operations.value(table, bytes(1).span.bytes) == [10, 11])
    let later = try ReadTransaction(environment)
    #expect(try later.operations.value(table, bytes(1).span.bytes) == [99])
    #expect(try later.operations.value(table, bytes(2).span.bytes) == nil)
    #expect(try later.operations.count(table) == 1)
    #expect(environment.oldestReaderLag == 1)
  }

  @Test("the same directory gives the same environment, and can be opened again once let go")
  func registry() throws {
    var first: Environment? = try Environment.open(directory.path)
    let second = try Environment.open(directory.path + "/")
    #expect(first === second)
    _ = try first?.table("t")
    first = nil
    #expect(try Environment.open(directory.path).existingTable("t")?.name == "t")
    #expect(try second.existingTable("u") == nil)
  }

  @Test("a directory removed under an open environment and made again is another one")
  func removedUnderneath() throws {
    let old = try Environment.open(directory.path)
    _ = try old.table("t")
    for _ in 0..<8 {
      try FileManager.default.removeItem(atPath: directory.path)
      let new = try Environment.open(directory.path)
      #expect(new !== old)
      #expect(try new.existingTable("t") == nil)
    }
    #expect(try old.existingTable("t")?.name == "t")
  }

  @Test("pages given back change nothing that is stored, and wait for no reader")
  func releasedPages() throws {
    let environment = try Environment.open(directory.path, .init(mapSize: 1 << 20))
    let tables = try (0..<5).map { try environment.table("t\($0)") }
    func write(_ value: UInt8) throws {
      let write = try WriteTransaction(environment)
      for table in tables {
        try write.operations.put(
          table, Array(table.name.utf8).span.bytes, bytes(value, UInt8(table.name.count)).span.bytes
        )
      }
      try write.commit()
    }
    func read() throws -> [[UInt8]?] {
      let read = try ReadTransaction(environment)
      return try tables.map { try read.operations.value($0, Array($0.name.utf8).span.bytes) }
    }
    try write(1)
    try environment.grow()
    do {
      // Somebody reads: nothing happens to what is seen.
      let reader = try ReadTransaction(environment)
      try environment.releasePages()
      #expect(try reader.operations.count(tables[3]) == 1)
    }
    for round in UInt8(2)...4 {
      try environment.releasePages()
      #expect(environment.mapSize == 2 << 20)
      #expect(try read() == tables.map { _ in [round - 1, 2] })
      try write(round)
      #expect(try environment.table("later\(round)").name == "later\(round)")
    }
    #expect(environment.oldestReaderLag == 0)
    try environment.sync()
    #expect(try Environment.open(directory.path) === environment)
  }

  @Test("while it rests it has no file open, says what it said, syncs, and wakes with any use")
  func rest() throws {
    let environment = try Environment.open(directory.path, .init(mapSize: 1 << 20))
    let table = try environment.table("t")
    func put(_ value: UInt8) throws {
      let write = try WriteTransaction(environment)
      try write.operations.put(table, bytes(1).span.bytes, bytes(value).span.bytes)
      try write.commit()
    }
    try put(0)
    func isOpen() throws -> Bool {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").contains {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?
          .hasPrefix(directory.path) == true
      }
    }
    func facts() -> [Int] {
      [
        environment.mapSize, environment.usedBytes, environment.lastTransaction,
        environment.pageSize, environment.oldestReaderLag,
      ]
    }
    let uses: [() throws -> Void] = [
      { try put(1) }, { _ = try ReadTransaction(environment) }, { try environment.grow() },
      { _ = try environment.table("u") },
      { try environment.checkPages(CopyCancellation()) },
    ]
    for use in uses {
      let before = facts()
      try environment.releasePages()
      #expect(try !isOpen())
      #expect(facts() == before)
      #expect(try environment.clearStaleReaders() == 0)
      #expect(!environment.hasOutgrownReadAhead)
      // What it committed becomes durable without it.
      try environment.sync()
      #expect(try !isOpen())
      try use()
      #expect(try isOpen())
    }
    #expect(environment.mapSize == 2 << 20)
    let read = try ReadTransaction(environment)
    #expect(try read.operations.value(table, bytes(1).span.bytes) == [1])
  }

  @Test("threads that use one that rests, all at once, all find it open")
  func wakenedByMany() throws {
    let environment = try Environment.open(directory.path, .init(mapSize: 1 << 20))
    let table = try environment.table("t")
    let write = try WriteTransaction(environment)
    try write.operations.put(table, bytes(1).span.bytes, bytes(5).span.bytes)
    try write.commit()
    let failures = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      for round in 0..<200 {
        do {
          if (round + thread) % 3 == 0 { try environment.releasePages() }
          let read = try ReadTransaction(environment)
          let value = try read.operations.value(table, bytes(1).span.bytes)
          if value != [5] { failures.withLock { $0.append("\(value ?? [])") } }
        } catch {
          failures.withLock { $0.append("\(error)") }
        }
      }
    }
    #expect(failures.withLock { $0 } == [])
  }

  @Test("an environment whose file went away while its pages were given back is an error")
  func releasedAndGone() throws {
    let environment = try Environment.open(directory.path)
    let table = try environment.table("t")
    try FileManager.default.removeItem(atPath: directory.path)
    #expect(throws: StoreError.self) { try environment.releasePages() }
    #expect(throws: StoreError.self) { _ = try ReadTransaction(environment) }
    #expect(throws: StoreError.self) { try environment.sync() }
    #expect(throws: StoreError.self) { try environment.grow() }
    #expect(environment.usedBytes == 0)
    #expect(table.name == "t")
  }

  @Test("a full map is an error that growing cures, without closing")
  func growth() throws {
    let environment = try Environment.open(directory.path, .init(mapSize: 1 << 20))
    let table = try environment.table("t")
    func fill() throws {
      let write = try WriteTransaction(environment)
      for number in 0..<1000 {
        let key = [UInt8(number >> 8), UInt8(number & 255)]
        try write.operations.put(
          table, key.span.bytes, [UInt8](repeating: 7, count: 1500).span.bytes)
      }
      try write.commit()
    }
    let error = #expect(throws: StoreError.self) { try fill() }
    #expect(error?.code == .mapFull)
    try environment.grow()
    try environment.grow()
    #expect(environment.mapSize == 4 << 20)
    try fill()
    let read = try ReadTransaction(environment)
    #expect(try read.operations.count(table) == 1000)
  }

  @Test("a file that has outgrown the map it is opened with takes new tables")
  func outgrown() throws {
    do {
      let environment = try Environment.open(directory.path)
      let table = try environment.table("t")
      let write = try WriteTransaction(environment)
      let value = [UInt8](repeating: 7, count: 3 << 20)
      try write.operations.put(table, bytes(1).span.bytes, value.span.bytes)
      try write.commit()
    }
    let environment = try Environment.open(directory.path, .init(mapSize: 1 << 20))
    for number in 0..<20 { _ = try environment.table("table \(number)") }
    #expect(environment.mapSize > 4 << 20)
  }

  @Test("a file that lacks free pages is whole, once the disk has room for them")
  func shortFile() throws {
    guard SmallDisk.isAvailable(.tmpfs) else {
      try Test.cancel("this process may not mount a disk of its own")
    }
    let disk = try SmallDisk(.tmpfs, mebibytes: 8, at: directory.path)
    let state = disk.path + "/state"
    var environment: Environment? = try Environment.open(state)
    do {
      let open = try #require(environment)
      let table = try open.table("t")
      // LMDB counts the pages that a transaction took and gave back, and does not write them, once
      // it has free pages in memory.
      for number: UInt8 in 0..<8 {
        let write = try WriteTransaction(open)
        for key in 3..<200 {
          let row = [UInt8](repeating: number, count: 300)
          try write.operations.put(table, [UInt8(key)].span.bytes, row.span.bytes)
        }
        try write.commit()
      }
      let write = try WriteTransaction(open)
      let value = [UInt8](repeating: 7, count: 100_000)
      try write.operations.put(table, bytes(1).span.bytes, bytes(10).span.bytes)
      try write.operations.put(table, bytes(2).span.bytes, value.span.bytes)
      try write.operations.delete(table, bytes(2).span.bytes)
      try disk.fill(leavingKibibytes: 40)
      try write.commit()
    }
    environment = nil
    let full = #expect(throws: StoreError.self) { try Environment.open(state) }
    #expect(full?.code == .diskFull)
    #expect(full?.message.hasSuffix("; free space, then repeat") == true)
    disk.clear()
    environment = try Environment.open(state)
    let open = try #require(environment)
    let table = try #require(try open.existingTable("t"))
    let read = try ReadTransaction(open)
    #expect(try read.operations.value(table, bytes(1).span.bytes) == [10])
  }

  @Test("a cursor walks both ways and seeks")
  func cursor() throws {
    let environment = try Environment.open(directory.path)
    let table = try environment.table("t")
    let write = try WriteTransaction(environment)
    do {
      var cursor = try write.operations.cursor(table)
      for key: UInt8 in [2, 4, 6] { try cursor.put([key].span.bytes, [key * 2].span.bytes) }
      #expect(try cursor.seek(bytes(3).span.bytes))
      #expect(cursor.key == [4] && cursor.value == [8])
      #expect(try cursor.next() && cursor.key == [6])
      #expect(try !cursor.next())
      #expect(try cursor.seek(before: bytes(6).span.bytes) && cursor.key == [4])
      #expect(try cursor.seek(before: bytes(9).span.bytes) && cursor.key == [6])
      #expect(try !cursor.seek(before: bytes(2).span.bytes))
      #expect(try cursor.seek(bytes(2).span.bytes))
      try cursor.delete()
      #expect(try cursor.next() && cursor.key == [4])
    }
    try write.commit()
  }

  @Test("a missing environment is not made for a reader")
  func missing() throws {
    let error = #expect(throws: StoreError.self) {
      try Environment.open(directory.path, .init(create: false))
    }
    #expect(error?.code == .missing)
  }

  @Test("hashes are XXH3's, as other tools compute them")
  func hashes() {
    // xxhash's own vectors for the empty input.
    #expect(hash64([UInt8]().span.bytes) == 0x2D06_8005_38D3_94C2)
    #expect(
      Hash128([UInt8]().span.bytes)
        == Hash128(high: 0x99AA_06D3_0147_98D8, low: 0x6001_C324_468D_497F))
    #expect(Hash128("a".bytes.span.bytes, scope: 1) != Hash128("a".bytes.span.bytes))
  }
}
