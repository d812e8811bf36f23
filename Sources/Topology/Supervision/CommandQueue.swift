import Glibc
import Synchronization

/// What the supervisor of a topology is told, by whatever thread.
enum SupervisorCommand: Sendable {
  case stop
  /// Something changed in the directory of requests.
  case requestsChanged
  /// A loop of the serving generation came to its limits, failed or ended.
  case runChanged
  /// One task's part of a request is over.
  case workEnded(request: String, failure: (any Error)?)
  case snapshotEnded
  /// A rebuild wants the serving generation worked off, or is over.
  case rebuildChanged
  /// What was begun on a thread of its own is over.
  case helperEnded
}

/// The one queue of a topology's supervisor: it sleeps here, and whatever is to be heard comes here.
///
/// Its waits end by the monotonic clock, or by a change in a watched directory.
final class CommandQueue: Sendable {
  private let commands = Mutex<[SupervisorCommand]>([])
  private let reading: Int32
  private let writing: Int32

  init() {
    var ends: [Int32] = [-1, -1]
    if unsafe pipe(&ends) == 0 {
      for end in ends {
        _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        _ = fcntl(end, F_SETFL, O_NONBLOCK)
      }
    }
    // Without one, waits are short instead.
    (reading, writing) = (ends[0], ends[1])
  }

  deinit {
    if reading >= 0 { close(reading) }
    if writing >= 0 { close(writing) }
  }

  func post(_ command: SupervisorCommand) {
    let isFirst = commands.withLock { commands in
      commands.append(command)
      return commands.count == 1
    }
    guard isFirst, writing >= 0 else { return }
    // A full pipe wakes as well.
    var byte: UInt8 = 0
    _ = unsafe write(writing, &byte, 1)
  }

  /// The oldest command; waits for one.
  ///
  /// - Parameters:
  ///   - limit: how long at most; `nil` until there is one.
  ///   - watch: changes in what it watches come as ``SupervisorCommand/requestsChanged``.
  /// - Returns: `nil` where time ran out.
  func next(atMost limit: Duration?, watching watch: DirectoryWatch) -> SupervisorCommand? {
    if let command = take() { return command }
    var descriptors = [
      pollfd(fd: reading, events: Int16(POLLIN), revents: 0),
      pollfd(fd: watch.descriptor, events: Int16(POLLIN), revents: 0),
    ]
    let wait = [limit, watch.period, reading < 0 ? .milliseconds(20) : nil]
      .compactMap(\.self).min()
    _ = unsafe poll(&descriptors, 2, wait.map(Self.milliseconds) ?? -1)
    if descriptors[0].revents != 0 { drain() }
    if descriptors[1].revents != 0 { watch.drain() }
    if let command = take() { return command }
    if descriptors[1].revents != 0 { return .requestsChanged }
    if let period = watch.period, wait == period { return .requestsChanged }
    return nil
  }

  /// Rounded up, so that what is waited for has come.
  private static func milliseconds(_ duration: Duration) -> Int32 {
    let (seconds, attoseconds) = max(.zero, min(duration, .seconds(86_400))).components
    return Int32(seconds * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }

  private func take() -> SupervisorCommand? {
    commands.withLock { $0.isEmpty ? nil : $0.removeFirst() }
  }

  private func drain() {
    var bytes = [UInt8](repeating: 0, count: 64)
    while unsafe read(reading, &bytes, bytes.count) > 0 {}
  }
}

/// Tells of changes in a directory.
///
/// Where the system watches none for us, it is to be looked at now and then.
final class DirectoryWatch: Sendable {
  private let path: String
  /// Readable after a change; below zero where the system gives none.
  let descriptor: Int32
  /// How long to wait at most before the directory is looked at all the same; `nil` for ever.
  let period: Duration?

  init(_ path: String) {
    self.path = path
    let opened = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
    guard opened >= 0, Self.watch(path, opened) else {
      if opened >= 0 { close(opened) }
      (descriptor, period) = (-1, .milliseconds(500))
      return
    }
    (descriptor, period) = (opened, nil)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Watches what bears the name now: the directory may have been removed and made anew.
  func renew() { if descriptor >= 0 { _ = Self.watch(path, descriptor) } }

  /// - Parameter path: of a directory that is there.
  private static func watch(_ path: String, _ descriptor: Int32) -> Bool {
    let changes =
      UInt32(IN_MOVED_TO) | UInt32(IN_CLOSE_WRITE) | UInt32(IN_DELETE) | UInt32(IN_DELETE_SELF)
    return inotify_add_watch(descriptor, path, changes) >= 0
  }

  fileprivate func drain() {
    var bytes = [UInt8](repeating: 0, count: 4_096)
    while unsafe read(descriptor, &bytes, bytes.count) > 0 {}
  }
}
