import Dispatch
import Glibc
import StateStore
import Synchronization

// A process of its own that reads a task's state: beside its writer, or a damaged one.
//
//     StateWorker read DIR COUNT     reads on three threads until COUNT rows are there, and says each
//                                    number of rows that it sees with the size of its map
//     StateWorker walk DIR           reads every row, value and entry
//     StateWorker copy DIR TARGET    makes a snapshot
//     StateWorker hold DIR           begins to read, says so, and goes on until it is killed
//     StateWorker cramped DIR        has the map grow beyond the address space that there is
//     StateWorker files DIR          gives pages back with no file left to open
//
// The map of `read` is no larger than the file when it begins: whatever the writer adds is beyond it.

func say(_ line: String) {
  let bytes = Array((line + "\n").utf8)
  _ = bytes.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
}

func fail(_ message: String) -> Never {
  say("error: \(message)")
  exit(1)
}

/// The rows that one view holds, counted in every way there is.
func rows(_ reader: StateReader) throws -> Int {
  try reader.read { view in
    let store = try view.store("orders")
    let scanned = try view.scan(store, [KeyRange()], limit: 1_000_000).rows.count
    let counted = try view.count(store)
    let written = try view.words()["counter"] ?? -1
    guard scanned == counted, Int64(scanned) == written else {
      fail("\(scanned) rows, \(counted) counted, \(written) written")
    }
    return scanned
  }
}

func read(_ directory: String, until count: Int) throws {
  let parent = getppid()
  // Who opens it later in this process gets this one.
  let environment = try Environment.open(directory, .init(mapSize: 1, create: false))
  let reader = try StateReader.open(directory)
  let seen = Mutex(-1)
  DispatchQueue.concurrentPerform(iterations: 3) { _ in
    do {
      var found = -1
      // A test that was killed leaves nobody to read for.
      while found < count, getppid() == parent {
        found = try rows(reader)
        seen.withLock { seen in
          if found > seen {
            seen = found
            say("\(found) \(environment.mapSize)")
          }
        }
      }
    } catch {
      fail("\(error)")
    }
  }
}

func walk(_ directory: String) throws {
  let count = try StateReader.open(directory).read { view in
    var count = try view.words().count + view.journal().count
    for store in try view.stores() {
      count += try view.scan(store, [KeyRange()], limit: 1_000_000).rows.count
      for index in store.indexes {
        count += try view.scanIndex(store, index.name, limit: 1_000_000).rows.count
      }
    }
    for name in ["held", "deadLetters"] {
      count += try view.entries(name, limit: 1_000_000).count
    }
    return count
  }
  say("whole \(count)")
}

func hold(_ directory: String) throws {
  let environment = try Environment.open(directory, .init(create: false))
  let read = try ReadTransaction(environment)
  say("reads \(read.number)")
  pause()
  say("goes on with \(read.number)")
}

/// Every use of an environment whose map could not grow.
func cramped(_ directory: String) throws {
  let environment = try Environment.open(directory)
  let table = try environment.table("t")
  let pages = SystemText.read("/proc/self/statm").split(separator: " ").first.flatMap { Int($0) }
  var limit = rlimit()
  getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
  limit.rlim_cur = rlim_t((pages ?? 0) * 4_096 + 4 << 30)
  setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
  func refuses(_ use: () throws -> Void) {
    do {
      try use()
      fail("done")
    } catch {
      guard error is StoreError else { fail("\(error)") }
    }
  }
  refuses { try environment.grow() }
  refuses { _ = try ReadTransaction(environment) }
  refuses { try WriteTransaction(environment).commit() }
  refuses { try environment.sync() }
  refuses { try environment.grow() }
  refuses { _ = try environment.table("u") }
  refuses { try environment.openTables() }
  refuses { try environment.snapshot(to: directory + ".copy") }
  refuses { try environment.clearStaleReaders() }
  refuses { try environment.releasePages() }
  say(
    "refused \(environment.usedBytes) \(environment.pageSize) \(environment.oldestReaderLag) "
      + "\(environment.lastTransaction) \(environment.hasOutgrownReadAhead) \(table.name)")
}

func files(_ directory: String) throws {
  let environment = try Environment.open(directory)
  let table = try environment.table("t")
  var limit = rlimit()
  getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  // The first number that is free is the first that may not be given.
  let free = dup(1)
  close(free)
  limit.rlim_cur = rlim_t(free)
  setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  guard open("/dev/null", O_RDONLY) < 0 else { fail("a file is left") }
  for _ in 0..<3 {
    try environment.releasePages()
    let write = try WriteTransaction(environment)
    try write.operations.put(table, [1].span.bytes, [2].span.bytes)
    try write.commit()
  }
  say("whole")
}

DamageReport.install()
let arguments = CommandLine.arguments
do {
  switch arguments[1] {
  case "read": try read(arguments[2], until: Int(arguments[3]) ?? 0)
  case "walk": try walk(arguments[2])
  case "hold": try hold(arguments[2])
  case "cramped": try cramped(arguments[2])
  case "files": try files(arguments[2])
  default: try Environment.open(arguments[2], .init(create: false)).snapshot(to: arguments[3])
  }
} catch {
  fail("\(error)")
}
