import Glibc
import StateStore
import Synchronization

/// Opens the states of tasks when they are asked, and keeps no more of them open than the process
/// has descriptors for: who asks for the next one lets go of the one that was used longest ago.
final class TaskReaders: Sendable {
  private struct Opened {
    let reader: StateReader
    var lastUse: Int
  }

  private struct Contents {
    var opened: [String: Opened] = [:]
    var uses = 0
  }

  private let contents = Mutex(Contents())
  private let openMax: Int

  /// - Parameter openMax: how many stay open.
  init(openMax: Int = OpenFiles.environmentsMax) { self.openMax = openMax }

  /// - Throws: ``StateStore/StoreError``.
  func reader(_ directory: String) throws -> StateReader {
    let found = contents.withLock { contents -> StateReader? in
      contents.uses += 1
      contents.opened[directory]?.lastUse = contents.uses
      return contents.opened[directory]?.reader
    }
    if let found { return found }
    let reader = try StateReader.open(directory)
    // Let go of outside the lock: closing one takes a while.
    var dropped: StateReader?
    contents.withLock { contents in
      if contents.opened.count >= openMax,
        let oldest = contents.opened.min(by: { $0.value.lastUse < $1.value.lastUse })
      {
        dropped = contents.opened.removeValue(forKey: oldest.key)?.reader
      }
      contents.opened[directory] = Opened(reader: reader, lastUse: contents.uses)
    }
    withExtendedLifetime(dropped) {}
    return reader
  }
}

/// The limit on descriptors of this process.
enum OpenFiles {
  /// What an environment takes: data, lock, meta page, and the lock of its writer.
  static let ofEnvironment = 4
  /// For the log, sockets, pipes and what else is open.
  static let reserve = 128

  /// Raises the soft limit to the hard one: the first is low for the sake of programs that use
  /// `select`, which this one does not.
  static func raiseLimit() {
    var limit = current
    guard limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(resource, &limit)
  }

  /// How many environments fit beside everything else.
  static var environmentsMax: Int {
    max(8, min(2_048, (count(current.rlim_cur) - reserve) / ofEnvironment))
  }

  /// Refuses what the limit cannot hold, before anything is opened.
  ///
  /// - Throws: ``Failure`` that says what to set.
  static func check(tasks: Int) throws {
    let needed = tasks * ofEnvironment + reserve
    let limit = count(current.rlim_cur)
    guard needed > limit else { return }
    throw Failure(
      .failed,
      "\(tasks.grouped) tasks need \(needed.grouped) open files, \(limit.grouped) are allowed",
      at: "limit of the process",
      todo: "raise the hard limit to \(needed) at least (`ulimit -Hn`, LimitNOFILE= of systemd, "
        + "--ulimit nofile= of a container), or run fewer partitions with --partition")
  }

  private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

  private static var current: rlimit {
    var limit = rlimit()
    getrlimit(resource, &limit)
    return limit
  }

  /// Without a limit, as many as LMDB and the kernel take.
  private static func count(_ limit: rlim_t) -> Int { Int(clamping: min(limit, 1 << 30)) }
}
