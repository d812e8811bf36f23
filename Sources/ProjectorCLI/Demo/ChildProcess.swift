import Glibc

/// This program, run again as a process of its own.
final class ChildProcess {
  /// What becomes of its standard output.
  enum Output { case inherited, captured, discarded }

  private let id: pid_t
  private let outputFile: Int32?
  private var status: Int32?

  /// Starts it with our standard streams, or with its output kept for ``output()``.
  ///
  /// Settings of our own environment stay here, so that the child does what its arguments say.
  ///
  /// - Throws: ``Failure`` with the system's reason.
  init(_ arguments: [String], output: Output = .inherited) throws {
    var pipes: [Int32] = [-1, -1]
    if output == .captured, pipe(&pipes) != 0 { throw Self.failure("make a pipe") }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    switch output {
    case .inherited: break
    case .captured:
      posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO)
      for end in pipes { posix_spawn_file_actions_addclose(&actions, end) }
    case .discarded:
      posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    }
    let variables = ProcessEnvironment.variables().filter { !$0.key.hasPrefix("PROJECTOR_") }
    var argv = ([Projector.executableName] + arguments).map { strdup($0) } + [nil]
    var envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in argv + envp { free(text) } }
    var id = pid_t()
    let result = posix_spawn(&id, "/proc/self/exe", &actions, nil, &argv, &envp)
    if output == .captured { close(pipes[1]) }
    guard result == 0 else {
      errno = result
      throw Self.failure("start a process")
    }
    self.id = id
    outputFile = output == .captured ? pipes[0] : nil
  }

  deinit { if let outputFile { close(outputFile) } }

  /// SIGKILL: the process ends at once, wherever it is.
  func kill() { Glibc.kill(id, SIGKILL) }

  var isRunning: Bool {
    if status != nil { return false }
    var status: Int32 = 0
    guard waitpid(id, &status, WNOHANG) == id else { return true }
    self.status = status
    return false
  }

  /// Waits for its end.
  ///
  /// - Returns: the exit status; `nil` where a signal ended it.
  @discardableResult
  func wait() -> Int32? {
    var status: Int32 = self.status ?? 0
    if self.status == nil {
      while waitpid(id, &status, 0) < 0, errno == EINTR {}
      self.status = status
    }
    return status & 0x7f == 0 ? (status >> 8) & 0xff : nil
  }

  /// All it writes to standard output.
  func output() throws -> String {
    guard let outputFile else { preconditionFailure("its output was not captured") }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = chunk.withUnsafeMutableBytes { read(outputFile, $0.baseAddress, $0.count) }
      if count > 0 {
        bytes += chunk[..<count]
      } else if count == 0 {
        return String(decoding: bytes, as: UTF8.self)
      } else if errno != EINTR {
        throw Self.failure("read what a child printed")
      }
    }
  }

  private static func failure(_ verb: String) -> Failure {
    Failure(.failed, "cannot \(verb): \(String(cString: strerror(errno)))", at: "demo")
  }
}
