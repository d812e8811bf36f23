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

DamageReport.install()
let arguments = CommandLine.arguments
do {
  switch arguments[1] {
  case "read": try read(arguments[2], until: Int(arguments[3]) ?? 0)
  case "walk": try walk(arguments[2])
  default: try Environment.open(arguments[2], .init(create: false)).snapshot(to: arguments[3])
  }
} catch {
  fail("\(error)")
}
