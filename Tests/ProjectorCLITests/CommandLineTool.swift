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

  func process(_ arguments: [String]) -> Process {
    let process = Process()
    process.executableURL = Self.executable
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: directory.path)
    process.environment = environment.merging(
      ["PATH": "/usr/bin:/bin", "NO_COLOR": "1"], uniquingKeysWith: { given, _ in given })
    return process
  }

  /// Runs to the end.
  func run(_ arguments: String..., input: String? = nil) throws -> Outcome {
    try run(arguments, input: input)
  }

  func run(_ arguments: [String], input: String? = nil) throws -> Outcome {
    let process = process(arguments)
    // Files, not pipes: no output is large enough to block.
    let name = "\(directory.path)/\(UUID().uuidString)"
    func file(_ suffix: String, _ contents: String?) throws -> FileHandle {
      _ = FileManager.default.createFile(
        atPath: name + suffix, contents: contents.map { Data($0.utf8) })
      return try FileHandle(forUpdating: URL(fileURLWithPath: name + suffix))
    }
    process.standardInput = try input.map { try file(".in", $0) } ?? FileHandle.nullDevice
    process.standardOutput = try file(".out", nil)
    process.standardError = try file(".err", nil)
    try process.run()
    process.waitUntilExit()
    func text(_ suffix: String) throws -> String {
      try String(contentsOfFile: name + suffix, encoding: .utf8)
    }
    return Outcome(
      status: process.terminationStatus, output: try text(".out"), errors: try text(".err"))
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
