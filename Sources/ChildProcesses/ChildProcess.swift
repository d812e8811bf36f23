import CSpawn
package import Glibc

/// A program run as a process of its own.
///
/// It inherits its three standard streams and nothing else: a pipe that another child held open
/// would never end. Every descriptor is closed once, by whom it belongs to; in a process of many
/// threads a second `close` takes somebody else's file away.
package final class ChildProcess {
  /// Where an output stream of it goes.
  package enum Output {
    case inherited
    case discarded
    /// A file, which is made or emptied first.
    case file(String)
    /// A pipe to this process, for ``line()`` and ``output()``; standard output only.
    case captured
  }

  /// How it ended.
  package enum Ending: Equatable, Sendable {
    case exit(Int32)
    case signal(Int32)
  }

  package let id: pid_t
  private var outputFile: Int32?
  private var read: [UInt8] = []
  private var ending: Ending?

  /// Starts it.
  ///
  /// - Parameters:
  ///   - environment: all of it; `nil` for ours.
  ///   - directory: its working directory; `nil` for ours.
  ///   - input: a file as its standard input; `nil` for an empty one.
  /// - Throws: ``ChildProcessError``.
  package init(
    _ program: String, _ arguments: [String], environment: [String: String]? = nil,
    directory: String? = nil, input: String? = nil, output: Output = .inherited,
    errors: Output = .inherited
  ) throws(ChildProcessError) {
    var pipes: [Int32] = [-1, -1]
    if case .captured = output, pipe2(&pipes, O_CLOEXEC) != 0 {
      throw ChildProcessError("make a pipe", errno, program)
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input ?? "/dev/null", O_RDONLY, 0)
    Self.redirect(STDOUT_FILENO, to: output, pipe: pipes[1], &actions)
    Self.redirect(STDERR_FILENO, to: errors, pipe: pipes[1], &actions)
    if let directory { posix_spawn_file_actions_addchdir_np(&actions, directory) }
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
    var attributes = Self.ordinarySignals()
    defer { posix_spawnattr_destroy(&attributes) }
    var argv = ([program] + arguments).map { strdup($0) } + [nil]
    var envp = (environment.map(Self.lines) ?? Self.ownEnvironment()).map { strdup($0) } + [nil]
    defer { for text in argv + envp { free(text) } }
    var id = pid_t()
    let result = posix_spawn(&id, program, &actions, &attributes, &argv, &envp)
    if pipes[1] >= 0 { close(pipes[1]) }
    guard result == 0 else {
      if pipes[0] >= 0 { close(pipes[0]) }
      throw ChildProcessError("start", result, program)
    }
    self.id = id
    outputFile = pipes[0] >= 0 ? pipes[0] : nil
  }

  private static func lines(_ environment: [String: String]) -> [String] {
    environment.map { "\($0.key)=\($0.value)" }
  }

  private static func ownEnvironment() -> [String] {
    var lines: [String] = []
    var next = environ
    while let line = next.pointee {
      lines.append(String(cString: line))
      next += 1
    }
    return lines
  }

  private static func redirect(
    _ stream: Int32, to output: Output, pipe: Int32, _ actions: inout posix_spawn_file_actions_t
  ) {
    switch output {
    case .inherited: break
    case .discarded: posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_WRONLY, 0)
    case .file(let path):
      posix_spawn_file_actions_addopen(
        &actions, stream, path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    case .captured: posix_spawn_file_actions_adddup2(&actions, pipe, stream)
    }
  }

  /// Signals as a shell would leave them: a thread of a pool blocks them, and a child that inherits
  /// that could not be asked to end.
  private static func ordinarySignals() -> posix_spawnattr_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    for signal in [SIGINT, SIGTERM, SIGPIPE] { sigaddset(&signals, signal) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    return attributes
  }

  /// A child that is still running goes on; it is only not waited for any more.
  deinit { closeOutput() }

  /// Reads its output no further: its next write meets a closed pipe.
  package func closeOutput() {
    guard let outputFile else { return }
    close(outputFile)
    self.outputFile = nil
  }

  /// Sends a signal, unless it has been waited for: its number may be another's by then.
  package func kill(_ signal: Int32 = SIGKILL) {
    if ending == nil { Glibc.kill(id, signal) }
  }

  package var isRunning: Bool {
    if ending != nil { return false }
    var status: Int32 = 0
    guard waitpid(id, &status, WNOHANG) == id else { return true }
    ending = Self.ending(status)
    return false
  }

  /// Waits for its end.
  @discardableResult
  package func wait() -> Ending {
    if let ending { return ending }
    var status: Int32 = 0
    while waitpid(id, &status, 0) < 0, errno == EINTR {}
    let ending = Self.ending(status)
    self.ending = ending
    return ending
  }

  private static func ending(_ status: Int32) -> Ending {
    status & 0x7f == 0 ? .exit((status >> 8) & 0xff) : .signal(status & 0x7f)
  }

  /// The next line of its captured output; `nil` once it has closed it.
  package func line() throws(ChildProcessError) -> String? {
    var searched = 0
    while true {
      if let end = read[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { read.removeFirst(end + 1) }
        return String(decoding: read[..<end], as: UTF8.self)
      }
      searched = read.count
      if try !readMore() { return nil }
    }
  }

  /// What is left of its captured output, to its end.
  package func output() throws(ChildProcessError) -> [UInt8] {
    while try readMore() {}
    defer { read = [] }
    return read
  }

  private func readMore() throws(ChildProcessError) -> Bool {
    guard let outputFile else { preconditionFailure("its output is not captured") }
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = chunk.withUnsafeMutableBytes { Glibc.read(outputFile, $0.baseAddress, $0.count) }
      if count >= 0 {
        read += chunk[..<count]
        return count > 0
      }
      if errno != EINTR { throw ChildProcessError("read the output of", errno, "process \(id)") }
    }
  }
}

/// The system would not start a process, or not let its output be read.
package struct ChildProcessError: Error, CustomStringConvertible {
  package let description: String

  init(_ verb: String, _ code: Int32, _ what: String) {
    description = "cannot \(verb) \(what): \(String(cString: strerror(code)))"
  }
}
