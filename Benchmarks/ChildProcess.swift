import Glibc

/// One step in a process of its own, whose memory is watched while it runs.
final class ChildProcess {
  /// What a finished child used and said.
  struct Outcome {
    var wallSeconds = 0.0
    /// User and system time of the whole process.
    var cpuSeconds = 0.0
    /// Highest RssAnon seen, sampled every 2 ms.
    var anonymousBytesMax = 0
    /// `name=value` lines of its standard output.
    var values: [String: Double] = [:]

    subscript(name: String) -> Double { values[name] ?? 0 }
  }

  let pid: pid_t
  private let output: Int32
  private let started = Clock.now
  private var pending: [UInt8] = []
  private(set) var outcome = Outcome()

  /// - Parameter cgroup: a directory whose `cgroup.procs` the child joins before it starts.
  init(_ arguments: [String], cgroup: String? = nil) throws {
    var pipes: [Int32] = [0, 0]
    guard pipe(&pipes) == 0 else { throw BenchmarkError("no pipe: errno \(errno)") }
    var words = ["/proc/self/exe"] + arguments
    if let cgroup {
      words =
        [
          "/bin/sh", "-c", "echo $$ > \"$0\"/cgroup.procs && exec \"$@\"", cgroup, Self.executable,
        ] + arguments
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, pipes[1], 1)
    posix_spawn_file_actions_addclose(&actions, pipes[0])
    let strings = words.map { strdup($0) } + [nil]
    defer { for string in strings { free(string) } }
    var child = pid_t()
    let result = posix_spawn(&child, words[0], &actions, nil, strings, environ)
    close(pipes[1])
    guard result == 0 else { throw BenchmarkError("no child process: errno \(result)") }
    pid = child
    output = pipes[0]
    _ = fcntl(output, F_SETFL, O_NONBLOCK)
  }

  private static let executable: String = {
    var buffer = [CChar](repeating: 0, count: 4_096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    return String(
      decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }()

  /// Waits for the end.
  ///
  /// - Throws: ``BenchmarkError`` where the child failed.
  func finish(orKilled killed: Bool = false) throws -> Outcome {
    while true {
      sample()
      var (status, usage) = (Int32(0), rusage())
      guard wait4(pid, &status, WNOHANG, &usage) == pid else {
        usleep(2_000)
        continue
      }
      readLines()
      close(output)
      outcome.wallSeconds = Clock.now - started
      outcome.cpuSeconds = usage.ru_utime.seconds + usage.ru_stime.seconds
      guard status == 0 || killed else {
        throw BenchmarkError("a child process ended with status \(status)")
      }
      return outcome
    }
  }

  /// Waits until the child has printed `name`.
  func wait(for name: String) throws -> Double {
    while true {
      sample()
      readLines()
      if let value = outcome.values[name] { return value }
      guard isRunning else {
        throw BenchmarkError("a child process ended before it printed '\(name)'")
      }
      usleep(200)
    }
  }

  /// Whether it has not ended yet; looks at its memory, too.
  var isRunning: Bool {
    sample()
    var information = siginfo_t()
    return waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0
      && information.si_signo == 0
  }

  func signal(_ number: Int32) { kill(pid, number) }

  /// User and system seconds so far.
  var cpuSeconds: Double {
    let fields = (ProcFile.text("/proc/\(pid)/stat").split(separator: ")").last ?? "")
      .split(separator: " ")
    guard fields.count > 13, let user = Double(fields[11]), let system = Double(fields[12]) else {
      return 0
    }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  private func sample() {
    let bytes = ProcFile.field("RssAnon", of: "/proc/\(pid)/status") * 1_024
    outcome.anonymousBytesMax = max(outcome.anonymousBytesMax, bytes)
    readLines()
  }

  private func readLines() {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(output, &buffer, buffer.count)
      guard count > 0 else { break }
      pending += buffer[..<count]
    }
    while let end = pending.firstIndex(of: 0x0A) {
      let line = String(decoding: pending[..<end], as: UTF8.self)
      pending.removeFirst(end + 1)
      let parts = line.split(separator: "=")
      if parts.count == 2, let value = Double(parts[1]) { outcome.values[String(parts[0])] = value }
    }
  }
}

extension timeval {
  var seconds: Double { Double(tv_sec) + Double(tv_usec) / 1e6 }
}

enum Clock {
  /// Seconds of a clock that only runs forward, the same in all processes.
  static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

/// Files of `/proc`.
enum ProcFile {
  static func text(_ path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 16_384)
    let count = fread(&buffer, 1, buffer.count, file)
    return String(decoding: buffer.prefix(count), as: UTF8.self)
  }

  /// The number behind `name:`.
  static func field(_ name: String, of path: String) -> Int {
    for line in text(path).split(separator: "\n") where line.hasPrefix("\(name):") {
      return Int(line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first ?? "")
        ?? 0
    }
    return 0
  }
}
