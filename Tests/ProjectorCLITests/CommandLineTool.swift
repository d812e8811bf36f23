import ChildProcesses
import Foundation
import Glibc
import Testing

/// The built `projector`, run as a child process as users run it.
struct CommandLineTool {
  struct Outcome: Equatable {
    let status: Int32
    let output: String
    let errors: String
  }

  /// A directory of its own, gone with the last reference.
  final class Directory {
    let path: String
    init() throws {
      path = NSTemporaryDirectory() + "projector-cli-\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { _ = try? FileManager.default.removeItem(atPath: path) }
  }

  let directory: Directory
  var environment: [String: String] = [:]

  init() throws { directory = try Directory() }

  /// `projector` lies beside the test bundle.
  static let executable: URL = {
    var url = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    // The test process is the bundle itself on Linux.
    url.deleteLastPathComponent()
    return url.appendingPathComponent("projector")
  }()

  var log: String { "local:\(directory.path)/log" }
  var state: String { "\(directory.path)/state" }

  /// Starts it; its standard error goes where ours does unless `errors` says otherwise.
  func start(
    _ arguments: [String], input: String? = nil, output: ChildProcess.Output = .inherited,
    errors: ChildProcess.Output = .inherited
  ) throws -> ChildProcess {
    try ChildProcess(
      Self.executable.path, arguments,
      environment: environment.merging(["PATH": "/usr/bin:/bin", "NO_COLOR": "1"]) { given, _ in
        given
      }, directory: directory.path, input: input, output: output, errors: errors)
  }

  /// Runs to the end.
  func run(_ arguments: String..., input: String? = nil) throws -> Outcome {
    try run(arguments, input: input)
  }

  func run(_ arguments: [String], input: String? = nil) throws -> Outcome {
    // Files, not pipes: whatever it prints, it does not block.
    let name = "\(directory.path)/\(UUID().uuidString)"
    try input?.write(toFile: name + ".in", atomically: false, encoding: .utf8)
    let process = try start(
      arguments, input: input == nil ? nil : name + ".in", output: .file(name + ".out"),
      errors: .file(name + ".err"))
    guard case .exit(let status) = process.wait() else {
      throw Killed(arguments: arguments)
    }
    func text(_ suffix: String) throws -> String {
      try String(contentsOfFile: name + suffix, encoding: .utf8)
    }
    return Outcome(status: status, output: try text(".out"), errors: try text(".err"))
  }

  /// Runs to the end under a hard limit on open files.
  func run(openFiles: Int, _ arguments: [String]) throws -> Outcome {
    let name = "\(directory.path)/\(UUID().uuidString)"
    let process = try ChildProcess(
      "/bin/sh",
      ["-c", "ulimit -n \(openFiles); exec \"$0\" \"$@\"", Self.executable.path] + arguments,
      environment: environment.merging(["PATH": "/usr/bin:/bin"]) { given, _ in given },
      directory: directory.path, output: .file(name + ".out"), errors: .file(name + ".err"))
    guard case .exit(let status) = process.wait() else { throw Killed(arguments: arguments) }
    return Outcome(
      status: status, output: try String(contentsOfFile: name + ".out", encoding: .utf8),
      errors: try String(contentsOfFile: name + ".err", encoding: .utf8))
  }

  /// It did not end of its own accord.
  struct Killed: Error {
    let arguments: [String]
  }

  /// Runs to the end and expects success.
  @discardableResult
  func succeed(_ arguments: String..., input: String? = nil) throws -> String {
    let outcome = try run(arguments, input: input)
    try #require(
      outcome.status == 0, "projector \(arguments.joined(separator: " ")): \(outcome.errors)")
    return outcome.output
  }
}
